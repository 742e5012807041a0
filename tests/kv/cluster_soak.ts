/** Three servers as processes for a long time: 16 clients, and a fault every second or so. */
import { afterEach, test } from "bun:test";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { killAll } from "../support/processes.ts";
import { isSoaked, nowMs, SOAK_SEED, tellSoak } from "../support/soak.ts";
import { until } from "../support/waiting.ts";
import { assertLinearizable, Cluster, Crowd } from "./cluster.ts";

afterEach(killAll);

/** A history of this many calls is checked, and another begun. */
const CALLS_MAX = 20_000;

test("kills and stops of three servers under 16 clients: every answer is right", async () => {
  const sinceMs = nowMs();
  const random = seededRandom(SOAK_SEED);
  let faults = 0;
  let calls = 0;
  let unknown = 0;
  while (!isSoaked(sinceMs)) {
    const cluster = await Cluster.start();
    const crowd = new Crowd(cluster, 16, SOAK_SEED + faults, nowMs);
    while (!isSoaked(sinceMs) && crowd.history.length < CALLS_MAX) {
      const node = integerBetween(random, 1, 3);
      const untilMs = nowMs() + integerBetween(random, 100, 2000);
      const isStop = integerBetween(random, 0, 1) === 0;
      if (isStop) cluster.signal(node, "SIGSTOP");
      else await cluster.restart(node);
      await until("the end of a fault", () => nowMs() >= untilMs);
      if (isStop) cluster.signal(node, "SIGCONT");
      const before = crowd.answered;
      await until("answers after a fault", () => crowd.answered > before);
      faults++;
    }
    await crowd.stop();
    calls += crowd.history.length;
    unknown += crowd.unknown;
    assertLinearizable(crowd.history);
    await killAll();
  }
  tellSoak(`kv: ${calls} calls of 16 clients, ${unknown} unknown, through ${faults} faults`);
});
