/** What is told to clients only once it is kept, and a server that goes on with its table. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isRelayedSession, relayedSession } from "../../server/askers.ts";
import type { ServerLimits } from "../../server/limits.ts";
import { decodeCommand } from "../../server/operations.ts";
import { RELAY_PATIENCE_MS } from "../../server/relay.ts";
import { TableMachine } from "../../server/table_machine.ts";
import { idText } from "../../work/job_id.ts";
import { expectSoundBooks } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";

const work = { subject: "500000", lower: 0n, upper: 999_999n };
const SUBMIT = { kind: "submit", job: 1, session: 77n, work } as const;

/** When virtual fleets begin: some day of 2026. */
const BEGAN_MS = 1_790_000_000_000;
const DAY_MS = 24 * 3_600_000;

/** A fleet on a log that commits when it is told to. */
class KeptFleet extends VirtualFleet {
  readonly machine: TableMachine;
  /** Commands that are committed, in order. */
  readonly commands: Uint8Array[];
  /** Proposals that wait. */
  readonly waiting: { readonly id: number; readonly command: Uint8Array }[] = [];
  /** Whether the disk takes what is proposed; a reason: it does not. */
  disk: "works" | "waits" | string = "works";
  /** Whether what the disk does not take may be in the log all the same. */
  isInDoubt = false;
  readonly #late: Uint8Array[] = [];

  constructor(commands: Uint8Array[] = [], limits: Partial<ServerLimits> = {}) {
    const machine = new TableMachine();
    for (const command of commands) machine.apply(command);
    const unixMs = (nowMs: number): number => BEGAN_MS + nowMs;
    super({ table: machine, limits: { orphanMs: 10_000, ...limits }, unixMs });
    this.machine = machine;
    this.commands = commands;
    this.onPropose = (proposal) => {
      this.waiting.push(proposal);
      if (this.disk !== "waits") this.at(this.nowMs + 1, () => this.settle());
    };
    this.feed({ kind: "lead" });
  }

  /** Commits what waits, or says why not. */
  settle(): void {
    for (const { id, command } of this.waiting.splice(0)) {
      if (this.disk !== "works" && this.disk !== "waits") {
        this.feed({ kind: "decided", id, refusal: { reason: this.disk, isSure: !this.isInDoubt } });
        if (this.isInDoubt) this.#late.push(command);
        continue;
      }
      this.commands.push(command);
      this.machine.apply(command);
      this.feed({ kind: "decided", id });
    }
  }

  /** What was in doubt turns out to be in the log. */
  commitLate(): void {
    for (const command of this.#late.splice(0)) {
      this.commands.push(command);
      this.machine.apply(command);
    }
  }

  /** Kinds of the operations that are committed. */
  get kinds(): string[] {
    return this.commands.flatMap((command) => {
      const read = decodeCommand(command);
      assert(typeof read !== "string");
      return read.operations.map(({ kind }) => kind);
    });
  }
}

describe("a server whose table is kept", () => {
  test("says accepted, and begins, only when the job is committed", () => {
    const fleet = new KeptFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    fleet.disk = "waits";
    client.say(SUBMIT);
    fleet.run(100);
    // The same again changes nothing while it waits.
    client.say(SUBMIT);
    fleet.run(100);
    assertEquals([client.accepted, fleet.core.snapshot().jobs], [[], []]);
    assertEquals(fleet.waiting.length, 1);
    fleet.settle();
    fleet.run(50);
    assertEquals([client.accepted.length, client.accepted[0]!.durable], [1, true]);
    assertEquals(fleet.core.snapshot().jobs.length, 1);
  });

  test("tells nobody an answer that is not committed", () => {
    const fleet = new KeptFleet();
    fleet.miner({ rate: 1e7 });
    const client = fleet.client();
    client.say(SUBMIT);
    assert(fleet.run(5_000, () => client.accepted.length > 0));
    fleet.disk = "waits";
    assert(fleet.run(20_000, () => fleet.core.snapshot().jobs.length === 0));
    fleet.run(1_000);
    assertEquals(client.answers.size, 0);
    fleet.settle();
    fleet.run(50);
    assertEquals(client.answer().best, { hash: 0n, nonce: 500_000n });
    assertEquals(fleet.kinds.at(-1), "answer");
  });

  test("with a full disk refuses new jobs, goes on with the others, holds answers back", () => {
    const fleet = new KeptFleet();
    fleet.miner({ rate: 1e6 });
    const client = fleet.client();
    client.say(SUBMIT);
    assert(fleet.run(5_000, () => client.accepted.length > 0));
    fleet.disk = "the disk of this node is full";
    client.say({ ...SUBMIT, job: 2 });
    assert(fleet.run(5_000, () => client.refusals.length > 0));
    const reason = "the server cannot keep new jobs now: the disk of this node is full";
    assertEquals(client.refusals, [{ kind: "refused", job: 2, reason }]);
    assert(fleet.run(20_000, () => fleet.core.snapshot().jobs.length === 0));
    fleet.run(3_000);
    assertEquals(client.answers.size, 0);
    fleet.disk = "works";
    assert(fleet.run(2_000, () => client.answers.size > 0));
    client.say({ ...SUBMIT, job: 2 });
    assert(fleet.run(20_000, () => client.answers.size > 1));
  });

  test("does not go on with a job that was cancelled while the disk was full", () => {
    const fleet = new KeptFleet();
    const client = fleet.client();
    client.say(SUBMIT);
    assert(fleet.run(5_000, () => client.accepted.length > 0));
    fleet.disk = "full";
    client.say({ kind: "cancel", job: 1 });
    fleet.run(100);
    fleet.disk = "works";
    fleet.feed({ kind: "lead" });
    fleet.run(2_000);
    assertEquals([fleet.core.snapshot().jobs, fleet.machine.table.size], [[], 0]);
  });
});

