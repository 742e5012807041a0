/** What a client hears where asking again does not help: full disks and other versions. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { NO_SPACE_MS } from "../../kv/client_causes.ts";
import type { CallOutcome } from "../../kv/client_types.ts";
import {
  APP_VERSION,
  decodeReply,
  decodeRequest,
  encodeRequest,
  MESSAGES_VERSION,
  type Reply,
} from "../../kv/messages.ts";
import { takeLock } from "../../kv/lock_adapter.ts";
import { openStore, StoreError } from "../../kv/mod.ts";
import { ServerCore } from "../../kv/server_core.ts";
import { Store } from "../../kv/store.ts";
import type { ServerInput } from "../../kv/types.ts";
import { listen } from "../../lsp/mod.ts";
import { Desk } from "./client_desk.ts";

const FULL = "cannot write /data/log-1: ENOSPC: no space left on device";
const DONE = { kind: "done", revision: 1, version: 1 } as const;

function failureOf(outcome: CallOutcome | undefined): string {
  assert(outcome !== undefined && "failure" in outcome, "a call failed");
  return outcome.failure;
}

/** Numbers of the session's requests that were sent, from one request on. */
function numbersOf(desk: Desk, from: number): number[] {
  return desk.requests.slice(from).flatMap((one) => {
    if (one.kind === "write") return [one.number];
    return one.kind === "writes" ? Array.from({ length: one.count }, (_, i) => one.number + i) : [];
  });
}

/** Denies what is asked, again and again, for so long; by turns as `whys` says. */
function denyFor(desk: Desk, ms: number, ...whys: ("no space" | "no leader")[]): void {
  const endMs = desk.nowMs + ms;
  for (let answered = 0; desk.nowMs < endMs && desk.core.open > 0; desk.nowMs += 10) {
    desk.tell({ kind: "wake" });
    for (; answered < desk.requests.length; answered++) {
      const { id, kind } = desk.requests[answered]! as { id: number; kind: string };
      const why = whys[answered % whys.length]!;
      const about = why === "no space" ? { about: FULL } : {};
      if (kind !== "open") desk.reply({ kind: "denied", id, why, leader: "", ...about });
    }
  }
}

describe("a client whose servers have no space", () => {
  test("hears so, with the cause, once none has had any for a while; it was not done", () => {
    const desk = new Desk();
    desk.put(1);
    denyFor(desk, NO_SPACE_MS - 500, "no space");
    assertEquals([desk.outcomes.length, desk.core.open], [0, 1]);
    denyFor(desk, 2000, "no space");
    const [outcome] = desk.outcomes;
    assertEquals(failureOf(outcome), "no space");
    assertStringIncludes((outcome as { about: string }).about, FULL);
    assertStringIncludes((outcome as { about: string }).about, "make room there");
    // The next call hears it at once, its number is used up by nothing, and then all is well.
    desk.put(2);
    desk.until(desk.nowMs + 500);
    denyFor(desk, 1, "no space");
    assertEquals(desk.outcomes.map(failureOf), ["no space", "no space"]);
    const from = desk.requests.length;
    desk.until(desk.nowMs + 500);
    assertEquals(numbersOf(desk, from), [1, 2]);
  });

  test("hears so where some of them have space, but know of no leader", () => {
    const desk = new Desk(["a", "b", "c"]);
    desk.put(1);
    denyFor(desk, 10_000, "no leader", "no space", "no space");
    assertEquals(desk.outcomes.map(failureOf), ["no space"]);
  });

  test("hears nothing where another does it: only what lasts counts", () => {
    const desk = new Desk();
    for (let i = 1; i <= 8; i++) {
      desk.put(i);
      denyFor(desk, NO_SPACE_MS / 3, "no space");
      desk.until(desk.nowMs + 500);
      const { id } = desk.requests.at(-1) as { id: number };
      desk.reply({ kind: "answer", id, answer: DONE });
      assertEquals(desk.core.open, 0, `put ${i}`);
    }
    assert(desk.outcomes.every((one) => "reply" in one));
    // Nor of what was a while ago.
    desk.put(9);
    denyFor(desk, 1000, "no space");
    desk.tell({ kind: "abort", id: 9 });
    desk.until(desk.nowMs + 60_000);
    desk.put(10);
    denyFor(desk, 1000, "no space");
    assertEquals(desk.outcomes.slice(8).map(failureOf), ["aborted"]);
  });

  test("is not told that a write was not done that may have been", () => {
    const desk = new Desk();
    desk.put(1);
    desk.deny("unsure");
    denyFor(desk, 10_000, "no space");
    assertEquals(desk.outcomes.map(failureOf), ["unknown"]);
  });
});

