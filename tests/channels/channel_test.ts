/** Channels with promises, and select. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { integerBetween, seededRandom } from "../../base/random.ts";
import { Channel, ChannelClosedError, type Received, select } from "../../channels/mod.ts";

const value = <T>(got: T): Received<T> => ({ done: false, value: got });
const END: Received<never> = { done: true, value: undefined };

/** Whether `promise` is still open when everything that could settle it has run. */
async function open(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  const note = (): void => void (settled = true);
  promise.then(note, note);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  return !settled;
}

describe("Channel", () => {
  test("with capacity 0 hands values over: who sends waits for who receives", async () => {
    const channel = new Channel<string>();
    const sending = channel.send("a");
    assert(await open(sending));
    assertEquals(await channel.receive(), value("a"));
    await sending;
    const receiving = channel.receive();
    assert(await open(receiving));
    await channel.send("b");
    assertEquals(await receiving, value("b"));
  });

  test("lets as many values wait as its capacity says", async () => {
    const channel = new Channel<number>(2);
    await channel.send(1);
    await channel.send(2);
    const third = channel.send(3);
    assert(await open(third));
    assertEquals([channel.length, channel.capacity], [2, 2]);
    assertEquals(await channel.receive(), value(1));
    await third;
    assertEquals([channel.tryReceive(), channel.tryReceive()], [value(2), value(3)]);
    assertEquals(channel.tryReceive(), undefined);
  });

  test("serves senders and receivers in the order in which they came", async () => {
    const channel = new Channel<number>();
    const sent = [1, 2, 3].map((one) => channel.send(one));
    for (const one of [1, 2, 3]) assertEquals(await channel.receive(), value(one));
    await Promise.all(sent);
    const received = [1, 2, 3].map(() => channel.receive());
    for (const one of [1, 2, 3]) await channel.send(one);
    assertEquals(await Promise.all(received), [1, 2, 3].map(value));
  });

  test("after close takes nothing and gives what is left, then the end, for ever", async () => {
    const channel = new Channel<number>(1);
    await channel.send(1);
    const waiting = channel.send(2);
    channel.close();
    channel.close();
    await assertRejects(() => waiting, ChannelClosedError);
    await assertRejects(() => channel.send(3), ChannelClosedError);
    assertThrows(() => channel.trySend(4), ChannelClosedError);
    assert(channel.closed);
    assertEquals(await channel.receive(), value(1));
    assertEquals([await channel.receive(), channel.tryReceive()], [END, END]);
  });

  test("close ends those who wait to receive", async () => {
    const channel = new Channel<number>();
    const receiving = [channel.receive(), channel.receive()];
    channel.close();
    assertEquals(await Promise.all(receiving), [END, END]);
  });

  test("can be iterated, and ending the loop closes nothing", async () => {
    const channel = new Channel<number>(5);
    for (const one of [1, 2, 3, 4]) await channel.send(one);
    for await (const one of channel) if (one === 2) break;
    assert(!channel.closed);
    channel.close();
    const rest: number[] = [];
    for await (const one of channel) rest.push(one);
    assertEquals(rest, [3, 4]);
  });

  test("trySend gives to who waits, else puts where there is room, else says no", async () => {
    const channel = new Channel<number>();
    assertEquals(channel.trySend(1), false);
    const receiving = channel.receive();
    assertEquals(channel.trySend(2), true);
    assertEquals(await receiving, value(2));
    assertEquals([channel.trySend(3), channel.length], [false, 0]);
  });

  test("carries undefined like any value", async () => {
    const channel = new Channel<undefined>(2);
    await channel.send(undefined);
    assertEquals([channel.tryReceive(), channel.tryReceive()], [value(undefined), undefined]);
  });

  test("refuses a capacity that is none", () => {
    assertThrows(() => new Channel(-1), RangeError, "expected a whole number from 0 or Infinity");
  });
});

