/** Sessions: a command is carried out once, in its client's order, whatever is sent again. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { packed } from "../../base/byte_fields.ts";
import type { StateMachine } from "../../base/state_machine.ts";
import {
  ANSWERS_MAX,
  endCommand,
  openCommand,
  requestCommand,
  runCommand,
  type SessionAnswer,
  type SessionRefusal,
  Sessions,
  SESSIONS_MAX,
} from "../../raft/mod.ts";

/** Remembers all it was told, in order; answers with how much that is. */
class Diary implements StateMachine {
  entries: number[] = [];

  apply(command: Uint8Array): Uint8Array {
    this.entries.push(command[0]!);
    return Uint8Array.of(this.entries.length & 255, command[0]!);
  }

  snapshot(): Uint8Array {
    return Uint8Array.from(this.entries);
  }

  restore(bytes: Uint8Array): void {
    this.entries = [...bytes];
  }
}

class Rig {
  readonly diary = new Diary();
  readonly sessions = new Sessions(this.diary);
  #index = 0;

  apply(command: Uint8Array): SessionAnswer {
    return this.sessions.apply(command, ++this.#index);
  }

  open(): number {
    const answer = this.apply(openCommand());
    assert(answer.kind === "opened");
    return answer.session;
  }

  request(session: number, number: number, lowest: number, byte = number): SessionAnswer {
    return this.apply(requestCommand(session, number, lowest, Uint8Array.of(byte & 255)));
  }
}

const refused = (why: SessionRefusal): SessionAnswer => ({ kind: "refused", why });

describe("Sessions", () => {
  test("carry out each request once; sent again it gets the answer of then", () => {
    const rig = new Rig();
    const session = rig.open();
    const first = rig.request(session, 1, 1);
    assertEquals(first, { kind: "done", answer: Uint8Array.of(1, 1), isRepeated: false });
    rig.request(session, 2, 1);
    const again = rig.request(session, 1, 1);
    assertEquals(again, { kind: "done", answer: Uint8Array.of(1, 1), isRepeated: true });
    assertEquals(rig.diary.entries, [1, 2]);
  });

  test("never carry out request n + 1 before n", () => {
    const rig = new Rig();
    const session = rig.open();
    assertEquals(rig.request(session, 2, 1), refused("out of order"));
    assertEquals(rig.diary.entries, []);
    rig.request(session, 1, 1);
    assertEquals(rig.request(session, 2, 1).kind, "done");
    assertEquals(rig.diary.entries, [1, 2]);
  });

  test("keep answers from the lowest unanswered number on, and none before", () => {
    const rig = new Rig();
    const session = rig.open();
    for (let number = 1; number <= 5; number++) rig.request(session, number, 1);
    assertEquals(rig.sessions.answers, 5);
    rig.request(session, 6, 4);
    assertEquals(rig.sessions.answers, 3);
    assertEquals(rig.request(session, 3, 3), refused("forgotten"));
    assertEquals(rig.request(session, 4, 4).kind, "done");
    assertEquals(rig.diary.entries.length, 6);
  });

  test("refuse what belongs to no session, or to one that has ended", () => {
    const rig = new Rig();
    assertEquals(rig.request(77, 1, 1), refused("unknown session"));
    const [a, b] = [rig.open(), rig.open()];
    assertEquals(rig.apply(endCommand([a, 99])), { kind: "ended", sessions: 1 });
    assertEquals(rig.request(a, 1, 1), refused("unknown session"));
    assertEquals(rig.request(b, 1, 1).kind, "done");
    assertEquals([rig.sessions.open, rig.diary.entries], [[b], [1]]);
  });

  test("stay within their limits", () => {
    const rig = new Rig();
    const session = rig.open();
    for (let number = 1; number <= ANSWERS_MAX; number++) rig.request(session, number, 1);
    assertEquals(rig.request(session, ANSWERS_MAX + 1, 1), refused("too many requests"));
    assertEquals(rig.request(session, ANSWERS_MAX + 1, 2).kind, "done");
    for (let open = 1; open < SESSIONS_MAX; open++) rig.open();
    assertEquals(rig.apply(openCommand()), refused("too many sessions"));
  });

  test("answer what makes no sense, and never throw", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (commands) => {
        const rig = new Rig();
        rig.open();
        for (const command of commands) rig.apply(command);
      }),
    );
    const rig = new Rig();
    for (const bytes of [
      [],
      [0, 0],
      [1],
      [2, 1],
      [3],
      [1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
    ]) {
      const why = bytes.length === 15 ? "unknown session" : "malformed";
      assertEquals(rig.apply(Uint8Array.from(bytes)), refused(why));
    }
  });
});

