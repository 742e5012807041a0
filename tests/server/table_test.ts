/** The job table: names that outlive connections, answers that are kept, snapshots. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  ANSWER_KEPT_MS,
  FETCHED_KEPT_MS,
  type JobName,
  JobTable,
  type SearchRecord,
} from "../../server/table.ts";
import { decodeCommand, encodeCommand } from "../../server/operations.ts";
import { ROW_BYTES_MAX, type RowChange } from "../../server/rows.ts";
import { TableMachine } from "../../server/table_machine.ts";
import { snapshotOfTable, tableFrom } from "../../server/table_snapshot.ts";
import type { SearchSpec } from "../../work/subject.ts";
import { mine, serve, submit } from "../../mod.ts";
import { VirtualFleet } from "./fleet.ts";

const SPEC: SearchSpec = { subject: "msg", lower: 0n, upper: 999n };
const BEST = { hash: 5n, nonce: 7n };

function submitted(table: JobTable, name: JobName, spec: SearchSpec = SPEC): SearchRecord {
  const result = table.submit(name, spec);
  assert(result.kind === "new");
  return result.record;
}

function answered(table: JobTable, name: JobName, spec: SearchSpec = SPEC): void {
  const record = submitted(table, name, spec);
  record.fold(BEST);
  record.accept(spec.lower, spec.upper + 1n);
  answer(table, record);
}

/** What the leader says of a record of its own, applied to the table. */
function answer(table: JobTable, { name, seq, best, met }: SearchRecord): void {
  table.answer({ name, seq, best: best!, met });
}

describe("JobTable", () => {
  const name = { session: 9n, number: 1 };

  test("the same submit joins what is under way, then gets the answer again", () => {
    const table = new JobTable();
    const record = submitted(table, name);
    assertEquals(table.submit(name, { ...SPEC }), { kind: "known", record });
    record.fold(BEST);
    record.accept(0n, 1000n);
    answer(table, record);
    assertEquals([table.size, table.answers], [0, 1]);
    const again = table.submit(name, { ...SPEC });
    assert(again.kind === "answered");
    assertEquals([again.answer.best, again.answer.met], [BEST, true]);
  });

  test("a number stands for one job only, answered or not", () => {
    const table = new JobTable();
    submitted(table, name);
    const other = { ...SPEC, subject: "other" };
    assertEquals(table.submit(name, other), { kind: "taken" });
    answered(table, { session: 9n, number: 2 });
    assertEquals(table.submit({ session: 9n, number: 2 }, other), { kind: "taken" });
    const header = { ...SPEC, subject: new Uint8Array(80) };
    assertEquals(table.submit(name, header), { kind: "taken" });
    submitted(table, { session: 8n, number: 1 }, header);
  });

  test("keeps an answer a day after it was fetched, and thirty days at most", () => {
    const table = new JobTable();
    table.advance(1_000);
    for (let number = 1; number <= 3; number++) answered(table, { session: 1n, number });
    table.fetched({ session: 1n, number: 2 });
    table.advance(1_000 + FETCHED_KEPT_MS - 1);
    // Fetched again: the day does not begin anew.
    table.fetched({ session: 1n, number: 2 });
    table.fetched({ session: 1n, number: 3 });
    table.expire();
    assertEquals(table.answers, 3);
    table.advance(1_000 + FETCHED_KEPT_MS);
    table.expire();
    assertEquals([...table.sessions.get(1n)!.answers.keys()], [1, 3]);
    table.advance(1_000 + ANSWER_KEPT_MS);
    table.expire();
    assertEquals([table.size, table.answers, table.sessions.size], [0, 0, 0]);
    assertEquals(table.idsFrom(0, 10), []);
  });

  test("what was said of an earlier job of that name changes nothing", () => {
    const table = new JobTable();
    const { seq } = submitted(table, name);
    table.forget(name);
    const record = submitted(table, name, { ...SPEC, subject: "other" });
    const [least, hit] = [BEST, undefined];
    table.progress({ name, seq, searched: [{ lower: 0n, end: 500n }], least, hit });
    table.answer({ name, seq, best: BEST, met: true });
    assertEquals([table.answers, record.done, record.best], [0, 0n, undefined]);
  });

  test("every job has an id of its own, by which it is found", () => {
    const table = new JobTable();
    const ids = Array.from({ length: 50 }, (_, i) => {
      const each = { session: 9n, number: i + 1 };
      const { id } = submitted(table, each);
      assertEquals(table.nameOf(id), each);
      return id;
    });
    const sorted = ids.toSorted((a, b) => a - b);
    assertEquals(table.idsFrom(0, 100), sorted);
    assertEquals(table.idsFrom(sorted[10]! + 1, 3), sorted.slice(11, 14));
    table.forget({ session: 9n, number: 1 });
    assertEquals(table.nameOf(ids[0]!), undefined);
    assertEquals(table.idsFrom(ids[0]!, 1)[0] === ids[0], false);
  });

  test("a target's hit is the lowest known nonce, and cuts what is above it", () => {
    const record = submitted(new JobTable(), name, { ...SPEC, target: 50n });
    record.fold({ hash: 3n, nonce: 800n });
    record.fold({ hash: 40n, nonce: 500n });
    record.cutFrom(500n);
    assertEquals([record.best, record.met], [{ hash: 40n, nonce: 500n }, true]);
    assertEquals(record.uncovered.intervals, [{ lower: 0n, end: 500n }]);
  });
});

