/** The library on real sockets: values, watches, leases, locks, errors, and the courses' styles. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  ClassicClerk,
  KEY_BYTES_MAX,
  type KvStore,
  openStore,
  type RunningStore,
  serveStore,
  type StoreChange,
  StoreError,
  UnknownOutcome,
  VALUE_BYTES_MAX,
  VersionedClerk,
} from "../../kv/mod.ts";
import { CuttableRelay } from "../support/relay.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { until } from "../support/waiting.ts";

const closing: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Short epochs: a connection that is cut is given up soon. */
const PARAMS = { epochMillis: 50, epochLimit: 5 };
/** The others are not given up when this process gets no processor for a while. */
const PATIENT = { epochMillis: 100, epochLimit: 15 };

async function opened(
  timeoutMs?: number,
): Promise<{ store: KvStore; port: number; server: RunningStore }> {
  const server = await serveStore({ port: 0, params: PARAMS });
  const { port } = server;
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  const store = openStore({ servers: [`127.0.0.1:${port}`], params: PARAMS, ...timeout });
  closing.push(server, store);
  return { store, port, server };
}

async function first(changes: AsyncIterable<StoreChange>, count: number): Promise<StoreChange[]> {
  const found: StoreChange[] = [];
  for await (const change of changes) if (found.push(change) === count) break;
  return found;
}