describe("a job that was refused although its submit may be in the log", () => {
  /** A fleet on a disk that was full; job 2 was in doubt, then refused. */
  function refused(): { fleet: KeptFleet; client: ReturnType<KeptFleet["client"]> } {
    const fleet = new KeptFleet();
    const client = fleet.client();
    fleet.disk = "full";
    fleet.isInDoubt = true;
    client.say({ ...SUBMIT, job: 2 });
    fleet.run(100);
    fleet.isInDoubt = false;
    assert(fleet.run(2_000, () => client.refusals.length > 0));
    return { fleet, client };
  }

  test("is not done", () => {
    const { fleet, client } = refused();
    fleet.disk = "works";
    fleet.commitLate();
    fleet.feed({ kind: "lead" });
    fleet.run(2_000);
    assertEquals([fleet.core.snapshot().jobs, fleet.machine.table.size], [[], 0]);
    assertEquals(client.accepted, []);
  });

  test("is done when it is submitted again before it was forgotten", () => {
    const { fleet, client } = refused();
    fleet.miner({ rate: 1e7 });
    fleet.disk = "works";
    fleet.commitLate();
    client.say({ ...SUBMIT, job: 2 });
    assert(fleet.run(20_000, () => client.answers.size > 0));
    fleet.run(1_000);
    assertEquals([client.accepted.length, fleet.machine.table.answers], [1, 1]);
  });
});

describe("an answer", () => {
  /** A server that has answered a detached job, whose client was told so and has left. */
  function answered(): { fleet: KeptFleet; id: number } {
    const fleet = new KeptFleet();
    const miner = fleet.miner({ rate: 1e7 });
    const client = fleet.client();
    client.say({ ...SUBMIT, detached: true });
    assert(fleet.run(5_000, () => client.answers.size > 0));
    const { id } = client.accepted[0]!;
    fleet.drop(client.connId);
    fleet.drop(miner.connId);
    fleet.run(100);
    return { fleet, id };
  }

  test("that nobody fetches is kept for thirty days, and no minute longer", () => {
    const { fleet, id } = answered();
    fleet.run(30 * DAY_MS - 10_000);
    const asker = fleet.client();
    asker.say({ kind: "attach", job: 1, session: 5n, id });
    fleet.run(100);
    assertEquals(asker.answer(1).best, { hash: 0n, nonce: 500_000n });
    fleet.run(70_000);
    assertEquals([fleet.machine.table.answers, fleet.kinds.at(-1)], [0, "expire"]);
    asker.say({ kind: "attach", job: 2, session: 5n, id });
    fleet.run(100);
    assertEquals(asker.refusals.length, 1);
  });

  test("takes the place of a job: above so many in all, new jobs are refused", () => {
    const fleet = new KeptFleet([], { maxAnswers: 2 });
    const miner = fleet.miner({ rate: 1e7 });
    const client = fleet.client();
    client.say({ ...SUBMIT, detached: true });
    assert(fleet.run(5_000, () => client.answers.size > 0));
    fleet.drop(miner.connId);
    client.say({ ...SUBMIT, job: 2 });
    client.say({ ...SUBMIT, job: 3 });
    fleet.run(100);
    const limit = "the server has reached its limit of 2 jobs and answers kept";
    const reason = `${limit}: forget some answers`;
    assertEquals(client.refusals, [{ kind: "refused", job: 3, reason }]);
    // The same again is no new job.
    client.say({ ...SUBMIT, job: 2 });
    client.say({ kind: "end", job: 9, id: client.accepted[0]!.id, what: "forget" });
    fleet.run(100);
    client.say({ ...SUBMIT, job: 3 });
    fleet.run(100);
    assertEquals(client.refusals.length, 1);
    assertEquals(fleet.core.snapshot().jobs.length, 2);
  });

  test("that was fetched is kept for a day, although nobody speaks to the server", () => {
    const { fleet, id } = answered();
    fleet.run(5 * DAY_MS);
    const asker = fleet.client();
    asker.say({ kind: "attach", job: 1, session: 5n, id });
    fleet.run(100);
    asker.say({ kind: "fetched", job: 1 });
    fleet.run(100);
    fleet.drop(asker.connId);
    fleet.run(DAY_MS - 10_000);
    assertEquals(fleet.machine.table.answers, 1);
    fleet.run(70_000);
    assertEquals(fleet.machine.table.answers, 0);
  });
});