describe("a snapshot of the table", () => {
  const nonce = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const subject = fc.oneof(
    fc.string({ unit: "grapheme" }),
    fc.uint8Array({ minLength: 80, maxLength: 80 }),
  );
  const job = fc.record({
    session: fc.bigInt({ min: 0n, max: 2n ** 65n }),
    subject,
    bounds: fc.tuple(nonce, nonce),
    target: fc.option(nonce, { nil: undefined }),
    done: fc.array(fc.tuple(nonce, nonce), { maxLength: 300 }),
    candidates: fc.array(fc.record({ hash: nonce, nonce }), { maxLength: 3 }),
    ends: fc.boolean(),
  });

  test("gives back the very table", () => {
    fc.assert(
      fc.property(fc.array(job, { maxLength: 8 }), (jobs) => {
        const table = new JobTable();
        for (const [i, each] of jobs.entries()) {
          const [a, b] = each.bounds.map((n) =>
            typeof each.subject === "string" ? n : n % 2n ** 32n,
          ) as [bigint, bigint];
          const [lower, upper] = a < b ? [a, b] : [b, a];
          const spec = { subject: each.subject, lower, upper, target: each.target };
          const record = submitted(table, { session: each.session, number: i + 1 }, spec);
          for (const candidate of each.candidates) record.fold(candidate);
          for (const [x, y] of each.done) record.accept(x < y ? x : y, x < y ? y : x);
          if (!each.ends || record.best === undefined) continue;
          record.accept(lower, upper + 1n);
          answer(table, record);
        }
        const bytes = snapshotOfTable(table);
        const copy = tableFrom(bytes);
        assertEquals(snapshotOfTable(copy), bytes);
        assertEquals([copy.size, copy.answers], [table.size, table.answers]);
        assertEquals(copy.idsFrom(0, 100), table.idsFrom(0, 100));
      }),
      { numRuns: 200 },
    );
  });

  test("of version 1 is read: with ids, and times that begin now", async () => {
    const file = new URL("../data/table-v1.bin", import.meta.url);
    const table = tableFrom(await Bun.file(file).bytes());
    const [job, answer] = [1, 2].map((number) => ({ session: 5n, number })) as [JobName, JobName];
    const record = table.record(job)!;
    assertEquals(
      [record.spec.subject, record.done, record.best],
      ["first", 100n, { hash: 7n, nonce: 3n }],
    );
    assertEquals(record.uncovered.intervals, [
      { lower: 0n, end: 100n },
      { lower: 200n, end: 1_000n },
    ]);
    assertEquals(table.nameOf(record.id), job);
    const spec = { subject: "second", lower: 10n, upper: 19n, target: 9n };
    const found = table.find(answer, spec);
    assert(found?.kind === "answered");
    assertEquals([found.answer.best, found.answer.met], [{ hash: 8n, nonce: 12n }, true]);
    table.advance(1e12);
    table.expire();
    assertEquals(table.answerOf(answer)!.answeredMs, 1e12);
    const again = tableFrom(snapshotOfTable(table));
    assertEquals(snapshotOfTable(again), snapshotOfTable(table));
  });

  test("of version 2, which had no rows, is read as it was, and written so without rows", async () => {
    const bytes = await Bun.file(new URL("../data/table-v2.bin", import.meta.url)).bytes();
    const table = tableFrom(bytes);
    const [job, done] = [1, 2].map((number) => ({ session: 5n, number })) as [JobName, JobName];
    const { detached, submittedMs, done: searched } = table.record(job)!;
    assertEquals([detached, submittedMs, searched], [true, 1_000_000, 100n]);
    assertEquals(table.answerOf(done)!.answeredMs, 2_000_000);
    assertEquals(snapshotOfTable(table), bytes);
  });

  test("keeps the rows of other kinds of work, whatever order they came in", () => {
    const change = (group: string, row: string, byte?: number): RowChange => {
      return { group, row, bytes: byte === undefined ? undefined : Uint8Array.of(byte) };
    };
    const [one, two] = [new JobTable(), new JobTable()];
    submitted(one, { session: 1n, number: 1 });
    submitted(two, { session: 1n, number: 1 });
    for (const each of [
      change("b", "", 1),
      change("a", "", 2),
      change("a", "y", 3),
      change("a", "x", 4),
      change("gone", "", 5),
      change("gone", ""),
      // What comes late, and what there never was.
      change("gone", "x", 6),
      change("none", "x", 7),
      change("a", "z", 8),
      change("a", "z"),
    ]) {
      one.rows.change(each);
    }
    for (const each of [change("a", "", 2), change("a", "x", 4), change("a", "y", 3)]) {
      two.rows.change(each);
    }
    two.rows.change(change("b", "", 1));
    assertEquals(snapshotOfTable(one), snapshotOfTable(two));
    const copy = tableFrom(snapshotOfTable(one));
    assertEquals([...copy.rows.all()], [...two.rows.all()]);
    assertEquals([...copy.rows.groups.keys()], ["a", "b"]);
    assertEquals(copy.size, 1);
  });

  test("of a table with rows is of version 3; so are their commands of version 2", () => {
    const row = { kind: "row", group: "a", row: "", bytes: Uint8Array.of(1) } as const;
    const removed = { ...row, row: "b", bytes: undefined };
    const command = { timeMs: 5, operations: [row, removed] };
    const bytes = encodeCommand(command);
    assertEquals(decodeCommand(bytes), command);
    const expire = encodeCommand({ timeMs: 5, operations: [{ kind: "expire" }] });
    const table = new JobTable();
    table.rows.change(row);
    // The first item's length, an array, and its first number: the version.
    assertEquals([snapshotOfTable(table)[5], bytes[5], expire[5]], [3, 2, 1]);
    const long = { ...row, bytes: new Uint8Array(ROW_BYTES_MAX + 1) };
    const refused = decodeCommand(encodeCommand({ timeMs: 5, operations: [long] }));
    assertEquals(refused, "malformed operation");
  });

  test("that is cut off, damaged or of another version is refused in one line", () => {
    const table = new JobTable();
    submitted(table, { session: 1n, number: 1 });
    answered(table, { session: 1n, number: 2 });
    const bytes = snapshotOfTable(table);
    for (let length = 0; length < bytes.length; length++) {
      try {
        tableFrom(bytes.slice(0, length));
      } catch (error) {
        assert(!(error as Error).message.includes("\n"));
      }
    }
    assertThrows(() => tableFrom(bytes.slice(0, -1)), Error, "cut off at byte");
    const other = bytes.slice();
    other[5] = 9;
    assertThrows(() => tableFrom(other), Error, "version 9: expected version 3");
    const damaged = bytes.slice();
    // The kind of the first item behind the head.
    damaged[4 + new DataView(bytes.buffer).getUint32(0) + 4 + 1] = 0x18;
    assertThrows(() => tableFrom(damaged), Error, "malformed");
  });
});

