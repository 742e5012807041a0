/**
 * Two minutes of three servers as real processes: the leader is killed every five seconds, and
 * started again two seconds later; now and then a miner is killed, and a client, whose job somebody
 * else comes back for. Meanwhile there is always work. Every job is answered rightly.
 */
import { afterAll, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { median } from "../../bench/median.ts";
import { attach, endJob, type JobAnswer, listJobs, submit } from "../../client/mod.ts";
import { kernelNamed } from "../../miner/kernel_choice.ts";
import { idText } from "../../work/job_id.ts";
import { killAll, Script } from "../support/processes.ts";
import { nowMs, paced, SOAK_SECONDS, tellSoak } from "../support/soak.ts";
import { Trio } from "./cluster_rounds.ts";

afterAll(killAll);

/** From one kill of a leader to the next. */
const KILL_MS = 5_000;
/** How long a killed server is down. */
const DOWN_MS = 2_000;
const SECONDS = Math.max(SOAK_SECONDS, 120);
/** So many that two miners of one thread each have some seconds to do. */
const UPPER = 6_000_000n;
const CLERKS_UPPER = UPPER / 8n;
/** Every so many kills of a leader a miner is killed. */
const MINER_EVERY = 3;
/** Of so many clients that are processes one is killed, and one is of the json wire. */
const CLERK_EVERY = 3;

/** A job that was answered, and what with. */
interface Done {
  readonly message: string;
  readonly upper: bigint;
  readonly answer: Pick<JobAnswer, "hash" | "nonce">;
}

/** What a killed leader cost. */
interface Loss {
  /** Until a client that comes at that moment has a job accepted. */
  readonly acceptedMs: number;
  /** Until one that waits hears of its job again; undefined: none waited, or its job was done. */
  readonly heardMs: number | undefined;
}

/** The two minutes. */
class Soak {
  readonly trio = new Trio();
  readonly losses: Loss[] = [];
  readonly done: Done[] = [];
  /** Milliseconds from one kill to the next. */
  readonly gaps: number[] = [];
  miners = 0;
  clerks = 0;
  /** Classic clients that kept their server while others were killed; that lost it. */
  readonly classics: { kept: number; lost: number } = { kept: 0, lost: 0 };
  searched = 0n;
  /** The server that was killed last, and what to do when one that waits hears from another. */
  #lost: { readonly at: string; readonly heard: (isNews: boolean) => void } | undefined;
  /** Whether somebody follows a job. */
  #isFollowing = false;
  #fleet: Script[] = [];
  #endMs = 0;
  /** A leader may still be killed. */
  #isKilling = true;

  get servers(): string[] {
    return this.trio.at;
  }

  get #isOver(): boolean {
    return nowMs() >= this.#endMs;
  }

  async run(): Promise<void> {
    await this.trio.start();
    this.#fleet = [this.#startMiner(), this.#startMiner()];
    this.#endMs = nowMs() + SECONDS * 1000;
    await Promise.all([this.#kill(), this.#work(), this.#employ()]);
    for (const miner of this.#fleet) await this.#end(miner);
  }

  /** Kills a leader every five seconds. */
  async #kill(): Promise<void> {
    let [dueMs, killedMs] = [nowMs() + KILL_MS, 0];
    for (let round = 1; ; round++) {
      await paced(dueMs);
      if (this.#isOver) break;
      dueMs = Math.max(dueMs, nowMs()) + KILL_MS;
      const victim = await this.trio.leader();
      const heard = Promise.withResolvers<number | undefined>();
      const dead = this.trio.kill(victim);
      const nextMs = nowMs();
      if (round > 1) this.gaps.push(nextMs - killedMs);
      killedMs = nextMs;
      const at = this.servers[victim]!;
      if (!this.#isFollowing) heard.resolve(undefined);
      this.#lost = { at, heard: (isNews) => heard.resolve(isNews ? nowMs() - nextMs : undefined) };
      const acceptedMs = await this.#probe(round);
      const heardMs = await heard.promise;
      this.losses.push({ acceptedMs, heardMs });
      if (round % MINER_EVERY === 0) await this.#replaceMiner();
      await dead;
      await paced(killedMs + DOWN_MS);
      await this.trio.restart(victim);
    }
    this.#isKilling = false;
  }

  /** Milliseconds until a client that comes now has a job accepted. */
  async #probe(round: number): Promise<number> {
    const { servers } = this;
    const message = `probe ${round}`;
    const sinceMs = nowMs();
    const job = submit({ servers, message, lower: 0n, upper: 0n, detached: true });
    const id = await job.id;
    const tookMs = nowMs() - sinceMs;
    this.done.push({ message, upper: 0n, answer: await job.answer });
    await endJob({ servers }, id, "forget");
    return tookMs;
  }

  /** One job after the other, each left by the client that submits it, and followed by another. */
  async #work(): Promise<void> {
    const { servers } = this;
    for (let i = 1; this.#isKilling === true; i++) {
      const message = `job ${i}`;
      const left = submit({ servers, message, lower: 0n, upper: UPPER, detached: true });
      const id = await left.id;
      await left.leave();
      const job = attach({ servers, id });
      let last = -1n;
      for await (const { done } of job) {
        assert(done >= last, `progress went from ${last} back to ${done}`);
        last = done;
        this.#isFollowing = true;
        if (job.server !== this.#lost?.at) this.#heard(true);
      }
      this.#isFollowing = false;
      this.#heard(false);
      const answer = await job.answer;
      this.done.push({ message, upper: UPPER, answer });
      // One that asks again gets the same.
      assertEquals(await attach({ servers, id }).answer, answer);
      await endJob({ servers }, id, "forget");
    }
  }

  #heard(isNews: boolean): void {
    this.#lost?.heard(isNews);
    this.#lost = undefined;
  }

  /** One client after the other that is a process; some are killed when their jobs are at work. */
  async #employ(): Promise<void> {
    for (let i = 1; !this.#isOver; i++) {
      const message = `clerk ${i}`;
      if (i % CLERK_EVERY === 1) {
        await this.#employClassic(message);
        continue;
      }
      const isMortal = i % CLERK_EVERY === 0;
      // A mortal one has much to do, so that it is killed in the midst of it.
      const upper = isMortal ? UPPER : CLERKS_UPPER;
      const clerk = new Script("client.ts", [this.trio.all, message, `${upper}`]);
      if (!isMortal) {
        assertEquals(await clerk.exit(), 0, clerk.stderr);
        this.done.push({ message, upper, answer: answerIn(clerk.stdout) });
        continue;
      }
      await clerk.said(/ %  ETA /);
      clerk.kill("SIGKILL");
      this.clerks++;
      await clerk.exit();
      const id = await this.#idOf(message);
      assert(id !== undefined, `nobody knows the job of the client that was killed: ${message}`);
      await this.#inherit(message, upper, id);
    }
  }

  /** One of the json wire, which knows a server that does not lead, loses that alone. */
  async #employClassic(message: string): Promise<void> {
    const at = ((await this.trio.leader()) + 1) % this.servers.length;
    const [server, upper] = [this.trio.servers[at]!, CLERKS_UPPER];
    const before = this.losses.length;
    const args = [this.servers[at]!, message, `${upper}`, "--wire", "json"];
    const clerk = new Script("client.ts", args);
    if ((await clerk.exit()) === 0) {
      if (this.losses.length > before) this.classics.kept++;
      this.done.push({ message, upper, answer: answerIn(clerk.stdout) });
      return;
    }
    assertEquals([clerk.stdout, server.process.signalCode], ["Disconnected\n", "SIGKILL"]);
    this.classics.lost++;
    const id = await this.#idOf(message);
    if (id !== undefined) await this.#inherit(message, upper, id);
  }

  /** The job of that message, if there is one. */
  async #idOf(message: string): Promise<string | undefined> {
    const { servers } = this;
    const row = (await listJobs({ servers })).find(({ shown }) => shown === message);
    return row && idText(row.id);
  }

  /** Waits for the job of a client that is gone. */
  async #inherit(message: string, upper: bigint, id: string): Promise<void> {
    const { servers } = this;
    this.done.push({ message, upper, answer: await attach({ servers, id }).answer });
    await endJob({ servers }, id, "forget");
  }

  #startMiner(): Script {
    return new Script("tests/scripts/counting_miner.ts", [this.trio.all]);
  }

  async #replaceMiner(): Promise<void> {
    this.miners++;
    await this.#end(this.#fleet.shift()!);
    this.#fleet.push(this.#startMiner());
  }

  async #end(miner: Script): Promise<void> {
    miner.kill("SIGKILL");
    await miner.exit();
    this.searched += BigInt(miner.stdout.trim().split("\n").at(-1) || "0");
  }
}