describe("a client of another version than its servers", () => {
  const refusal = { why: "other version", about: "versions differ: we have 2" } as const;

  test("goes on while one of them takes it, and hears so when all refuse it", () => {
    const desk = new Desk(["a", "b", "c"]);
    desk.onDial = (server) => (server === "c" ? { why: "lost", about: "silent" } : refusal);
    desk.put(1);
    desk.tell({ kind: "watch", id: 7, prefix: "", after: undefined });
    desk.until(20_000);
    assertEquals(desk.outcomes, []);
    assert(desk.dialled.length > 10);
    desk.onDial = () => refusal;
    desk.until(40_000);
    assertEquals(desk.outcomes.map(failureOf), ["other version"]);
    assertStringIncludes((desk.outcomes[0] as { about: string }).about, refusal.about);
    assertEquals(
      desk.ends.map(({ id, why }) => [id, why]),
      [[7, "other version"]],
    );
    // A server of its version makes it well.
    desk.onDial = () => undefined;
    desk.put(2);
    desk.until(60_000);
    const { id } = desk.requests.at(-1) as { id: number };
    desk.reply({ kind: "answer", id, answer: DONE });
    assert("reply" in desk.outcomes.at(-1)!);
  });

  test("hears so when the leader that others name refuses it", () => {
    const desk = new Desk(["a", "b"]);
    desk.onDial = (server) => (server === "leader" ? refusal : undefined);
    desk.put(1);
    for (let answered = 0; desk.nowMs < 30_000 && desk.core.open > 0; desk.nowMs += 10) {
      desk.tell({ kind: "wake" });
      for (; answered < desk.requests.length; answered++) {
        const { id, kind } = desk.requests[answered]! as { id: number; kind: string };
        if (kind === "open") continue;
        desk.reply({ kind: "denied", id, why: "not leader", leader: "leader" });
      }
    }
    assertEquals(desk.outcomes.map(failureOf), ["other version"]);
  });

  test("hears so when a server answers what it does not know, or hangs up when asked", () => {
    for (const strange of [true, false]) {
      const desk = new Desk(["a"]);
      desk.tell({
        kind: "calls",
        calls: [{ id: 1, call: { kind: "get", key: "x", isStale: false }, deadlineMs: undefined }],
      });
      for (let times = 1; times <= 3; times++) {
        assertEquals(desk.outcomes.length, 0, `${times}`);
        const asked = desk.requests.length;
        if (strange) desk.tell({ kind: "payload", bytes: Uint8Array.of(MESSAGES_VERSION, 99, 1) });
        else desk.tell({ kind: "gone", why: "closed", about: "" });
        desk.until(desk.nowMs + 1000);
        assert(desk.requests.length > asked || times === 3, "it asks again");
      }
      assertEquals(desk.outcomes.map(failureOf), ["misunderstood"]);
    }
  });

  test("hears at once that a call was not understood; those behind it go on", () => {
    const desk = new Desk();
    desk.put(1);
    desk.deny("malformed");
    assertEquals(desk.outcomes.map(failureOf), ["malformed"]);
    desk.put(2);
    desk.until(1000);
    // The number of the one before is used up by nothing: its session would wait for it.
    assertEquals(numbersOf(desk, 2), [1, 2]);
    desk.tell({ kind: "watch", id: 9, prefix: "", after: undefined });
    desk.until(desk.nowMs + 100);
    desk.deny("malformed");
    assertEquals(
      desk.ends.map(({ id, why }) => [id, why]),
      [[9, "malformed"]],
    );
  });
});

