/** Three servers as processes for a long time: writers, delays of 150 ms one way, and kills. */
import { afterEach, test } from "bun:test";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { killAll } from "../support/processes.ts";
import { isSoaked, nowMs, SOAK_SEED, tellSoak } from "../support/soak.ts";
import { until } from "../support/waiting.ts";
import { GeoCluster, Writer } from "./cluster.ts";

afterEach(killAll);

/** Each server is killed at least once. */
const KILLS_MIN = 3;

test("kills of three servers under 9 writers: counters add up, replicas are equal", async () => {
  const sinceMs = nowMs();
  const random = seededRandom(SOAK_SEED);
  const cluster = await GeoCluster.start(300);
  const writers = Array.from({ length: 9 }, (_, i) => new Writer(cluster.open(i % 3), `${i}`));
  let kills = 0;
  while (!isSoaked(sinceMs) || kills < KILLS_MIN) {
    const untilMs = nowMs() + integerBetween(random, 2000, 8000);
    await until("the next kill", () => nowMs() >= untilMs);
    await cluster.restart(kills++ % 3);
  }
  for (const writer of writers) await writer.stop();
  await cluster.settled();
  for (const server of cluster.addresses.keys()) {
    await using store = cluster.open(server);
    for (const writer of writers) await writer.check(store);
  }
  const sum = (pick: (writer: Writer) => number): number =>
    writers.reduce((total, writer) => total + pick(writer), 0);
  const adds = sum(({ added }) => added);
  const unknown = sum((writer) => writer.unknown);
  tellSoak(`geo: ${adds} adds of 9 writers, ${unknown} unknown, through ${kills} kills`);
});