describe("a server that was killed", () => {
  test("goes on where its table ends, and its client gets the answer under the same id", () => {
    const first = new KeptFleet();
    const before = first.miner({ rate: 200_000, declared: 200_000 });
    const client = first.client();
    client.say(SUBMIT);
    first.run(2_500);
    assertEquals(client.answers.size, 0);
    const { id } = client.accepted[0]!;

    const second = new KeptFleet(first.commands);
    const after = second.miner({ rate: 200_000, declared: 200_000 });
    const again = second.client();
    again.say(SUBMIT);
    second.afterInput = () => expectSoundBooks(second);
    assert(second.run(30_000, () => again.answers.size > 0));
    assertEquals(again.accepted[0]!.id, id);
    assertEquals(again.answer().best, { hash: 0n, nonce: 500_000n });
    // Again is done what was reported since the last batch, and what was under way: a second each.
    const twice = before.hashed + after.hashed - 1_000_000n;
    assert(twice >= 0n && twice <= 450_000n, `${twice} nonces were hashed again`);
    assertEquals(second.machine.table.answers, 1);
  });

  test("drops a job whose client does not come back, but not a detached one", () => {
    const first = new KeptFleet();
    const client = first.client();
    client.say(SUBMIT);
    client.say({ ...SUBMIT, job: 2, detached: true });
    first.run(100);
    const second = new KeptFleet(first.commands, { orphanMs: 5_000 });
    second.run(4_000);
    assertEquals(second.core.snapshot().jobs.length, 2);
    second.run(2_000);
    assertEquals(
      second.core.snapshot().jobs.map(({ job }) => job),
      [2],
    );
    assertEquals(second.machine.table.size, 1);
  });

  test("drops a classic client's job soon when the server that speaks for it is gone", () => {
    const session = relayedSession(0xfeed_dead_beef_cafen);
    assert(isRelayedSession(session) && !isRelayedSession(0xfeed_dead_beef_cafen));
    const fleet = new KeptFleet([], { orphanMs: 600_000 });
    const clients = [fleet.client(), fleet.client()];
    clients[0]!.say({ ...SUBMIT, session });
    clients[1]!.say(SUBMIT);
    fleet.run(100);
    // With the connection, and under a leader that never saw it.
    const next = new KeptFleet([...fleet.commands], { orphanMs: 600_000 });
    for (const { connId } of clients) fleet.drop(connId);
    for (const each of [fleet, next]) {
      each.run(RELAY_PATIENCE_MS + 5_000);
      assertEquals(each.core.snapshot().jobs.length, 2);
      each.run(6_000);
      assertEquals(each.core.snapshot().jobs.length, 1);
      assertEquals([...each.machine.table.sessions.keys()], [SUBMIT.session]);
    }
  });

  test("calls a job whose client is away by its id in the log", () => {
    const first = new KeptFleet();
    const client = first.client();
    client.say({ ...SUBMIT, detached: true });
    first.run(100);
    const { id } = client.accepted[0]!;
    const second = new KeptFleet(first.commands);
    second.miner({ rate: 1e7 });
    assert(second.run(5_000, () => second.machine.table.answers > 0));
    second.run(50);
    const line = second.log.find((text) => text.includes(" answered after "));
    assertStringIncludes(line ?? "", `job ${idText(id)} answered after `);
  });

  test("gives the kept answer to anyone who has the id, and ends jobs by it", () => {
    const first = new KeptFleet();
    first.miner({ rate: 1e7 });
    const client = first.client();
    client.say({ ...SUBMIT, detached: true });
    assert(first.run(5_000, () => client.answers.size > 0));
    const { id } = client.accepted[0]!;
    const second = new KeptFleet(first.commands);
    const other = second.client();
    other.say({ kind: "attach", job: 5, session: 1n, id });
    second.run(50);
    assertEquals(other.answer(5).best, client.answer().best);
    other.say({ kind: "fetched", job: 5 });
    other.say({ kind: "end", job: 6, id, what: "cancel" });
    other.say({ kind: "attach", job: 7, session: 1n, id: id ^ 1 });
    second.run(50);
    const reasons = other.refusals.map(({ reason }) => reason.replace(/\w+-\w+/, "ID"));
    assertEquals(reasons, [
      "job ID is answered already: wait for it, or forget it",
      "no job is called ID here: it was never accepted, was cancelled, or is forgotten",
    ]);
    assert([...second.machine.table.sessions.values()][0]!.answers.get(1)!.fetchedMs > 0);
    other.say({ kind: "end", job: 8, id, what: "forget" });
    second.run(50);
    assertEquals(second.machine.table.answers, 0);
  });
});
