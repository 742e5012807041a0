/** The checker is right on all small histories, quick on large ones, and never guesses. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { chance, integerBetween, type Random, seededRandom } from "../../base/random.ts";
import {
  checkHistory,
  checkParts,
  DEFAULT_BUDGET,
  KV_MODEL,
  type KvOp,
  linearize,
  type Model,
  type Operation,
  partitionByKey,
  violationHtml,
  violationText,
} from "../../kv/mod.ts";
import { bruteForce, drawnHistory, falsified } from "./histories.ts";

/** The history up to some moment: what had not returned by then has no answer. */
function cutOff(random: Random, history: readonly Operation<KvOp>[]): Operation<KvOp>[] {
  const endMs = history[integerBetween(random, 0, history.length - 1)]!.callMs;
  return history
    .filter(({ callMs }) => callMs <= endMs)
    .map((one) => (one.returnMs <= endMs ? one : { ...one, returnMs: Infinity }));
}

/** The same operations, listed in another order: only their times mean something. */
function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, at: random() }));
  return keyed.sort((a, b) => a.at - b.at).map(({ item }) => item);
}

const SMALL = { keys: 1, values: 3, overlap: 4 };

describe("linearize", () => {
  test("agrees with a dumb twin on 20,000 histories of up to 8 operations", () => {
    const verdicts = { linearizable: 0, "not linearizable": 0, unknown: 0 };
    for (let seed = 1; seed <= 20_000; seed++) {
      const random = seededRandom(seed);
      const shape = {
        ...SMALL,
        operations: integerBetween(random, 1, 8),
        clients: integerBetween(random, 1, 4),
        silentShare: chance(random, 0.5) ? 0.3 : 0,
        versions: chance(random, 0.5),
      };
      const drawn = drawnHistory(random, shape);
      const history = chance(random, 0.6) ? (falsified(random, drawn) ?? drawn) : drawn;
      const { verdict } = linearize(KV_MODEL, history);
      const expected = bruteForce(history) ? "linearizable" : "not linearizable";
      if (verdict !== expected) {
        const lines = history.map(({ op }) => KV_MODEL.describe(op)).join("\n");
        assertEquals<string>(verdict, expected, `seed ${seed}\n${lines}`);
      }
      verdicts[verdict]++;
    }
    assert(verdicts.linearizable > 5000, `${verdicts.linearizable} were linearizable`);
    assert(verdicts["not linearizable"] > 5000, `${verdicts["not linearizable"]} were not`);
  });

  test("accepts what a real store answered, and finds one answer that is falsified", () => {
    let found = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const random = seededRandom(seed, 1);
      const shape = {
        operations: integerBetween(random, 50, 400),
        clients: integerBetween(random, 2, 12),
        keys: integerBetween(random, 1, 4),
        values: 0,
        silentShare: chance(random, 0.5) ? 0.02 : 0,
        overlap: integerBetween(random, 1, 5),
        versions: true,
      };
      const history = drawnHistory(random, shape);
      assertEquals(checkHistory(history).verdict, "linearizable", `seed ${seed}`);
      const cut = shuffled(random, cutOff(random, history));
      assertEquals(checkHistory(cut).verdict, "linearizable", `seed ${seed}, cut and shuffled`);
      const wrong = falsified(random, history);
      if (wrong === undefined) continue;
      const { verdict, violation } = checkHistory(wrong);
      assert(verdict !== "unknown", `seed ${seed} is unknown`);
      if (verdict === "linearizable") continue;
      found++;
      assert(violation!.operations.length <= history.length, "the prefix is one");
    }
    // A falsified answer may still be legal: another order explains it. With versions, seldom.
    assert(found >= 87, `${found} of 100 were refused`);
  });

  test("checks 10,000 operations of 50 clients on 10 keys in few steps", () => {
    const random = seededRandom(7);
    const shape = { operations: 10_000, clients: 50, keys: 10, values: 0, overlap: 5 };
    const history = drawnHistory(random, { ...shape, silentShare: 0, versions: false });
    const { verdict, steps } = checkHistory(history);
    assertEquals(verdict, "linearizable");
    // About 1.2 million steps are a second.
    assert(steps < 600_000, `it took ${steps} steps`);
  });

  test("ends a hard history of 50 clients on one key as unknown, at its limit", () => {
    const random = seededRandom(3);
    const shape = { operations: 2000, clients: 50, keys: 1, values: 2, overlap: 50 };
    const drawn = drawnHistory(random, { ...shape, silentShare: 0.3, versions: false });
    const impossible: Operation<KvOp> = {
      client: "last",
      op: { kind: "get", key: "k1", value: "never put" },
      callMs: 1e6,
      returnMs: 1e6 + 1,
    };
    const budget = { ...DEFAULT_BUDGET, stepsMax: 50_000 };
    const { verdict, steps } = checkHistory([...drawn, impossible], budget);
    assertEquals(verdict, "unknown");
    assert(steps <= 50_000, `it took ${steps} steps`);
    const few = checkHistory([...drawn, impossible], { ...DEFAULT_BUDGET, memoMax: 1000 });
    assertEquals(few.verdict, "unknown");
    let looks = 0;
    const isOver = (): boolean => ++looks >= 3;
    assertEquals(
      checkHistory([...drawn, impossible], { ...DEFAULT_BUDGET, isOver }).verdict,
      "unknown",
    );
    assertEquals(looks, 3);
  });

  test("checks any model: a queue", () => {
    type QueueOp = { readonly put: string } | { readonly taken: string | undefined };
    const queue: Model<readonly string[], QueueOp> = {
      init: () => [],
      step: (state, op) => {
        if ("put" in op) return [...state, op.put];
        return state[0] === op.taken ? state.slice(1) : undefined;
      },
      equal: (a, b) => a.join() === b.join(),
      describe: (op) => JSON.stringify(op),
    };
    const at = (client: number, op: QueueOp, callMs: number, returnMs: number) => {
      return { client, op, callMs, returnMs };
    };
    const good = [
      at(1, { put: "a" }, 0, 5),
      at(2, { put: "b" }, 1, 3),
      at(3, { taken: "b" }, 4, 6),
    ];
    assertEquals(checkParts(queue, [good]).verdict, "linearizable");
    const bad = [...good, at(1, { taken: "b" }, 7, 8)];
    assertEquals(checkParts(queue, [good, bad]).verdict, "not linearizable");
  });
});