describe("openStore", () => {
  test("keeps bytes as they are, up to the largest value", async () => {
    const { store } = await opened();
    const key = Uint8Array.from({ length: 256 }, (_, i) => i);
    const large = Uint8Array.from({ length: VALUE_BYTES_MAX }, (_, i) => i * 7);
    assertEquals((await store.put(key, large)).version, 1);
    assertEquals((await store.get(key))!.value, large);
    await store.put("empty", "");
    assertEquals((await store.get("empty"))!.value.length, 0);
    assertEquals(await store.get("none"), undefined);
    const listed = await Array.fromAsync(store.list());
    assertEquals(
      listed.map((entry) => entry.keyBytes.length),
      [256, 5],
    );
  });

  test("meets conditions or refuses, of one key and of several", async () => {
    const { store } = await opened();
    await store.put("a", "1");
    const refused = await store.put("a", "2", { at: 0 });
    assertEquals([refused.isDone, refused.version], [false, 1]);
    assertEquals((await store.append("a", "+", { at: 1 })).version, 2);
    const sets = [
      { key: "a", at: 2, value: "3" },
      { key: "b", at: 0, value: "4" },
    ];
    assertEquals((await store.compareAndSet(sets)).versions, [3, 1]);
    const late = await store.compareAndSet(sets);
    assertEquals([late.isDone, late.versions], [false, [3, 1]]);
    assertEquals((await store.delete("b")).version, 1);
    assertEquals((await store.delete("b")).isDone, false);
    assertEquals((await store.put("b", "5")).version, 2);
  });

  test("makes many calls at once, one client's on one key in their order", async () => {
    const { store } = await opened();
    const calls = Array.from({ length: 500 }, (_, i) => store.append("x", `${i};`));
    const seen = store.get("x");
    await Promise.all(calls);
    assertEquals((await seen)!.text, Array.from({ length: 500 }, (_, i) => `${i};`).join(""));
  });

  test("makes many large calls at once, more than a connection takes", async () => {
    const { store } = await opened();
    const value = new Uint8Array(300_000).fill(9);
    const keys = Array.from({ length: 60 }, (_, i) => `large ${i}`);
    await Promise.all(keys.map((key) => store.put(key, value)));
    const found = await Promise.all(keys.map((key) => store.get(key)));
    assert(found.every((one) => Buffer.compare(one!.value, value) === 0));
    assertEquals((await Array.fromAsync(store.list("large"))).length, 60);
  });

  test("watches from now on, or from a revision, in order", async () => {
    const { store } = await opened();
    await store.put("a1", "1");
    const { promise: begun, resolve } = Promise.withResolvers<void>();
    const later = first(store.watch("a", { onProgress: () => resolve() }), 2);
    await begun;
    await store.put("b", "2");
    await store.put("a2", "3");
    await store.delete("a1");
    const shown = (change: StoreChange): string =>
      `${change.revision} ${change.key} ${change.version} ${change.value?.length}`;
    assertEquals((await later).map(shown), ["3 a2 1 1", "4 a1 1 undefined"]);
    const all = await first(store.watch("", { after: 0 }), 4);
    assertEquals(
      all.map(({ revision }) => revision),
      [1, 2, 3, 4],
    );
  });

  test("lets keys go with their lease, and a lock from owner to owner with rising tokens", async () => {
    const { store, port } = await opened();
    const lease = await store.lease(60_000);
    await store.put("here", "yes", { lease });
    await lease.release();
    assertEquals(await store.get("here"), undefined);
    await assertRejects(() => store.put("here", "no", { lease }), StoreError, "the lease is over");

    const held = await store.lock("job", { value: "first" });
    assertEquals((await store.get(held.key))!.text, "first");
    const other = openStore({ servers: [`127.0.0.1:${port}`], params: PARAMS });
    closing.push(other);
    const late = await assertRejects(
      () => other.lock("job", { timeoutMs: 50 }),
      StoreError,
      "the lock job was not ",
    );
    assertEquals(late.code, "TIMED_OUT");
    const next = other.lock("job");
    await held.release();
    const { token, release } = await next;
    assert(token > held.token, `${token} after ${held.token}`);
    await release();
  });

  test("elects one at a time, and shows everybody who it is", async () => {
    const { store } = await opened();
    const over = new AbortController();
    const seen: (string | undefined)[] = [];
    const watching = (async () => {
      for await (const one of store.elected("head", over)) seen.push(one?.text);
    })();
    await until("nobody", () => seen.length === 1);
    const first = await store.elect("head", "anna");
    await until("the first", () => seen.length === 2);
    const second = store.elect("head", "bert");
    await first.release();
    await (await second).release();
    await until("all changes", () => seen.length === 5);
    assertEquals(seen, [undefined, "anna", undefined, "bert", undefined]);
    over.abort();
    await watching;
  });

  test("loses a lock whose owner falls silent", async () => {
    const { store, port } = await opened();
    const relay = await CuttableRelay.to(port);
    closing.push(relay);
    const servers = [`127.0.0.1:${relay.port}`];
    const other = openStore({ servers, params: PARAMS });
    closing.push(other);
    const lock = await other.lock("job", { ttlMs: 1000 });
    const { promise: lost, resolve } = Promise.withResolvers<unknown>();
    lock.lost.addEventListener("abort", () => resolve(lock.lost.reason));
    relay.isCut = true;
    assertEquals(((await lost) as StoreError).code, "NO_LEASE");
    const taken = await store.lock("job");
    assert(taken.token > lock.token);
    relay.isCut = false;
  });

  test("waits on for a lock although the waiter's lease ends meanwhile", async () => {
    const { store, port, server } = await opened();
    const relay = await CuttableRelay.to(port);
    closing.push(relay);
    const other = openStore({ servers: [`127.0.0.1:${relay.port}`], params: PARAMS });
    closing.push(other);
    const held = await store.lock("job", { ttlMs: 600_000 });
    const next = other.lock("job", { ttlMs: 300 });
    const leases = (): number => server.store.leases.size;
    await until("the waiter's lease", () => leases() === 2);
    relay.isCut = true;
    await until("its end", () => leases() === 1);
    relay.isCut = false;
    await until("another", () => leases() === 2);
    await held.release();
    const { token, release } = await next;
    assert(token > held.token);
    await release();
  });

  test("lists and watches without keys that go with a lease, if asked to", async () => {
    const { store } = await opened();
    await store.put("a", "stays");
    await using lease = await store.lease(60_000);
    await store.put("b", "goes", { lease });
    await store.put("c", "goes", { lease });
    await store.put("c", "stays");
    const listed = await Array.fromAsync(store.list("", { isLasting: true }));
    assertEquals(
      listed.map(({ key }) => key),
      ["a", "c"],
    );
    const shown = async (isLasting: boolean): Promise<string[]> => {
      const changes = await first(store.watch("", { after: 0, isLasting }), 4);
      return changes.map(({ key, value }) => `${key} ${value === undefined ? "gone" : "set"}`);
    };
    assertEquals(await shown(true), ["a set", "b gone", "c gone", "c set"]);
    assertEquals(await shown(false), ["a set", "b set", "c set", "c set"]);
  });

  test("says of each failure what it is", async () => {
    const { store } = await opened();
    const codeOf = async (call: () => Promise<unknown>): Promise<string> =>
      (await assertRejects(call, StoreError)).code;
    assertEquals(await codeOf(async () => store.put("", "x")), "INVALID");
    assertEquals(
      await codeOf(async () => store.put("k".repeat(KEY_BYTES_MAX + 1), "x")),
      "INVALID",
    );
    assertEquals(await codeOf(() => store.lease(10)), "INVALID");
    assertEquals(await codeOf(() => store.list("", { keysMax: 0 }).next()), "INVALID");
    const large = new Uint8Array(VALUE_BYTES_MAX + 1);
    assertEquals(await codeOf(async () => store.put("x", large)), "INVALID");
    await store.put("x", large.subarray(1));
    assertEquals(await codeOf(() => store.append("x", "y")), "TOO_LARGE");
    const gone = AbortSignal.abort();
    assertEquals(await codeOf(() => store.get("x", { signal: gone })), "ABORTED");
    assertEquals(await codeOf(() => store.manage("remove", 7)), "NOT_DONE");
    await store.close();
    assertEquals(await codeOf(() => store.get("x")), "CLOSED");
  });

  test("without a server gives up in time, and knows that nothing was done", async () => {
    const store = openStore({ servers: ["127.0.0.1:9"], timeoutMs: 50, params: PARAMS });
    closing.push(store);
    const error = await assertRejects(() => store.put("x", "y"), StoreError, "it was not done");
    assertEquals(error.code, "TIMED_OUT");
  });
});

