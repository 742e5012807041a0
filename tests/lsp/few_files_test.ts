/** A server whose process may open few files: it gives sockets up, and serves all who ask. */
import { test } from "bun:test";
import { assert } from "@std/assert";
import { join } from "node:path";
import { askClassic } from "./ask_classic.ts";

/** The test's clients that ask at a time. */
const ASKING = 20;
/** Files that the server's process may open, and the addresses at which it is asked. */
const FILES_MAX = 60;
const ADDRESSES = 120;

/** Echoes on 0.0.0.0, and prints its port. */
const SERVER = `
  import { listen } from ${JSON.stringify(join(import.meta.dirname, "../../lsp/mod.ts"))};
  const server = await listen({ host: "0.0.0.0", port: 0, onLost() {} });
  console.log(server.port);
  for await (const { connId, payload } of server) server.write(connId, payload);`;

test.if(process.platform === "linux")("a server with few files serves every address", async () => {
  const limited = `ulimit -n ${FILES_MAX}; exec "$0" -e "$1"`;
  const command = ["sh", "-c", limited, process.execPath, SERVER];
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  try {
    const { value } = await child.stdout.getReader().read();
    const port = Number(new TextDecoder().decode(value));
    const all = Array.from({ length: ADDRESSES }, (_, i) => `127.2.0.${i}`);
    for (let from = 0; from < ADDRESSES; from += ASKING) {
      const asked = all.slice(from, from + ASKING);
      const answers = await Promise.all(asked.map((to) => askClassic(to, port)));
      assert(answers.every((lines) => lines.includes("1 8 aGk=")));
    }
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});