describe("a server", () => {
  function serverOf(): { tell(input: ServerInput): void; replies: Reply[]; ended: number[] } {
    const core = new ServerCore({
      store: new Store(),
      random: seededRandom(1),
      status: () => "{}",
    });
    const replies: Reply[] = [];
    const ended: number[] = [];
    const tell = (input: ServerInput): void => {
      core.handle(input, 0);
      for (let effect = core.poll(); effect; effect = core.poll()) {
        if (effect.kind === "send") replies.push(decodeReply(effect.bytes)!);
        if (effect.kind === "close") ended.push(effect.client);
      }
    };
    return { tell, replies, ended };
  }

  test("without space says so instead of that it knows no leader, until it has some", () => {
    const { tell, replies } = serverOf();
    const ask = (): void => {
      tell({ kind: "message", client: 1, bytes: encodeRequest({ kind: "open", id: 4 }) });
    };
    const denied = { kind: "denied", id: 4, leader: "" } as const;
    ask();
    tell({ kind: "disk", trouble: FULL });
    ask();
    // One that leads is another's affair.
    tell({ kind: "role", isLeader: false, leader: "10.0.0.2:1" });
    ask();
    tell({ kind: "role", isLeader: false, leader: "" });
    tell({ kind: "disk", trouble: "" });
    ask();
    assertEquals(replies, [
      { ...denied, why: "no leader" },
      { ...denied, why: "no space", about: FULL },
      { ...denied, why: "not leader", leader: "10.0.0.2:1" },
      { ...denied, why: "no leader" },
    ]);
  });

  test("answers a request of a kind, or with a bit, that it does not know; else it hangs up", () => {
    const { tell, replies, ended } = serverOf();
    const list = {
      kind: "list",
      id: 5,
      prefix: "",
      after: "",
      keysMax: 1,
      isStale: false,
    } as const;
    const withBit = encodeRequest(list);
    withBit[withBit.length - 1] = 128;
    assertEquals(decodeRequest(withBit), undefined);
    for (const bytes of [withBit, Uint8Array.of(MESSAGES_VERSION, 77, 6, 1, 2, 3)]) {
      tell({ kind: "message", client: 1, bytes });
    }
    assertEquals(
      replies.map((one) => [one.kind, one.kind === "denied" && one.why, "id" in one && one.id]),
      [
        ["denied", "malformed", 5],
        ["denied", "malformed", 6],
      ],
    );
    assertEquals(ended, []);
    for (const bytes of [
      Uint8Array.of(MESSAGES_VERSION + 1, 0, 1),
      Uint8Array.of(),
      new Uint8Array(3),
    ]) {
      tell({ kind: "message", client: 1, bytes });
    }
    assertEquals([ended, replies.length], [[1, 1, 1], 2]);
  });
});

describe("a lock", () => {
  test("that is not taken in time is named, whichever clock strikes first", async () => {
    for (const code of ["TIMED_OUT", "UNKNOWN"] as const) {
      // Its call is given up before the time for the lock is over.
      const store = {
        lease: () => Promise.reject(new StoreError(code, "no answer in time")),
        put: () => Promise.reject(new Error("there is no lease")),
        watch: () => (async function* () {})(),
        client: { why: "" },
      };
      const error = await assertRejects(
        () => takeLock(store, "job", { timeoutMs: 1_000_000 }),
        StoreError,
      );
      assertEquals([error.code, error.message], ["TIMED_OUT", "the lock job was not free in time"]);
    }
  });
});

describe("openStore", () => {
  test("rejects with OTHER_VERSION and one line where the server's version is another", async () => {
    const server = await listen({ host: "127.0.0.1", port: 0, appVersion: APP_VERSION + 1 });
    try {
      await using store = openStore({ servers: [`127.0.0.1:${server.port}`] });
      const error = await assertRejects(() => store.put("x", "1"), StoreError);
      assertEquals(error.code, "OTHER_VERSION");
      const own = `kv messages ${MESSAGES_VERSION}`;
      assertStringIncludes(error.message, `kv messages ${MESSAGES_VERSION + 1}; we have LSP`);
      assert(error.message.endsWith(own) && !error.message.includes("\n"), error.message);
      await assertRejects(() => Array.fromAsync(store.watch("")), StoreError, "versions differ");
    } finally {
      await server.close();
    }
  });
});
