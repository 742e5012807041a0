/**
 * A fleet of real processes whose one server is killed in the middle of jobs, again and again, and
 * started anew on what its disk kept.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { listJobs } from "../../client/mod.ts";
import { idText } from "../../work/job_id.ts";
import { resultLine } from "../support/least.ts";
import { Script, startLastingServer, startMiner } from "../support/processes.ts";

/** A loss is noticed within about two seconds. */
const QUICK = ["--epoch-millis", "100", "--epoch-limit", "20"];
/** So many that the slowest kernel has many seconds to do. */
const UPPER = 4_000_000n;

/**
 * In each of `rounds` one client waits for its job, another one has left it and comes back, and the
 * server is killed once the work has begun. Both get the right answer.
 */
export async function crashRounds(rounds: number): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-crash-"));
  try {
    const data = ["--data", directory, ...QUICK];
    const first = await startLastingServer(...data);
    const { at } = first;
    let { server } = first;
    const [host = "", port = ""] = at.split(":");
    const miner = startMiner(at, "--kernel", "plain", ...QUICK);
    const ids: string[] = [];
    for (let round = 1; round <= rounds; round++) {
      const [waits, walks] = [`waits ${round}`, `walks ${round}`];
      const left = new Script("client.ts", [at, walks, `${UPPER}`, "--detach", ...QUICK]);
      assertEquals(await left.exit(), 0);
      const id = left.stdout.trim();
      ids.push(id);
      const client = new Script("client.ts", [at, waits, `${UPPER}`, ...QUICK]);
      await client.said(/ %  ETA /);
      server.kill("SIGKILL");
      await client.said(/waiting for it to come back/);
      server = new Script("server.ts", [port, ...data]);
      await server.said(/going on with \d job/);
      // It was slow so that there is a middle: for the rest there is another one.
      const fast = startMiner(at, "--kernel", "auto", ...QUICK);
      assertEquals([await client.exit(), client.stdout], [0, resultLine(waits, UPPER)]);
      const back = new Script("client.ts", ["wait", at, id, ...QUICK]);
      assertEquals([await back.exit(), back.stdout], [0, resultLine(walks, UPPER)]);
      fast.kill("SIGTERM");
      assertEquals(await fast.exit(), 143);
    }
    // The answer of one that its client has left is kept for others that come.
    const kept = (await listJobs({ host, port: Number(port) })).map((row) => idText(row.id));
    assertEquals(
      ids.filter((id) => !kept.includes(id)),
      [],
    );
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 143);
    miner.kill("SIGTERM");
    await miner.exit();
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
