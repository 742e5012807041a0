/** What strangers send to an actor, and how much of it is taken. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeEnvelope } from "../../geo/envelope.ts";
import {
  AHEAD_MS_MAX,
  CELL_SUM_MAX,
  CELLS_MAX,
  CLIENT_WATCHES_MAX,
  KEY_BYTES_MAX,
  PAGE_KEYS_MAX,
  VALUE_BYTES_MAX,
  WAITING_MAX,
} from "../../geo/limits.ts";
import { QueryCore } from "../../geo/core.ts";
import { Replica } from "../../geo/replica.ts";
import {
  type Answer,
  decodeReply,
  decodeRequest,
  encodeRequest,
  type Operation,
} from "../../geo/requests.ts";
import { GeoWorld } from "../../sim/geo/world.ts";

/** What a server answers. */
function answerOf(world: GeoWorld, operation: Operation): Answer | undefined {
  let got: Answer | undefined;
  const [node] = world.nodes.values();
  world.ask(node!, 0, operation, (answer) => (got = answer));
  return got;
}

function served(): GeoWorld {
  const world = new GeoWorld({ seed: 1 });
  world.server(1, 1, []);
  return world;
}

describe("limits", () => {
  test("keys that are empty or the store's own are refused", () => {
    const world = served();
    for (const key of ["", "\0server\0x"]) {
      for (const kind of ["delete", "add", "put"] as const) {
        const operation = { kind, key, delta: 1, value: new Uint8Array(0) } as Operation;
        assertEquals(answerOf(world, operation), { kind: "refused", why: "invalid" });
      }
    }
  });

  test("a key, a value and a number over their limits are no requests", () => {
    const long: Operation = { kind: "get", key: "k".repeat(KEY_BYTES_MAX + 1) };
    assertEquals(decodeRequest(encodeRequest({ id: 1, actor: 0, operation: long })), undefined);
    const value = new Uint8Array(VALUE_BYTES_MAX + 1);
    const put: Operation = { kind: "put", key: "k", value };
    assertEquals(decodeRequest(encodeRequest({ id: 1, actor: 0, operation: put })), undefined);
    const add: Operation = { kind: "add", key: "k", delta: CELL_SUM_MAX + 1 };
    assertEquals(decodeRequest(encodeRequest({ id: 1, actor: 0, operation: add })), undefined);
  });

  test("the largest key and value are taken, and go to another server", () => {
    const world = new GeoWorld({ seed: 1 });
    const [first, second] = world.servers(2, 1);
    world.run(5000);
    const key = "k".repeat(KEY_BYTES_MAX);
    const value = new Uint8Array(VALUE_BYTES_MAX).fill(7);
    world.ask(first!, 0, { kind: "put", key, value });
    world.run(2000);
    assertEquals(second!.cores[0]!.replica.shown(key).value, value);
  });

  test("a list comes in pages", () => {
    const world = served();
    const [node] = world.nodes.values();
    const count = PAGE_KEYS_MAX + 5;
    for (let i = 0; i < count; i++) world.put(node!, 0, `k${String(i).padStart(5, "0")}`, "v");
    const page = { kind: "list", prefix: "k", after: "", keysMax: PAGE_KEYS_MAX } as const;
    const first = answerOf(world, page);
    assert(first?.kind === "listed" && first.hasMore && first.all.length === PAGE_KEYS_MAX);
    const rest = answerOf(world, { ...page, after: first.all.at(-1)!.key });
    assert(rest?.kind === "listed" && !rest.hasMore && rest.all.length === 5);
  });

  test("a counter's share of one actor ends at its limit", () => {
    const world = served();
    const add = (delta: number): Answer | undefined =>
      answerOf(world, { kind: "add", key: "n", delta });
    assertEquals(add(CELL_SUM_MAX), { kind: "added", count: CELL_SUM_MAX });
    assertEquals(add(1), { kind: "refused", why: "overflow" });
    assertEquals(add(-1), { kind: "added", count: CELL_SUM_MAX - 1 });
  });
});

describe("limits of what grows", () => {
  test("a counter has at most so many cells: one more is refused, those that are there grow", () => {
    const replica = new Replica();
    const cell = (actor: number, plus: number) =>
      ({ kind: "cell", key: "n", actor, plus, minus: 0 }) as const;
    for (let actor = 1; actor <= CELLS_MAX; actor++) {
      assertEquals(replica.merge(cell(actor, 1), 0), "new");
    }
    assertEquals(replica.merge(cell(CELLS_MAX + 1, 1), 0), "refused");
    assertEquals(replica.merge(cell(1, 2), 0), "new");
    assertEquals(replica.count("n"), CELLS_MAX + 1);
  });

  test("a client watches at most so much", () => {
    const world = served();
    const watch = { kind: "watch", prefix: "" } as const;
    for (let i = 0; i < CLIENT_WATCHES_MAX; i++) answerOf(world, watch);
    assertEquals(world.events.size, CLIENT_WATCHES_MAX);
    assertEquals(answerOf(world, watch), { kind: "refused", why: "too many" });
  });

  test("at most so many writes wait for the disk", () => {
    const own = { address: "10.0.0.1:1", life: 1, index: 0, actors: 1, joins: [] };
    const rest = { wallMs: () => 1_750_000_000_000, entries: [], isDurable: true };
    const core = new QueryCore({ ...own, ...rest }, 0);
    const answers: (Answer | undefined)[] = [];
    let tickets = 0;
    const drain = (): void => {
      for (let effect = core.poll(); effect !== undefined; effect = core.poll()) {
        if (effect.kind === "reply") answers.push(decodeReply(effect.bytes)?.answer);
        if (effect.kind === "keep") tickets = effect.ticket;
      }
    };
    const put = { kind: "put", key: "k", value: new Uint8Array(1) } as const;
    for (let id = 1; id <= WAITING_MAX + 1; id++) {
      core.handle(
        { kind: "request", client: 1, bytes: encodeRequest({ id, actor: 0, operation: put }) },
        0,
      );
      drain();
    }
    assertEquals(answers, [{ kind: "refused", why: "too many" }]);
    core.handle({ kind: "kept", ticket: tickets }, 0);
    drain();
    assertEquals(answers.length, WAITING_MAX + 1);
  });

  test("who dates too far ahead is named, and no key of the store's own", () => {
    const world = served();
    const [first] = world.nodes.values();
    const second = world.server(2, 1, []);
    second.crash();
    second.aheadMs = 2 * AHEAD_MS_MAX;
    second.start();
    world.network.faults = { ...world.network.faults, latencyMs: 1 };
    const third = world.server(3, 1, [first!.address, second.address]);
    world.run(5000);
    const [warning = ""] = third.warnings;
    assert(warning.startsWith(`refused what ${second.address} says of itself, dated 2`), warning);
  });
});

describe("strangers' bytes", () => {
  test("are no request, reply or envelope, and never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        decodeRequest(bytes);
        decodeReply(bytes);
        decodeEnvelope(bytes);
      }),
    );
  });

  test("are counted by the actor that gets them", () => {
    const world = served();
    const [node] = world.nodes.values();
    node!.receive(0, { from: "x:1#0", to: "y:1#0", bytes: new Uint8Array([1, 2, 3]) });
    node!.request(0, 1, new Uint8Array([200]));
    const { sync, counts } = node!.cores[0]!;
    assertEquals([sync.malformed, counts.malformed], [1, 1]);
  });
});