describe("a run of requests", () => {
  const commandsOf = (first: number, count: number): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => Uint8Array.of((first + i) & 255));

  test("comes to what its requests come to one by one, whatever is sent again", () => {
    const send = fc.record({
      first: fc.integer({ min: 1, max: 30 }),
      count: fc.integer({ min: 1, max: 12 }),
      before: fc.nat({ max: 6 }),
    });
    fc.assert(
      fc.property(fc.array(send, { maxLength: 40 }), (sends) => {
        const [runs, singles] = [new Rig(), new Rig()];
        const session = runs.open();
        assertEquals(singles.open(), session);
        for (const { first, count, before } of sends) {
          const lowest = Math.max(1, first - before);
          const commands = commandsOf(first, count);
          const told = runs.apply(runCommand(session, first, lowest, packed(commands)));
          assert(told.kind === "ran");
          const each = commands.map((_, i) => singles.request(session, first + i, lowest));
          assertEquals(
            told.answers,
            each.map((one) => {
              assert(one.kind === "done" || one.kind === "refused");
              return one.kind === "done" ? one.answer : one.why;
            }),
          );
          const known = each.map((one) => one.kind === "done" && one.isRepeated);
          assertEquals(known.lastIndexOf(true) < told.repeated, true);
          assertEquals(runs.diary.entries, singles.diary.entries);
        }
        assertEquals(runs.sessions.snapshot(), singles.sessions.snapshot());
      }),
      { numRuns: 200 },
    );
  });

  test("of no session, or that makes no sense, is refused whole", () => {
    const rig = new Rig();
    const session = rig.open();
    const two = packed(commandsOf(1, 2));
    assertEquals(rig.apply(runCommand(99, 1, 1, two)), refused("unknown session"));
    const bad = [new Uint8Array(0), two.slice(0, 3), Uint8Array.of(1, 7, 0x80)];
    for (const bytes of bad) {
      assertEquals(rig.apply(runCommand(session, 1, 1, bytes)), refused("malformed"));
    }
    assertEquals(rig.diary.entries, []);
  });

  test("stops where no more answers are kept", () => {
    const rig = new Rig();
    const session = rig.open();
    const run = rig.apply(runCommand(session, 1, 1, packed(commandsOf(1, ANSWERS_MAX + 2))));
    assert(run.kind === "ran");
    assertEquals(run.answers.slice(-3).map(String), ["0,0", "too many requests", "out of order"]);
  });
});

describe("a snapshot of sessions", () => {
  const step = fc.record({
    who: fc.nat({ max: 3 }),
    number: fc.integer({ min: 1, max: 6 }),
    before: fc.nat({ max: 5 }),
    ends: fc.boolean(),
  });

  test("taken anywhere, goes on exactly as the original does", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 60 }), (steps, cutAt) => {
        const rig = new Rig();
        const names = [rig.open(), rig.open(), rig.open(), 1000];
        const copy = new Sessions(new Diary());
        let isCopied = false;
        for (const [i, { who, number, before, ends }] of steps.entries()) {
          if (i === cutAt) {
            copy.restore(rig.sessions.snapshot());
            isCopied = true;
          }
          const lowest = Math.max(1, number - before);
          const request = requestCommand(names[who]!, number, lowest, Uint8Array.of(number));
          const command = ends && i % 7 === 0 ? endCommand([names[who]!]) : request;
          const index = 100 + i;
          const answer = rig.sessions.apply(command, index);
          if (isCopied) assertEquals(copy.apply(command, index), answer);
        }
        if (isCopied) assertEquals(copy.snapshot(), rig.sessions.snapshot());
      }),
      { numRuns: 300 },
    );
  });

  test("cut off or of another version is refused in one line, and changes nothing", () => {
    const rig = new Rig();
    const session = rig.open();
    rig.request(session, 1, 1);
    const bytes = rig.sessions.snapshot();
    const other = new Rig();
    const kept = other.open();
    assertThrows(() => other.sessions.restore(bytes.slice(0, 12)), Error, "cut off at byte 12");
    const newer = bytes.slice();
    newer[0] = 2;
    assertThrows(() => other.sessions.restore(newer), Error, "version 2: expected 1");
    assertEquals(other.sessions.open, [kept]);
  });
});

test("every request is carried out once and in order, whatever a lossy client sends again", () => {
  const choice = fc.array(fc.record({ who: fc.nat({ max: 2 }), back: fc.nat({ max: 4 }) }), {
    maxLength: 300,
  });
  fc.assert(
    fc.property(choice, (sends) => {
      const rig = new Rig();
      const clients = [0, 1, 2].map(() => ({ session: rig.open(), acked: 0, sent: 0 }));
      const done: number[][] = [[], [], []];
      for (const { who, back } of sends) {
        const client = clients[who]!;
        const number = Math.max(client.acked + 1, client.sent + 1 - back);
        const answer = rig.request(
          client.session,
          number,
          client.acked + 1,
          64 * who + (number % 64),
        );
        assert(answer.kind === "done", JSON.stringify(answer));
        if (!answer.isRepeated) done[who]!.push(number);
        client.sent = Math.max(client.sent, number);
        if (back === 3) client.acked = Math.min(client.sent, client.acked + 1);
      }
      for (const [who, numbers] of done.entries()) {
        assertEquals(
          numbers,
          Array.from({ length: clients[who]!.sent }, (_, i) => i + 1),
        );
      }
    }),
    { numRuns: 300 },
  );
});
