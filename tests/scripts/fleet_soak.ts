/** A fleet of real processes whose miners and clients come, are killed, stopped and replaced. */
import { afterAll, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { integerBetween, type Random, seededRandom } from "../../base/random.ts";
import { kernelNamed } from "../../miner/kernel_choice.ts";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";
import { isSoaked, nowMs, SOAK_SEED, SOAK_SEEDS, tellSoak } from "../support/soak.ts";

/** A loss is noticed within about two seconds. */
const QUICK = ["--epoch-millis", "100", "--epoch-limit", "20"];
const MINERS = 3;
const CLIENTS = 2;
const NONCES_MAX = 3_000_000;

afterAll(killAll);

/** The miners, one of which now and then meets its fate. */
class Miners {
  readonly #at: string;
  readonly #random: Random;
  readonly #all: Script[] = [];
  fates = 0;

  constructor(at: string, random: Random) {
    this.#at = at;
    this.#random = random;
    for (let i = 0; i < MINERS; i++) this.#all.push(this.#start());
  }

  /** Something happens to one of them; if that was its end, another one takes its seat. */
  async strike(): Promise<void> {
    this.fates++;
    const seat = integerBetween(this.#random, 0, MINERS - 1);
    const victim = this.#all[seat]!;
    const fate = integerBetween(this.#random, 0, 3);
    if (fate === 0) {
      // As if its machine slept, for as long as another one needs to come and join.
      victim.kill("SIGSTOP");
      const other = this.#start();
      await other.said(/connected/);
      victim.kill("SIGCONT");
      other.kill("SIGTERM");
      return void (await other.exit());
    }
    victim.kill(fate === 1 ? "SIGTERM" : "SIGKILL");
    await victim.exit();
    this.#all[seat] = this.#start();
  }

  async end(): Promise<void> {
    for (const miner of this.#all) {
      miner.kill("SIGTERM");
      assertEquals(await miner.exit(), 143);
    }
  }

  #start(): Script {
    const kernels = ["auto", "auto", "wasm", "plain"];
    const kernel = kernels[integerBetween(this.#random, 0, kernels.length - 1)]!;
    return startMiner(this.#at, "--kernel", kernel, ...QUICK);
  }
}

test("whatever happens to miners and clients, every answer is right", async () => {
  const { server, at } = await startServer(...QUICK);
  const random = seededRandom(SOAK_SEED);
  const miners = new Miners(at, random);
  const sinceMs = nowMs();
  const counts = { jobs: 0, cancelled: 0 };
  const isOver = (): boolean => isSoaked(sinceMs) || counts.jobs >= SOAK_SEEDS;
  const ask = async (): Promise<void> => {
    while (!isOver()) {
      const message = `soak ${SOAK_SEED} ${++counts.jobs}`;
      const lower = BigInt(random());
      const upper = lower + BigInt(integerBetween(random, 0, NONCES_MAX));
      const args = [at, message, `${upper}`, "--lower", `${lower}`, ...QUICK];
      const client = new Script("client.ts", args);
      if (integerBetween(random, 0, 4) === 0) {
        await client.said(/connected/);
        client.kill("SIGKILL");
        await client.exit();
        counts.cancelled++;
        continue;
      }
      assertEquals(await client.exit(), 0, `${message}: ${client.stderr}`);
      const { hash, nonce } = kernelNamed("bun")!.bind(Buffer.from(message)).search(lower, upper);
      assertEquals(client.stdout, `Result ${hash} ${nonce}\n`, message);
    }
  };
  const strike = async (): Promise<void> => {
    while (!isOver()) await miners.strike();
  };
  await Promise.all([strike(), ...Array.from({ length: CLIENTS }, ask)]);
  await miners.end();
  server.kill("SIGINT");
  assertEquals(await server.exit(), 130, server.stderr);
  const { jobs, cancelled } = counts;
  tellSoak(
    `scripts: ${jobs} jobs, ${cancelled} of them left by a kill, ${miners.fates} fates of miners, ` +
      `from seed ${SOAK_SEED} on`,
  );
});