describe("a connection that swallows answers:", () => {
  const test = sideBySide();

  /** A store whose answers can be lost until its connection is given up, and one without that. */
  async function cut() {
    // Only the connection that is cut is given up so soon that a pause of this process does it.
    const server = await serveStore({ port: 0, params: PATIENT });
    const direct = openStore({ servers: [`127.0.0.1:${server.port}`], params: PATIENT });
    const relay = await CuttableRelay.to(server.port);
    const store = openStore({ servers: [`127.0.0.1:${relay.port}`], params: PARAMS });
    const dispose = async (): Promise<void> => {
      relay.isDeaf = false;
      for (const one of [store, relay, direct, server]) await one[Symbol.asyncDispose]();
    };
    return { store, relay, direct, [Symbol.asyncDispose]: dispose };
  }

  /**
   * A call of `store` that was done, and whose connection was given up before its answer came. When
   * the connection was given up so soon that the call did not get there, it is tried again.
   */
  async function swallowed<T>(
    { store, relay, direct }: Awaited<ReturnType<typeof cut>>,
    call: (key: string) => Promise<T>,
    before: string | undefined = undefined,
  ): Promise<{ key: string; outcome: Promise<T> }> {
    for (let attempt = 1; ; attempt++) {
      const key = `x${attempt}`;
      if (before !== undefined) await direct.put(key, before);
      await store.put("warm", "up");
      relay.isDeaf = true;
      const outcome = call(key);
      // Only then does a client send again.
      await until("the end of a connection", () => store.client.trouble !== "");
      if ((await direct.get(key))?.text !== before) return { key, outcome };
      relay.isDeaf = false;
      await outcome;
    }
  }

  test("an append that is sent again is done once", async () => {
    await using stores = await cut();
    const { key, outcome } = await swallowed(stores, (x) => stores.store.append(x, "once;"));
    stores.relay.isDeaf = false;
    assertEquals((await outcome).version, 1);
    assertEquals((await stores.direct.get(key))!.text, "once;");
  });

  test("a put in time is unknown, and its error has a class of its own", async () => {
    await using stores = await cut();
    const over = new AbortController();
    const { signal } = over;
    const { outcome } = await swallowed(stores, (x) => stores.store.put(x, "y", { signal }));
    over.abort();
    await assertRejects(() => outcome, UnknownOutcome, "it may have been done");
  });

  test("a versioned put that meets its own first sending answers maybe", async () => {
    await using stores = await cut();
    const clerk = new VersionedClerk(stores.store);
    const { key, outcome } = await swallowed(stores, (x) => clerk.put(x, "2", 1), "1");
    stores.relay.isDeaf = false;
    assertEquals(await outcome, "maybe");
    assertEquals(await clerk.get(key), { value: "2", version: 2 });
  });

  test("a versioned put is done, or says whether the key or its version is not as asked", async () => {
    await using stores = await cut();
    const clerk = new VersionedClerk(stores.direct);
    assertEquals(await clerk.put("v", "1", 3), "no key");
    assertEquals(await clerk.put("v", "1", 0), "ok");
    assertEquals(await clerk.put("v", "2", 0), "version");
  });
});

test("a classic clerk gets, puts and appends", async () => {
  const { store } = await opened();
  const clerk = new ClassicClerk(store);
  assertEquals(await clerk.get("x"), "");
  await clerk.append("x", "a");
  await clerk.append("x", "b");
  assertEquals(await clerk.get("x"), "ab");
  await clerk.put("x", "c");
  assertEquals(await clerk.get("x"), "c");
});
