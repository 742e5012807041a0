/** The channel's core against a dumb twin, and the rules that its doc comment names. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../base/machine.ts";
import { ChannelCore, type ChannelEffect, type ChannelInput } from "../../channels/mod.ts";

type Input = ChannelInput<number>;
type Effect = ChannelEffect<number>;

/** A channel as one would write it with no thought of speed, from the rules alone. */
class Twin {
  readonly #capacity: number;
  #values: number[] = [];
  #waiting: Exclude<Input, { kind: "close" | "withdraw" }>[] = [];
  #closed = false;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  handle(input: Input): Effect[] {
    if (input.kind === "withdraw") {
      this.#waiting = this.#waiting.filter(({ id }) => id !== input.id);
      return [];
    }
    if (input.kind === "close") {
      this.#closed = true;
      return this.#waiting
        .splice(0)
        .toSorted((a, b) => Number(a.kind === "receive") - Number(b.kind === "receive"))
        .map(({ kind, id }) => ({ kind: kind === "send" ? "refused" : "ended", id }));
    }
    this.#waiting.push(input);
    return this.#settle(input.id);
  }

  /** Lets happen whatever can, the newest request being the only one that may be refused. */
  #settle(newest: number): Effect[] {
    const effects: Effect[] = [];
    for (;;) {
      const next = this.#step(newest);
      if (next === undefined) return effects;
      effects.push(...next);
    }
  }

  #step(newest: number): Effect[] | undefined {
    const senders = this.#waiting.filter((one) => one.kind === "send");
    const receivers = this.#waiting.filter((one) => one.kind === "receive");
    const leave = (...ids: number[]): void => {
      this.#waiting = this.#waiting.filter(({ id }) => !ids.includes(id));
    };
    if (this.#closed && senders.length > 0) {
      leave(senders[0]!.id);
      return [{ kind: "refused", id: senders[0]!.id }];
    }
    if (receivers.length > 0 && this.#values.length > 0) {
      leave(receivers[0]!.id);
      return [{ kind: "received", id: receivers[0]!.id, value: this.#values.shift()! }];
    }
    if (this.#capacity === 0) {
      for (const receiver of receivers) {
        const sender = senders.find(({ party }) => party !== receiver.party);
        if (sender === undefined) continue;
        leave(sender.id, receiver.id);
        return [
          { kind: "received", id: receiver.id, value: sender.value },
          { kind: "sent", id: sender.id },
        ];
      }
    } else if (senders.length > 0 && this.#values.length < this.#capacity) {
      leave(senders[0]!.id);
      this.#values.push(senders[0]!.value);
      return [{ kind: "sent", id: senders[0]!.id }];
    }
    const ends = this.#closed && receivers.some(({ id }) => id === newest);
    if (!ends) return undefined;
    leave(newest);
    return [{ kind: "ended", id: newest }];
  }
}

function polled(core: ChannelCore<number>): Effect[] {
  const effects: Effect[] = [];
  for (let effect = core.poll(); effect !== undefined; effect = core.poll()) effects.push(effect);
  return effects;
}

/** The same answers; in which order the two ends of one meeting are told does not matter. */
const sorted = (effects: Effect[]): Effect[] =>
  effects.toSorted((a, b) => a.id - b.id || a.kind.localeCompare(b.kind));

const request = fc.record({
  kind: fc.constantFrom("send", "send", "send", "receive", "receive", "receive", "withdraw"),
  party: fc.integer({ min: 1, max: 4 }),
  victim: fc.nat(),
});

describe("ChannelCore", () => {
  test("answers as its dumb twin does, whatever is asked", () => {
    const capacity = fc.constantFrom(0, 0, 1, 2, 5, Infinity);
    const requests = fc.array(request, { maxLength: 80 });
    const run = (
      room: number,
      asked: (typeof request extends fc.Arbitrary<infer R> ? R : never)[],
      closeAt: number,
    ): void => {
      const core = new ChannelCore<number>(room);
      const twin = new Twin(room);
      for (const [i, { kind, party, victim }] of asked.entries()) {
        const id = i + 1;
        let input: Input = { kind: "withdraw", id: (victim % id) + 1 };
        if (i === closeAt) input = { kind: "close" };
        else if (kind === "send") input = { kind, id, party, value: id };
        else if (kind === "receive") input = { kind, id, party };
        if (input.kind === "send") core.canSend(party);
        const atOnce =
          input.kind === "send"
            ? core.canSend(party)
            : input.kind === "receive" && core.canReceive(party);
        core.handle(input);
        const effects = polled(core);
        assertEquals(sorted(effects), sorted(twin.handle(input)));
        const answered = effects.some((effect) => effect.id === id);
        if (input.kind === "send" || input.kind === "receive") assertEquals(answered, atOnce);
        assert(core.length <= room);
      }
    };
    fc.assert(fc.property(capacity, requests, fc.nat({ max: 120 }), run), { numRuns: 3000 });
  });

  test("gives every value once and in order, and answers every request once", () => {
    const core = new ChannelCore<number>(3);
    const got: number[] = [];
    const answers = new Map<number, number>();
    const note = (): void => {
      for (const effect of polled(core)) {
        answers.set(effect.id, (answers.get(effect.id) ?? 0) + 1);
        if (effect.kind === "received") got.push(effect.value);
      }
    };
    for (let i = 0; i < 500; i++) {
      core.handle({ kind: "send", id: 2 * i, party: 2 * i, value: i });
      note();
      if (i % 7 < 3) continue;
      for (let more = 0; more < 2; more++) {
        const id = 2 * (i + 1000 * more) + 1;
        core.handle({ kind: "receive", id, party: id });
        note();
      }
    }
    core.handle({ kind: "close" });
    note();
    assertEquals(
      got,
      got.map((_, i) => i),
    );
    assert([...answers.values()].every((count) => count === 1));
    assertEquals(core.waiting, 0);
  });

  test("has a capacity from 0 on, whole or without end", () => {
    for (const wrong of [-1, 0.5, NaN, -Infinity]) {
      assertThrows(() => new ChannelCore(wrong), RangeError, `capacity is ${wrong}`);
    }
    assertEquals(new ChannelCore(Infinity).capacity, Infinity);
  });

  test("takes a request's name twice for our own mistake", () => {
    const core = new ChannelCore<number>(0);
    core.handle({ kind: "receive", id: 1, party: 1 });
    assertThrows(() => core.handle({ kind: "receive", id: 1, party: 1 }), InvariantError);
    assertThrows(
      () => core.handle({ kind: "send", id: 1, party: 1, value: 0 }),
      InvariantError,
      "request 1 waits already",
    );
  });

  test("sleeps for ever: nothing in it depends on the time", () => {
    const core = new ChannelCore<number>(0);
    core.handle({ kind: "wake" });
    assertEquals([core.poll(), core.wakeAtMs()], [undefined, undefined]);
  });
});
