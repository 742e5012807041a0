/** Three servers as processes, killed and stopped while clients work: the history is possible. */
import { afterEach, test } from "bun:test";
import { assert } from "@std/assert";
import { nowMs } from "../support/soak.ts";
import { killAll } from "../support/processes.ts";
import { until } from "../support/waiting.ts";
import { assertLinearizable, Cluster, Crowd } from "./cluster.ts";

afterEach(killAll);

test("any server may be killed or stopped: every answer is right", async () => {
  const cluster = await Cluster.start();
  const crowd = new Crowd(cluster, 4, 1, nowMs);
  const more = async (what: string): Promise<void> => {
    const before = crowd.answered;
    await until(`answers ${what}`, () => crowd.answered >= before + 100);
  };
  await more("of a new cluster");
  for (const node of [1, 2, 3]) {
    await cluster.restart(node);
    await more(`while node ${node} starts again`);
  }
  for (const node of [1, 2, 3]) {
    cluster.signal(node, "SIGSTOP");
    await more(`while node ${node} stands still`);
    cluster.signal(node, "SIGCONT");
  }
  await more("at last");
  await crowd.stop();
  assert(crowd.history.length >= 800, `${crowd.history.length} calls`);
  assertLinearizable(crowd.history);
});
