/** The outbox of a core: order, and what waits for the disk. */
import { describe, test } from "bun:test";
import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { InvariantError } from "../../base/machine.ts";
import { Outbox } from "../../base/outbox.ts";

function drained<T>(outbox: Outbox<T>): T[] {
  const all: T[] = [];
  for (let next = outbox.poll(); next !== undefined; next = outbox.poll()) all.push(next);
  return all;
}

describe("Outbox", () => {
  test("gives effects in the order in which they were pushed", () => {
    const outbox = new Outbox<number>();
    for (let i = 0; i < 3000; i++) outbox.push(i);
    assertEquals(
      drained(outbox),
      Array.from({ length: 3000 }, (_, i) => i),
    );
  });

  test("holds an effect until its token, or a later one, is stored", () => {
    const outbox = new Outbox<string>();
    outbox.hold(1, "one");
    outbox.hold(1, "one too");
    outbox.push("free");
    outbox.hold(4, "four");
    assertEquals(drained(outbox), ["free"]);
    outbox.release(0);
    assertEquals(drained(outbox), []);
    outbox.release(3);
    assertEquals(drained(outbox), ["one", "one too"]);
    assertEquals(outbox.held, 1);
    outbox.release(9);
    assertEquals(drained(outbox), ["four"]);
    outbox.hold(9, "stored before");
    assertEquals(drained(outbox), ["stored before"]);
  });

  test("forgets what is held when it will not come true", () => {
    const outbox = new Outbox<string>();
    outbox.push("free");
    outbox.hold(1, "lost");
    outbox.dropHeld();
    outbox.release(1);
    assertEquals(drained(outbox), ["free"]);
  });

  test("refuses to hold for an older token than the last", () => {
    const outbox = new Outbox<string>();
    outbox.hold(2, "two");
    assertThrows(() => outbox.hold(1, "one"), InvariantError, "order of tokens");
  });

  test("gives every effect once, none before its token, held ones in order", () => {
    const action = fc.oneof(
      fc.record({ kind: fc.constant("hold" as const), ahead: fc.nat(3) }),
      fc.record({ kind: fc.constant("push" as const) }),
      fc.record({ kind: fc.constant("release" as const), ahead: fc.nat(4) }),
    );
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
        const outbox = new Outbox<{ token: number }>();
        let [newest, stored] = [1, 0];
        const expected: number[] = [];
        const got: number[] = [];
        for (const each of actions) {
          if (each.kind === "push") outbox.push({ token: 0 });
          if (each.kind === "hold") outbox.hold((newest += each.ahead), { token: newest });
          if (each.kind === "hold") expected.push(newest);
          if (each.kind === "release") outbox.release((stored += each.ahead));
          for (const { token } of drained(outbox)) {
            if (token > stored) throw new Error(`${token} left while only ${stored} is stored`);
            if (token > 0) got.push(token);
          }
        }
        outbox.release(Infinity);
        got.push(...drained(outbox).map(({ token }) => token));
        assertEquals(got, expected);
      }),
    );
  });
});
