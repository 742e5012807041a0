/**
 * The server on real UDP: a hand-made miner and client on both wires get a job done.
 *
 * @module
 */
import { expect, test } from "bun:test";
import { submit } from "../../client/mod.ts";
import { connect } from "../../lsp/mod.ts";
import { mine } from "../../miner/mod.ts";
import { serve } from "../../server/mod.ts";
import { type Candidate, isBetter } from "../../work/candidate.ts";
import {
  CLASSIC_JOIN,
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import { hashNonce } from "../../work/hash.ts";
import { MESSAGES_VERSION } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

const host = "127.0.0.1";

function plainSearch(message: string, lower: bigint, upper: bigint): Candidate {
  let best = { hash: hashNonce(message, lower), nonce: lower };
  for (let nonce = lower + 1n; nonce <= upper; nonce++) {
    const candidate = { hash: hashNonce(message, nonce), nonce };
    if (isBetter(candidate, best)) best = candidate;
  }
  return best;
}

test("serve: a cbor miner and a cbor client", async () => {
  const lines: string[] = [];
  await using server = await serve({ host, port: 0, log: (text) => lines.push(text) });
  const at = { host, port: server.port, appVersion: MESSAGES_VERSION };
  await using miner = await connect(at);
  miner.write(
    encodeMessage({ kind: "join", threads: 1, rate: 50_000, label: "by hand", name: "hand" }),
  );
  await using client = await connect(at);
  const job = { subject: "msg", lower: 0n, upper: 4_999n };
  client.write(encodeMessage({ kind: "submit", job: 1, session: 7n, work: job }));
  let answer: ReturnType<typeof decodeMessage> | undefined;
  const mining = (async () => {
    for (;;) {
      const assign = decodeMessage(await miner.read());
      if (typeof assign === "string" || assign.kind !== "assign") continue;
      const best = plainSearch(String(assign.work.subject), assign.work.lower, assign.work.upper);
      miner.write(encodeMessage({ kind: "result", chunk: assign.chunk, best }));
    }
  })().catch(() => {});
  do answer = decodeMessage(await client.read());
  while (typeof answer !== "string" && answer.kind !== "answer");
  expect(answer).toEqual({
    kind: "answer",
    job: 1,
    best: plainSearch("msg", 0n, 4_999n),
    met: true,
  });
  expect(server.snapshot()).toMatchObject({ jobs: [], clients: 1, rejected: {} });
  expect(server.snapshot().miners.length).toBe(1);
  expect(lines.join("\n")).toContain("by hand");
  await miner.close();
  await mining;
});

test("serve: a classic miner and a classic client on the same port", async () => {
  await using server = await serve({ host, port: 0 });
  const params = { epochMillis: 100 };
  const miner = await connect({ host, port: server.port, wire: "json", params });
  const client = await connect({ host, port: server.port, wire: "json", params });
  miner.write(encodeClassicMessage(CLASSIC_JOIN));
  client.write(encodeClassicMessage(classicRequest("msg", 0n, 2_000n)));
  const request = decodeClassicMessage(await miner.read());
  if (typeof request === "string") throw new Error(request);
  expect(request).toMatchObject({ type: 1, data: "msg", lower: 0n, upper: 2_000n });
  const best = plainSearch("msg", 0n, 2_000n);
  miner.write(encodeClassicMessage(classicResult(best)));
  expect(decodeClassicMessage(await client.read())).toEqual(classicResult(best));
  expect(best.hash).toBe(hashNonce("msg", best.nonce));
  await Promise.all([miner.close(), client.close()]);
});

test("serve: closes when its signal aborts, and the port is free again", async () => {
  const ending = new AbortController();
  const server = await serve({ host, port: 0, signal: ending.signal });
  ending.abort();
  await server.closed;
  await using again = await serve({ host, port: server.port });
  expect(again.port).toBe(server.port);
});

test("serve: the log tells a goodbye from a loss, and whom the version turned away", async () => {
  const lines: string[] = [];
  let heard = Promise.withResolvers<void>();
  const log = (text: string): void => {
    lines.push(text);
    heard.resolve();
  };
  const said = async (text: string): Promise<void> => {
    while (!lines.some((line) => line.includes(text))) {
      await heard.promise;
      heard = Promise.withResolvers<void>();
    }
  };
  // A second of silence: a busy machine pauses for less, and nobody polite falls silent meanwhile.
  const params = { epochMillis: 50, epochLimit: 20 };
  await using server = await serve({ host, port: 0, params, log });
  const at = { host, port: server.port, appVersion: MESSAGES_VERSION, params };
  const hands = { threads: 1, rate: 2_500_000, label: "polite", name: "lab-7" };
  const join = encodeMessage({ kind: "join", ...hands });
  const polite = await connect(at);
  polite.write(join);
  await said("miner 1 (lab-7) joined from 127.0.0.1:");
  await said(": polite, 1 thread, about 2.50 MH/s");
  await polite.close();
  await said("miner 1 (lab-7) left: it said goodbye");
  const ending = new AbortController();
  const rude = await connect({ ...at, wire: "json", signal: ending.signal });
  rude.write(encodeClassicMessage(CLASSIC_JOIN));
  await said(`miner ${rude.connId} joined`);
  ending.abort();
  await said(`miner ${rude.connId} left: it fell silent`);
  const other = connect({ ...at, appVersion: 4711 });
  await expect(other).rejects.toThrow("versions differ");
  await said("messages 4711");
  expect(lines.at(-1)).toContain(`the server has LSP 2, messages ${MESSAGES_VERSION}`);
  expect(lines.at(-1)).toStartWith("turned away 127.0.0.1");
});

test("serve: garbage while a job runs is counted by reason and harms nobody", async () => {
  await using server = await serve({ host, port: 0 });
  const miner = mine({ host, port: server.port, threads: 1, niceness: "normal", kernel: "bun" });
  const work = { message: "msg", lower: 0n, upper: 2_000_000n };
  const job = submit({ host, port: server.port, ...work });
  await job.connected;
  const garbage = [
    "ff",
    "82d9dfff831affffffff81617405da5368726400",
    "9f".repeat(700),
    "00".repeat(1500),
    Buffer.from('{"Type":1,"ConnID":1,"SeqNum":-1,"Size":-5}').toString("hex"),
    Buffer.from("{".repeat(1400)).toString("hex"),
  ].map((hex) => Buffer.from(hex, "hex"));
  const connectTo = { hostname: host, port: server.port };
  const stranger = await Bun.udpSocket({ hostname: host, connect: connectTo });
  for (let round = 0; round < 50; round++) for (const bytes of garbage) stranger.send(bytes);
  const answer = await job.answer;
  expect(answer.hash).toBe(hashNonce("msg", answer.nonce));
  const { rejected } = server.transport();
  expect(Object.values(rejected).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(50);
  expect(Object.keys(rejected).length).toBeGreaterThan(1);
  stranger.close();
  await miner.close();
});
