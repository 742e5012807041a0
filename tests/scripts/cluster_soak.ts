/**
 * Two minutes of three servers as real processes: the leader is killed every few seconds, and now
 * and then a miner and a client. Every job is answered rightly. `bun run bench/failover.ts` says
 * what a lost leader costs.
 */
import { afterAll, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { attach, endJob, submit } from "../../client/mod.ts";
import { hashNonce } from "../../work/hash.ts";
import { killAll, Script, startMiner } from "../support/processes.ts";
import { nowMs, SOAK_SECONDS, tellSoak } from "../support/soak.ts";
import { resultOf, Trio } from "./cluster_rounds.ts";

afterAll(killAll);

/** How long the leader lives. */
const LEAD_MS = 5_000;
const SECONDS = Math.max(SOAK_SECONDS, 120);
/** So many that a miner of one thread has a while to do. */
const UPPER = 6_000_000n;

/** What is killed in which round, beside the leader. */
const MINER_EVERY = 3;
const CLIENT_EVERY = 2;

interface Told {
  readonly done: bigint;
}

/** Reads how a job stands until `isOver`, or until it is answered. */
async function followed(job: AsyncIterable<Told>, isOver: () => boolean): Promise<boolean> {
  let last = -1n;
  for await (const { done } of job) {
    assert(done >= last, `progress went from ${last} back to ${done}`);
    last = done;
    if (isOver()) return true;
  }
  return false;
}

test("the leader is killed every 5 s: every client gets the right answer", async () => {
  const trio = new Trio();
  const sinceMs = nowMs();
  let [kills, answered, miners, clients] = [0, 0, 0, 0];
  try {
    await trio.start();
    const servers = trio.at;
    let [mortal] = [startMiner(trio.all, "--kernel", "plain")];
    const steady = startMiner(trio.all, "--kernel", "plain");
    for (let round = 1; nowMs() - sinceMs < SECONDS * 1000; round++) {
      const message = `round ${round}`;
      const left = submit({ servers, message, lower: 0n, upper: UPPER, detached: true });
      const id = await left.id;
      await left.leave();
      const waits = new Script("client.ts", [trio.all, `${message} waits`, `${UPPER / 8n}`]);
      const job = attach({ servers, id });
      const killedAtMs = nowMs() + LEAD_MS;
      let victim: number | undefined;
      if (await followed(job, () => nowMs() >= killedAtMs)) {
        victim = await trio.leader();
        await trio.kill(victim);
        kills++;
      }
      if (round % MINER_EVERY === 0) {
        mortal.kill("SIGKILL");
        await mortal.exit();
        mortal = startMiner(trio.all, "--kernel", "plain");
        miners++;
      }
      if (round % CLIENT_EVERY === 0) {
        waits.kill("SIGKILL");
        clients++;
      }
      const { hash, nonce, met } = await job.answer;
      assertEquals([hash, met], [hashNonce(message, nonce), true]);
      // One that asks again gets the same.
      const again = await attach({ servers, id }).answer;
      assertEquals(again, { hash, nonce, met });
      const code = await waits.exit();
      const right = resultOf(`${message} waits`, UPPER / 8n);
      if (round % CLIENT_EVERY !== 0) assertEquals([code, waits.stdout], [0, right]);
      await endJob({ servers }, id, "forget");
      answered++;
      if (victim !== undefined) await trio.restart(victim);
    }
    for (const miner of [mortal, steady]) {
      miner.kill("SIGTERM");
      await miner.exit();
    }
  } finally {
    await trio.end();
  }
  assert(kills > 0 && answered > 0);
  const others = `${miners} miners and ${clients} clients`;
  tellSoak(`${kills} leaders, ${others} were killed; ${answered} jobs were answered`);
});