test("commands of a newer server change nothing here, and that is told once", () => {
  const told: string[] = [];
  const machine = new TableMachine((reason) => void told.push(reason));
  const newer = encodeCommand({ timeMs: 1, operations: [{ kind: "expire" }] });
  // The number behind its length and the array.
  newer[5] = 3;
  const before = machine.snapshot();
  for (let i = 0; i < 3; i++) machine.apply(newer);
  assertEquals(told, ["unknown command version 3"]);
  assertEquals(machine.rejected.get(told[0]!), 3);
  assertEquals(machine.snapshot(), before);
});

test("serve, mine, submit: a block header is searched by a whole fleet", async () => {
  // Block 125,552 of Bitcoin, whose nonce is 2,504,433,986.
  const header = Uint8Array.fromHex(
    "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc8d750423db8b" +
      "1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a00000000",
  );
  await using server = await serve({ port: 0 });
  const miner = mine({ port: server.port, threads: 1, niceness: "normal" });
  const nonce = 2_504_433_986n;
  const target = 1n << 206n;
  const job = submit({
    port: server.port,
    header,
    lower: nonce - 50_000n,
    upper: 2n ** 32n - 1n,
    target,
  });
  const answer = await job.answer;
  assertEquals([answer.nonce, answer.met], [nonce, true]);
  assertEquals(
    answer.hash.toString(16).padStart(64, "0"),
    "00000000000000001e8d6829a8a21adc5d38d0a473b144b6765798e61f98bd1d",
  );
  await miner.close();
});