/** What a client has printed. */
function answerIn(stdout: string): Done["answer"] {
  const [, hash, nonce] = /^Result (\d+) (\d+)\n$/.exec(stdout)!;
  return { hash: BigInt(hash!), nonce: BigInt(nonce!) };
}

/** Searches every job once more, in one go. */
function check(done: readonly Done[]): void {
  for (const { message, upper, answer } of done) {
    const { hash, nonce } = kernelNamed("auto")!.bind(Buffer.from(message)).search(0n, upper);
    assertEquals({ hash: answer.hash, nonce: answer.nonce }, { hash, nonce }, message);
  }
}

function told(name: string, all: readonly number[]): string {
  const sorted = all.toSorted((a, b) => a - b).map(Math.round);
  const p99 = sorted[Math.ceil(0.99 * sorted.length) - 1];
  return `${name}: p50 ${median(sorted)}, p99 and longest ${p99} ms`;
}

test("the leader is killed every 5 s: every client gets the right answer", async () => {
  const soak = new Soak();
  const sinceMs = nowMs();
  try {
    await soak.run();
  } finally {
    await soak.trio.end();
  }
  const seconds = (nowMs() - sinceMs) / 1000;
  const { losses, done, miners, clerks, classics, searched, gaps } = soak;
  check(done);
  const wanted = done.reduce((sum, { upper }) => sum + upper + 1n, 0n);
  const again = Number(searched - wanted);
  const perKill = (again * seconds) / Number(searched) / losses.length;
  const others = `${miners} miners and ${clerks} clients were killed`;
  tellSoak(`${losses.length} leaders, ${others} in ${seconds.toFixed(0)} s`);
  tellSoak(told("from kill to kill", gaps));
  tellSoak(`of classic clients ${classics.lost} lost their server, ${classics.kept} another one`);
  tellSoak(`${done.length} jobs were answered rightly, of ${wanted} nonces`);
  const accepted = losses.map(({ acceptedMs }) => acceptedMs);
  const heard = losses.flatMap(({ heardMs }) => (heardMs === undefined ? [] : [heardMs]));
  tellSoak(told("a new job is accepted", accepted));
  tellSoak(told("one that waits hears again", heard));
  tellSoak(`searched twice: ${again} nonces, ${perKill.toFixed(2)} s of the fleet a kill`);
});
