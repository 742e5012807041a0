/** Servers as processes, killed, stopped, added and removed while clients work: all is right. */
import { afterAll } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { leftovers } from "../support/leftovers.ts";
import { nowMs } from "../support/soak.ts";
import { killAll, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { eventually } from "../support/waiting.ts";
import { assertLinearizable, Cluster, Crowd, openImpatient } from "./cluster.ts";

afterAll(killAll);

const test = sideBySide();

test("any server may be killed or stopped: every answer is right", async () => {
  const cluster = await Cluster.start();
  const crowd = new Crowd(cluster, 4, 1, nowMs);
  await crowd.more("of a new cluster");
  for (const node of [1, 2, 3]) {
    await cluster.restart(node);
    await crowd.more(`while node ${node} starts again`);
  }
  for (const node of [1, 2, 3]) {
    cluster.signal(node, "SIGSTOP");
    await crowd.more(`while node ${node} stands still`);
    cluster.signal(node, "SIGCONT");
  }
  await crowd.more("at last");
  await crowd.stop();
  assert(crowd.history.length >= 800, `${crowd.history.length} calls`);
  assertLinearizable(crowd.history);
});

interface Server {
  readonly script: Script;
  readonly at: string;
}

test("one server grows to three, and back to one of the new, and never stops serving", async () => {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-kv-growing-"));
  leftovers.add(directory);
  const serve = async (node: number, ...args: string[]): Promise<Server> => {
    const data = join(directory, String(node));
    const named = ["--node", String(node), "--data", data];
    const script = new Script("kv.ts", ["serve", "0", ...named, ...args]);
    const [, at] = await script.said(/^listening on (127\.0\.0\.1:\d+)\n/, "stdout");
    return { script, at: at! };
  };
  const first = await serve(1);
  const early = new Crowd({ open: () => openImpatient([first.at]) }, 2, 1, nowMs);
  await early.more("of one server", 40);
  const others = await Promise.all([2, 3].map((node) => serve(node, "--join", first.at)));
  const servers = [first, ...others].map(({ at }) => at);
  await using admin = openImpatient(servers);
  const votersAre = async (voters: readonly number[]): Promise<void> => {
    let seen: readonly number[] = [];
    let isAsking = false;
    const ask = async (): Promise<void> => {
      isAsking = true;
      const status = await admin.status().catch(() => undefined);
      isAsking = false;
      if (status === undefined) return;
      seen = (status as { members: { voters: number[] } }).members.voters.toSorted();
    };
    // Not asked without a pause: the processor is for those who are to become voters.
    await eventually(`voters ${voters.join()}`, () => {
      if (!isAsking) void ask();
      return seen.join() === voters.join();
    });
  };
  const remove = async (node: number): Promise<void> => {
    for (;;) {
      const outcome = await admin.manage("remove", node).then(
        () => "",
        (error: Error) => error.message,
      );
      // Where the lead changes meanwhile, as on a busy machine, nobody knows: it is asked again.
      if (outcome === "" || outcome.startsWith(`node ${node} is no member`)) return;
      assertMatch(outcome, /^the lead was lost meanwhile|try again/);
    }
  };
  await votersAre([1, 2, 3]);
  await early.more("of three servers", 40);
  await early.stop();
  const late = new Crowd({ open: () => openImpatient(servers) }, 2, 2, nowMs, 2);
  await late.more("to those who know all servers", 40);
  await remove(2);
  others[0]!.script.kill("SIGKILL");
  await late.more("of two servers", 40);
  // The one that began it all, and leads most likely.
  await remove(1);
  await late.more("of the last", 40);
  first.script.kill("SIGKILL");
  await late.more("of the last, alone", 40);
  await late.stop();
  await using only = openImpatient([servers[2]!]);
  const { members, role } = (await only.status()) as { members: object; role: string };
  assertEquals([members, role], [{ voters: [3], outgoing: [], learners: [] }, "leader"]);
  assertLinearizable([...early.history, ...late.history]);
});
