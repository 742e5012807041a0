/** One question of a classic client, from a socket of its own. */
import { strangerChecksum } from "../../sim/lsp/stranger.ts";
import { within } from "../support/waiting.ts";

/**
 * A classic client as Go programs are: its socket is connected to the address that it dials, so
 * that the system shows it nothing from elsewhere. What it was answered with.
 */
export async function askClassic(host: string, port: number): Promise<string[]> {
  const answers: string[] = [];
  const done = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: host.includes(":") ? "::" : "0.0.0.0",
    connect: { hostname: host, port },
    binaryType: "uint8array",
    socket: {
      data(_socket, bytes) {
        const frame = JSON.parse(Buffer.from(bytes).toString("latin1")) as Record<string, number>;
        answers.push(`${frame["Type"]} ${frame["SeqNum"]} ${frame["Payload"] ?? ""}`.trim());
        const isAccept = frame["Type"] === 2 && frame["SeqNum"] === 7;
        if (isAccept) socket.send(data(frame["ConnID"]!));
        if (frame["Type"] === 1) done.resolve();
      },
      error() {},
    },
  });
  const repeated = setInterval(() => answers.length === 0 && socket.send(CONNECT), 200);
  socket.send(CONNECT);
  try {
    await within(`an answer from ${host}`, done.promise);
  } finally {
    clearInterval(repeated);
    socket.close();
  }
  return answers;
}

const CONNECT = '{"Type":0,"ConnID":0,"SeqNum":7,"Size":0,"Checksum":0,"Payload":null}';

/** "hi" as message 8. */
function data(connId: number): string {
  const checksum = strangerChecksum(connId, 8, new TextEncoder().encode("hi"));
  return `{"Type":1,"ConnID":${connId},"SeqNum":8,"Size":2,"Checksum":${checksum},"Payload":"aGk="}`;
}
