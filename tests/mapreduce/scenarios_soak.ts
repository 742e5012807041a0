/**
 * Ten million keys, a line of 100 MB and one key with twenty million values, on two miners, in
 * bounded memory: `bun run soak mapreduce`.
 */
import { afterAll, beforeAll, test } from "bun:test";
import { assert } from "@std/assert";
import { killAll, type Script, startMiner, startServer } from "../support/processes.ts";
import { tellSoak } from "../support/soak.ts";
import { Desk } from "./jobs.ts";
import { FULL, hugeKey, longLine, manyKeys, peakMib, WORKER_MIB_MAX } from "./scenarios.ts";

const desk = new Desk();
let at = "";
let miners: Script[] = [];

beforeAll(async () => {
  const started = await startServer();
  ({ at } = started);
  const names = ["one", "two"];
  miners = names.map((name) => startMiner(at, "--name", name, "--kernel", "plain"));
  await Promise.all(names.map((name) => started.server.said(new RegExp(`\\(${name}\\) hashes`))));
});
afterAll(async () => {
  await killAll();
  desk.remove();
});

for (const [name, check] of Object.entries({ manyKeys, longLine, hugeKey })) {
  test(`${name}: right, in ${WORKER_MIB_MAX} MiB of a worker`, async () => {
    await check(at, desk, FULL);
    const peaks = miners.map((miner) => Math.round(peakMib(miner) ?? 0));
    tellSoak(`mapreduce ${name}: ${peaks.join(" and ")} MiB at most`);
    assert(
      peaks.every((peak) => peak <= WORKER_MIB_MAX),
      `a miner had ${peaks.join(" and ")} MiB`,
    );
  });
}
