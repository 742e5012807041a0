/** Our programs against a stranger's classic server, miner and client, in every combination. */
import { afterAll, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readText, writeText } from "../../sim/fleet/stranger_text.ts";
import { strangerChecksum } from "../../sim/lsp/stranger.ts";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { dialClassic, endStrangers, listenClassic } from "../support/stranger.ts";

const DATA = 'strange "<&>" é';

afterAll(async () => {
  endStrangers();
  await killAll();
});

/** The stranger's own slow search. */
function searchSlowly(data: string, lower: bigint, upper: bigint): { hash: bigint; nonce: bigint } {
  let best: { hash: bigint; nonce: bigint } | undefined;
  for (let nonce = lower; nonce <= upper; nonce++) {
    const hash = createHash("sha256").update(`${data} ${nonce}`).digest().readBigUInt64BE(0);
    if (best === undefined || hash < best.hash) best = { hash, nonce };
  }
  return best!;
}

/** A stranger's miner: does what it is asked, for ever. */
async function mineClassic(port: number): Promise<{ requests: number }> {
  const line = await dialClassic(port);
  const miner = { requests: 0 };
  line.write(writeText({ type: 0 }));
  void (async () => {
    for (;;) {
      const { data, lower, upper } = readText(await line.read());
      miner.requests++;
      line.write(writeText({ type: 2, ...searchSlowly(data, lower, upper) }));
    }
  })();
  return miner;
}

test("the stranger computes the checksums of docs/lsp.md, section 8", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(strangerChecksum(1, 1, bytes(""))).toBe(65533);
  expect(strangerChecksum(1, 131071, bytes("abc"))).toBe(40247);
  expect(strangerChecksum(70000, 2 ** 31, new Uint8Array(4).fill(255))).toBe(28298);
});

const beside = sideBySide();

beside("our server serves a stranger's miner and client, and ours beside them", async () => {
  const { at } = await startServer("--quiet");
  const port = Number(at.split(":")[1]);
  const miner = await mineClassic(port);
  const client = await dialClassic(port);
  client.write(writeText({ type: 1, data: DATA, upper: 150_000n }));
  const { hash, nonce } = searchSlowly(DATA, 0n, 150_000n);
  expect(await client.read()).toBe(writeText({ type: 2, hash, nonce }));
  expect(miner.requests).toBeGreaterThan(1);
  const ours = new Script("client.ts", [at, DATA, "150000", "--quiet"]);
  expect([await ours.exit(), ours.stdout]).toEqual([0, `Result ${hash} ${nonce}\n`]);
});

beside(
  "our server and our miner serve a stranger's client to the last nonce there is",
  async () => {
    const { at } = await startServer("--quiet");
    await using _ = startMiner(at);
    const client = await dialClassic(Number(at.split(":")[1]));
    const [lower, upper] = [2n ** 64n - 100n, 2n ** 64n - 1n];
    client.write(writeText({ type: 1, data: DATA, lower, upper }));
    const top = searchSlowly(DATA, lower, upper);
    expect(await client.read()).toBe(writeText({ type: 2, ...top }));
  },
);

beside("our miner and our client work with a stranger's server", async () => {
  let tellMiner: ((request: string) => Promise<string>) | undefined;
  const joined = Promise.withResolvers<void>();
  const port = await listenClassic((line) => {
    void (async () => {
      const first = await line.read();
      if (readText(first).type === 0) {
        tellMiner = (request) => (line.write(request), line.read());
        return joined.resolve();
      }
      await joined.promise;
      line.write(await tellMiner!(first));
    })();
  });
  const at = `127.0.0.1:${port}`;
  const client = new Script("client.ts", [at, DATA, "99999", "--wire", "json"]);
  const miner = startMiner(at, "--wire", "json");
  const { hash, nonce } = searchSlowly(DATA, 0n, 99_999n);
  expect([await client.exit(), client.stdout]).toEqual([0, `Result ${hash} ${nonce}\n`]);
  miner.kill("SIGINT");
  expect(await miner.exit()).toBe(130);
});