describe("select", () => {
  test("does what can be done, and says which it was", async () => {
    const [a, b] = [new Channel<number>(1), new Channel<string>(1)];
    await b.send("x");
    const got = await select([a.receiving(), b.receiving()]);
    assertEquals(got, { index: 1, kind: "received", value: "x" });
    const sent = await select([b.receiving(), a.sending(7)]);
    assertEquals(sent, { index: 1, kind: "sent" });
    assertEquals(a.tryReceive(), value(7));
  });

  test("waits for the first that can be done; the others leave no trace", async () => {
    const [a, b, c] = [new Channel<number>(), new Channel<number>(), new Channel<number>()];
    const chosen = select([a.receiving(), b.sending(5), c.receiving()]);
    assert(await open(chosen));
    assertEquals(await b.receive(), value(5));
    assertEquals(await chosen, { index: 1, kind: "sent" });
    assertEquals([a.trySend(1), c.trySend(1), b.tryReceive()], [false, false, undefined]);
  });

  test("tells a closed channel by its end, and refuses to send into one", async () => {
    const [a, b] = [new Channel<number>(), new Channel<number>()];
    const waiting = select([a.receiving(), b.receiving()]);
    b.close();
    assertEquals(await waiting, { index: 1, kind: "ended" });
    const sending = select([a.receiving(), b.sending(1)]);
    await assertRejects(() => sending, ChannelClosedError, "the value was not taken");
    const later = select([a.sending(1)]);
    a.close();
    await assertRejects(() => later, ChannelClosedError);
  });

  test("never meets itself", async () => {
    const channel = new Channel<string>();
    const both = select([channel.receiving(), channel.sending("mine")]);
    assert(await open(both));
    await channel.send("theirs");
    assertEquals(await both, { index: 0, kind: "received", value: "theirs" });
    const again = select([channel.receiving(), channel.sending("mine")]);
    assertEquals(await channel.receive(), value("mine"));
    assertEquals(await again, { index: 1, kind: "sent" });
    assertEquals([channel.trySend("x"), channel.tryReceive()], [false, undefined]);
  });

  test("two selects meet", async () => {
    const channel = new Channel<number>();
    const one = select([channel.receiving(), channel.sending(1)]);
    const other = select([channel.receiving(), channel.sending(2)]);
    const kinds = [(await one).kind, (await other).kind].toSorted();
    assertEquals(kinds, ["received", "sent"]);
  });

  test("of no cases is refused", async () => {
    await assertRejects(() => select([]), RangeError, "no cases");
  });

  test("is fair: what stays ready is chosen before anything else is chosen twice", async () => {
    const channels = Array.from({ length: 5 }, () => new Channel<number>(Infinity));
    for (const channel of channels) for (let i = 0; i < 200; i++) channel.trySend(i);
    const last: number[] = channels.map(() => -1);
    for (let turn = 0; turn < 200; turn++) {
      // A second select at other times on some of them must not starve the rest.
      if (turn % 2 === 0) await select([channels[0]!.receiving(), channels[1]!.receiving()]);
      const { index } = await select(channels.map((one) => one.receiving()));
      for (const [i, at] of last.entries()) {
        assert(i < 2 || at < 0 || turn - at <= channels.length, `${i} waited ${turn - at} turns`);
      }
      last[index] = turn;
    }
    assert(last.every((at) => at >= 0));
  });
});

/** A run: some who send, some who receive, some who do either; everything that was sent arrives. */
async function exchange(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const channels = Array.from(
    { length: integerBetween(random, 1, 4) },
    () => new Channel<string>(integerBetween(random, 0, 2)),
  );
  const got: string[][] = [];
  const pick = (): Channel<string> => channels[integerBetween(random, 0, channels.length - 1)]!;
  const senders = Array.from({ length: integerBetween(random, 1, 4) }, async (_, me) => {
    for (let i = 0; i < 20; i++) {
      const text = `${me} ${i}`;
      if (random() % 2 === 0) await pick().send(text);
      else await select(channels.map((one) => one.sending(text)));
      if (random() % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    return 20;
  });
  const receivers = Array.from({ length: integerBetween(random, 1, 4) }, async () => {
    const mine: string[] = [];
    got.push(mine);
    const left = new Set(channels);
    while (left.size > 0) {
      const list = [...left];
      const next = await select(list.map((one) => one.receiving()));
      if (next.kind === "ended") left.delete(list[next.index]!);
      else mine.push(next.value);
    }
  });
  const sent = (await Promise.all(senders)).reduce((a, b) => a + b);
  for (const channel of channels) channel.close();
  await Promise.all(receivers);
  const all = got.flat();
  assertEquals([all.length, new Set(all).size], [sent, sent]);
}

test("every value arrives exactly once, however many send and receive", async () => {
  await fc.assert(fc.asyncProperty(fc.nat(), exchange), { numRuns: 150 });
});