const get = (client: number, key: string, value: string | null, callMs: number) => {
  const op: KvOp = { kind: "get", key, value };
  return { client, op, callMs, returnMs: callMs + 1 };
};
const put = (client: number, key: string, value: string, callMs: number, returnMs = callMs + 1) => {
  const op: KvOp = { kind: "put", key, value, ok: returnMs === Infinity ? undefined : true };
  return { client, op, callMs, returnMs };
};

describe("checkHistory", () => {
  test("prints the shortest prefix that is wrong, and draws it", () => {
    const tail = Array.from({ length: 50 }, (_, i) => get(3, "x", "b", 100 + 2 * i));
    const history = [put(1, "x", "a", 0), put(2, "x", "b", 2), get(3, "x", "a", 4), ...tail];
    const { violation } = checkHistory(history);
    assertEquals(violation!.operations.length, 3);
    assert(violation!.isShortest);
    const text = violationText(violation!, KV_MODEL.describe);
    assertEquals(text.split("\n").slice(1), [
      '1  client 1  0..1  put x "a" -> done',
      '2  client 2  2..3  put x "b" -> done',
      '-  client 3  4..5  get x -> "a"',
    ]);
    const page = violationHtml(violation!, KV_MODEL.describe);
    assertEquals(page.match(/class="bar placed"/g)?.length, 2);
    assertEquals(page.match(/class="bar"/g)?.length, 1);
    assertEquals(page.match(/class="name"/g)?.length, 3);
    assert(!/<script|get x -> "/.test(page), "text is escaped");
  });

  test("lets what was never answered happen late, or never", () => {
    const late = [put(1, "x", "a", 0, Infinity), get(2, "x", null, 5), get(2, "x", "a", 50)];
    assertEquals(checkHistory(late).verdict, "linearizable");
    const back = [...late, get(2, "x", null, 60)];
    assertEquals(checkHistory(back).verdict, "not linearizable");
    const early = [get(2, "x", "a", 0), put(1, "x", "a", 5, Infinity)];
    assertEquals(checkHistory(early).verdict, "not linearizable");
  });

  test("takes together what a list or a change of several keys joins", () => {
    const multi: KvOp = {
      kind: "multi",
      changes: [
        { key: "a1", at: 0, value: "1" },
        { key: "a2", value: "2" },
      ],
      ok: true,
    };
    const list = (keys: readonly string[]): KvOp => {
      return { kind: "list", prefix: "a", entries: keys.map((key) => ({ key, value: key[1]! })) };
    };
    const at = (op: KvOp, callMs: number) => ({ client: 1, op, callMs, returnMs: callMs + 1 });
    const whole = [at(list([]), 0), at(multi, 2), at(list(["a1", "a2"]), 4)];
    assertEquals(partitionByKey([...whole, get(2, "b", null, 9)]).length, 2);
    assertEquals(checkHistory(whole).verdict, "linearizable");
    const half = [at(multi, 2), at(list(["a1"]), 2.5)];
    assertEquals(checkHistory(half).verdict, "not linearizable");
    const twice = [at(multi, 2), at(multi, 4)];
    assertEquals(checkHistory(twice).verdict, "not linearizable");
  });

  test("takes operations that touch for overlapping", () => {
    const touching = [put(1, "x", "a", 0, 5), get(2, "x", null, 5), get(3, "x", "a", 6)];
    assertEquals(checkHistory(touching).verdict, "linearizable");
    const apart = [put(1, "x", "a", 0, 5), get(2, "x", null, 5.1)];
    assertEquals(checkHistory(apart).verdict, "not linearizable");
  });

  test("lets a deleted key go on above its last version", () => {
    const at = (op: KvOp, callMs: number) => ({ client: 1, op, callMs, returnMs: callMs + 1 });
    const made = (version: number): KvOp => {
      return { kind: "put", key: "x", value: "a", ok: true, version };
    };
    const gone: KvOp = { kind: "delete", key: "x", value: null, ok: true, version: 1 };
    const history = [at(made(1), 0), at(gone, 2)];
    assertEquals(checkHistory([...history, at(made(2), 4)]).verdict, "linearizable");
    assertEquals(checkHistory([...history, at(made(1), 4)]).verdict, "not linearizable");
  });
});