describe("a client that comes back with its session", () => {
  const work = { subject: "12345", lower: 0n, upper: 9_999n };

  test("takes its running job over: the old connection's end does not drop it", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1_000, declared: 1_000 });
    const [first, second] = [fleet.client(), fleet.client()];
    first.say({ kind: "submit", job: 1, session: 77n, work });
    fleet.run(1_000);
    second.say({ kind: "submit", job: 1, session: 77n, work });
    fleet.run(50);
    fleet.drop(first.connId);
    assertEquals(fleet.core.snapshot().jobs.length, 1);
    assert(fleet.run(20_000, () => second.answers.has(1)));
    assertEquals(first.answers.size, 0);
    const hashed = fleet.accepted.reduce((sum, { lower, upper }) => sum + upper - lower + 1n, 0n);
    assertEquals(hashed, 10_000n);
  });

  test("gets a kept answer at once, and the job never runs twice", () => {
    const fleet = new VirtualFleet();
    fleet.miner({ rate: 1e6 });
    const [first, second] = [fleet.client(), fleet.client()];
    first.say({ kind: "submit", job: 1, session: 77n, work });
    assert(fleet.run(5_000, () => first.answers.has(1)));
    const pieces = fleet.accepted.length;
    second.say({ kind: "submit", job: 1, session: 77n, work });
    assert(fleet.run(50, () => second.answers.has(1)));
    assertEquals(second.answer(1).best, first.answer(1).best);
    assertEquals(fleet.accepted.length, pieces);
  });

  // Regression (fleet seed 2000133): what was late took the job back, to an end that nobody hears.
  test("is not taken back by what it said over the connection before", () => {
    const fleet = new VirtualFleet();
    const [first, second] = [fleet.client(), fleet.client()];
    second.say({ kind: "submit", job: 1, session: 77n, work });
    fleet.run(50);
    first.say({ kind: "submit", job: 1, session: 77n, work });
    fleet.run(50);
    fleet.drop(first.connId);
    assertEquals(fleet.core.snapshot().jobs.length, 1);
    fleet.miner({ rate: 1e6 });
    assert(fleet.run(5_000, () => second.answers.has(1)));
    assertEquals(fleet.core.snapshot().rejected, { "submit over a connection given up": 1 });
  });

  test("cannot speak for a second session on one connection", () => {
    const fleet = new VirtualFleet();
    const client = fleet.client();
    client.say({ kind: "submit", job: 1, session: 77n, work });
    client.say({ kind: "submit", job: 2, session: 78n, work });
    fleet.run(50);
    const reason = "a connection speaks for one session only";
    assertEquals(client.refusals, [{ kind: "refused", job: 2, reason }]);
  });
});
