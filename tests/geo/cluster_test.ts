/** Three servers as processes, each killed once while clients write: all is there, everywhere. */
import { afterEach, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { killAll } from "../support/processes.ts";
import { until } from "../support/waiting.ts";
import { GeoCluster, Writer } from "./cluster.ts";

afterEach(killAll);

test("any server may be killed: counters add up, and all replicas are equal", async () => {
  const cluster = await GeoCluster.start(20);
  const writers = cluster.addresses.map((_, i) => new Writer(cluster.open(i), `${i}`));
  const more = async (what: string): Promise<void> => {
    const before = writers.map(({ added }) => added);
    await until(`adds ${what}`, () => writers.every(({ added }, i) => added >= before[i]! + 10));
  };
  await more("at new servers");
  for (const server of cluster.addresses.keys()) {
    await cluster.restart(server);
    await more(`when server ${server} is back`);
  }
  for (const writer of writers) await writer.stop();
  await cluster.settled();
  const counts: number[][] = [];
  for (const server of cluster.addresses.keys()) {
    await using store = cluster.open(server);
    for (const writer of writers) await writer.check(store);
    counts.push(await Promise.all(writers.map(({ name }) => store.count(`count/${name}`))));
  }
  assertEquals(counts[1], counts[0]);
  assertEquals(counts[2], counts[0]);
});
