/** The miner's core in virtual time: joining, chunks, both wires, losing the server. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { PROGRESS_MS, REFUSED_MS_MAX, RETRY_MS_MAX, RETRY_MS_MIN } from "../../miner/core.ts";
import type { MinerEffect } from "../../miner/types.ts";
import { CLASSIC_JOIN, classicResult, decodeClassicMessage } from "../../work/classic.ts";
import type { Message } from "../../work/messages.ts";
import { assign, BEST, POOL, Rig, search, written } from "./rig.ts";

describe("MinerCore on the cbor wire", () => {
  test("joins once connected and the pool is known, in either order", () => {
    const early = new Rig();
    const join = { kind: "join", threads: 2, rate: 1000, label: "plain", name: "" } as const;
    assertEquals(written(early.up()), [join]);
    const late = new Rig();
    late.tell({ kind: "wake" });
    assertEquals(late.tell({ kind: "connected", wire: "cbor" }), []);
    assertEquals(written(late.tell(POOL)), [join]);
    assertEquals(late.tell(POOL), [], "never joins twice");
  });

  test("tells which kernel the measurement chose, and why; again when a thread or the server is lost", () => {
    const rig = new Rig();
    const kernel = {
      kind: "kernel",
      name: "fast",
      rate: 700,
      reason: "fastest of 2 measured",
    } as const;
    const { reason } = kernel;
    const told = { kind: "hashing", rate: 1400, threads: 2, label: "fast", reason } as const;
    rig.up();
    assertEquals(written(rig.tell(kernel)), [told]);
    assertEquals(rig.tell(POOL), [], "nothing has changed");
    const one = { ...POOL, threads: 1 };
    assertEquals(written(rig.tell(one)), [{ ...told, threads: 1, rate: 700 }]);
    rig.tell({ kind: "gone", reason: "lost" });
    assertEquals(rig.tell(kernel), [], "there is nobody to tell");
    rig.tell({ kind: "wake" }, RETRY_MS_MAX);
    const again = written(rig.tell({ kind: "connected", wire: "cbor" }));
    assertEquals(
      again.map((message) => (message as Message).kind),
      ["join", "hashing"],
    );
  });

  test("cuts a reason that is too long for its message", () => {
    const rig = new Rig();
    rig.up();
    const told = rig.tell({
      kind: "kernel",
      name: "k".repeat(99),
      rate: 1,
      reason: "é".repeat(999),
    });
    const [message] = written(told) as [Extract<Message, { kind: "hashing" }>];
    assertEquals([message.label, message.reason], ["k".repeat(64), "é".repeat(128)]);
  });

  test("an Assign starts a search, its Result names the server's chunk", () => {
    const rig = new Rig();
    rig.up();
    const target = 3n;
    assertEquals(rig.say({ ...assign(40), work: { ...assign(40).work, target } }), [
      { kind: "start", search: { ...search(1), target } },
    ]);
    const told = rig.tell({ kind: "finished", id: 1, best: BEST });
    assertEquals(written(told), [{ kind: "result", chunk: 40, best: BEST }]);
  });

  test("at most two chunks are outstanding; stopped ones do not count", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1));
    rig.say(assign(2));
    const declined = written(rig.say(assign(3)));
    assertEquals(declined, [{ kind: "stopped", chunk: 3, next: 0n }]);
    assertEquals(rig.core.rejected.get("too many chunks"), 1);
    assertEquals(rig.say({ kind: "stop", chunk: 2 }), [{ kind: "stop", id: 2 }]);
    assertEquals(rig.say(assign(4)), [{ kind: "start", search: search(3) }]);
    const told = rig.tell({ kind: "stopped", id: 2, next: 0n });
    assertEquals(written(told), [{ kind: "stopped", chunk: 2, next: 0n }]);
  });

  test("a server that assigns and stops without end is held to a limit", () => {
    const rig = new Rig();
    rig.up();
    for (let chunk = 1; chunk <= 100; chunk++) {
      rig.say(assign(chunk));
      rig.say({ kind: "stop", chunk });
    }
    assertEquals(rig.core.rejected.get("too many chunks"), 100 - 16);
  });

  test("Progress is told at most every 250 ms, the newest one", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1));
    const first = rig.tell({ kind: "progress", id: 1, next: 10n, best: BEST });
    assertEquals(written(first), [{ kind: "progress", chunk: 1, next: 10n, best: BEST }]);
    assertEquals(rig.tell({ kind: "progress", id: 1, next: 20n }, 50), []);
    assertEquals(rig.tell({ kind: "progress", id: 1, next: 30n }, 50), []);
    assertEquals(rig.core.wakeAtMs(), PROGRESS_MS);
    assertEquals(written(rig.tell({ kind: "wake" }, 150)), [
      { kind: "progress", chunk: 1, next: 30n },
    ]);
    assertEquals(rig.core.wakeAtMs(), undefined);
  });

  test("Progress that was not told yet is dropped with the end of its chunk", () => {
    for (const kind of ["finished", "stopped"] as const) {
      const rig = new Rig();
      rig.up();
      rig.say(assign(1));
      rig.tell({ kind: "progress", id: 1, next: 10n, best: BEST });
      assertEquals(rig.tell({ kind: "progress", id: 1, next: 20n }, 50), []);
      const told = rig.tell({ kind, id: 1, next: 30n, best: BEST }, 50);
      assertEquals(written(told).length, 1);
      assertEquals(rig.core.wakeAtMs(), undefined);
      assertEquals(rig.tell({ kind: "wake" }, PROGRESS_MS), []);
    }
  });

  test("Shrink is passed on and its confirmation told", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1, 50n));
    const asked = rig.say({ kind: "shrink", chunk: 1, upper: 60n });
    assertEquals(asked, [{ kind: "shrink", id: 1, upper: 60n }]);
    const told = rig.tell({ kind: "shrunk", id: 1, upper: 64n });
    assertEquals(written(told), [{ kind: "shrunk", chunk: 1, upper: 64n }]);
    assertEquals(rig.say({ kind: "shrink", chunk: 1, upper: 49n }), []);
    assertEquals(rig.core.rejected.get("shrink below the chunk"), 1);
  });

  test("Shrink and Stop of a chunk just finished are no fault, of one never heard of are", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1));
    rig.tell({ kind: "finished", id: 1, best: BEST });
    assertEquals(rig.say({ kind: "stop", chunk: 1 }), []);
    assertEquals(rig.say({ kind: "shrink", chunk: 1, upper: 9n }), []);
    assertEquals(rig.core.rejected.size, 0);
    rig.say({ kind: "stop", chunk: 9 });
    assertEquals(rig.core.rejected.get("unknown chunk"), 1);
  });

  // Regression: it said nothing, and the server took it for one that stands still, for ever.
  test("an Assign that cannot be read is answered, and the next one is taken", () => {
    const rig = new Rig();
    rig.up();
    // [2, 7, "\\xff", 0, 9, []]: the message is no UTF-8. Then one that is cut short.
    for (const [hex, chunk] of [
      ["85020761ff000980", 7],
      ["830208", 8],
    ] as const) {
      const told = rig.tell({ kind: "payload", payload: Uint8Array.fromHex(hex) });
      assertEquals(written(told), [{ kind: "stopped", chunk, next: 0n }]);
    }
    assertEquals(rig.core.rejected.get("malformed"), 2);
    assertEquals(rig.say(assign(9)), [{ kind: "start", search: search(1) }]);
    // One of a number that was used may be another chunk's: to answer would end that.
    const again = rig.tell({ kind: "payload", payload: Uint8Array.fromHex("830209") });
    assertEquals(again, []);
  });

  test("garbage, wrong kinds and reused chunk numbers are counted and ignored", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(5));
    for (const payload of [new Uint8Array(0), Uint8Array.of(0xff), new Uint8Array(1000)]) {
      assertEquals(rig.tell({ kind: "payload", payload }), []);
    }
    rig.say({ kind: "cancel", job: 1 });
    rig.say(assign(5));
    rig.say(assign(4));
    assertEquals(Object.fromEntries(rig.core.rejected), {
      malformed: 3,
      "unexpected kind": 1,
      "chunk number used before": 2,
    });
  });
});

describe("MinerCore losing its server", () => {
  test("stops all searches and ignores what the pool still tells of them", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1));
    rig.say(assign(2));
    assertEquals(rig.tell({ kind: "gone", reason: "lost" }), [
      { kind: "stop", id: 1 },
      { kind: "stop", id: 2 },
    ]);
    assertEquals(rig.wait(), [{ kind: "dial" }]);
    rig.tell({ kind: "connected", wire: "cbor" });
    assertEquals(rig.say(assign(1)), [{ kind: "start", search: search(3) }]);
    assertEquals(rig.tell({ kind: "finished", id: 1, best: BEST }), []);
    assertEquals(rig.tell({ kind: "stopped", id: 2, next: 5n }), []);
    assertEquals(rig.tell({ kind: "progress", id: 2, next: 5n }), []);
    const told = rig.tell({ kind: "finished", id: 3, best: BEST });
    assertEquals(written(told), [{ kind: "result", chunk: 1, best: BEST }]);
  });

  test("tries again for ever, waiting twice as long each time up to a limit, with jitter", () => {
    const rig = new Rig();
    rig.up();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      rig.tell({ kind: "gone", reason: "no answer" });
      waits.push(rig.core.wakeAtMs()! - rig.nowMs);
      assertEquals(rig.tell({ kind: "wake" }), [], "not before its time");
      assertEquals(rig.wait(), [{ kind: "dial" }]);
    }
    for (const [attempt, wait] of waits.entries()) {
      const ceiling = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** attempt);
      assert(wait >= ceiling / 2 && wait <= ceiling, `attempt ${attempt} waited ${wait} ms`);
    }
    assert(new Set(waits).size === waits.length, "jitter");
  });

  test("tells the same failure the 1st, 2nd, 4th, 8th ... time only, and every other one", () => {
    const rig = new Rig();
    rig.up();
    const told: string[] = [];
    for (const reason of [...Array<string>(20).fill("no answer"), "no host", "no answer"]) {
      rig.core.handle({ kind: "gone", reason }, rig.nowMs);
      for (let next = rig.core.poll(); next !== undefined; next = rig.core.poll()) {
        if (next.kind === "log") told.push(next.text.split(";")[0]!);
      }
      rig.wait();
    }
    const again = [2, 4, 8, 16].map((times) => `no answer (${times} times)`);
    assertEquals(told, ["no answer", ...again, "no host", "no answer"]);
  });

  // Regression: an Assign sufficed, so that a liar on the json wire was back after 0.2 s.
  test("the wait starts anew after a connection that held, not by work alone", () => {
    for (const held of [true, false]) {
      const rig = new Rig();
      rig.up();
      for (let attempt = 0; attempt < 8; attempt++) {
        rig.tell({ kind: "gone", reason: "no answer" });
        rig.wait();
      }
      rig.tell({ kind: "connected", wire: "cbor" });
      rig.say(assign(1));
      rig.tell({ kind: "gone", reason: "lost" }, held ? RETRY_MS_MAX : RETRY_MS_MAX - 1);
      const waitMs = rig.core.wakeAtMs()! - rig.nowMs;
      assert(held ? waitMs <= RETRY_MS_MIN : waitMs >= RETRY_MS_MAX / 2);
    }
  });

  test("a server that was restarted is dialled at once, unless it is gone again and again", () => {
    const rig = new Rig();
    rig.up();
    const restarted = { kind: "gone", reason: "the server was restarted", isThere: true } as const;
    assertEquals(rig.tell(restarted, 5000), []);
    assertEquals(rig.core.wakeAtMs(), rig.nowMs);
    assertEquals(rig.tell({ kind: "wake" }), [{ kind: "dial" }]);
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.tell(restarted, RETRY_MS_MIN - 1);
    assert(rig.core.wakeAtMs()! - rig.nowMs >= RETRY_MS_MIN / 2);
  });

  test("`once` exits with the reason, and then nothing more happens", () => {
    const rig = new Rig(true);
    rig.up();
    assertEquals(rig.tell({ kind: "gone", reason: "lost" }), [{ kind: "exit", reason: "lost" }]);
    assert(rig.core.exited);
    assertEquals(rig.tell({ kind: "connected", wire: "cbor" }), []);
    assertEquals(rig.tell({ kind: "wake" }, 1e9), []);
    assertEquals(rig.core.wakeAtMs(), undefined);
  });

  // Regression: the next Assign reset the wait, and a miner closed for strikes came back at once.
  test("refusals lead to waits that double, whatever came before each, until one ends otherwise", () => {
    const rig = new Rig();
    rig.up();
    for (let refusal = 0; refusal < 8; refusal++) {
      rig.say(assign(1));
      rig.nowMs += 10 * RETRY_MS_MAX;
      rig.say({ kind: "refused", job: 0, reason: "not trusted any more" });
      const waitMs = rig.core.wakeAtMs()! - rig.nowMs;
      const ceilingMs = Math.min(RETRY_MS_MAX * 2 ** refusal, REFUSED_MS_MAX);
      assert(waitMs >= ceilingMs / 2 && waitMs <= ceilingMs, `refusal ${refusal}: ${waitMs} ms`);
      assertEquals(rig.tell({ kind: "gone", reason: "closed" }), [], "the end of it is no news");
      rig.upAgain();
    }
    rig.tell({ kind: "gone", reason: "lost" });
    assert(rig.core.wakeAtMs()! - rig.nowMs <= RETRY_MS_MIN);
    rig.upAgain();
    rig.say({ kind: "refused", job: 0, reason: "full" });
    assert(rig.core.wakeAtMs()! - rig.nowMs <= RETRY_MS_MAX, "and then begin anew");
  });

  test("inputs in an order that makes no sense do nothing", () => {
    const rig = new Rig();
    assertEquals(rig.tell({ kind: "gone", reason: "?" }), []);
    assertEquals(rig.tell({ kind: "connected", wire: "json" }), []);
    assertEquals(rig.say(assign(1)), []);
    assertEquals(rig.tell({ kind: "finished", id: 1, best: BEST }), []);
    assertEquals(rig.tell({ kind: "wake" }), [{ kind: "dial" }]);
    assertEquals(rig.tell({ kind: "wake" }), []);
    rig.tell({ kind: "gone", reason: "no answer" });
    assertEquals(rig.tell({ kind: "connected", wire: "cbor" }), [], "too late");
    assertEquals(rig.say(assign(1)), []);
    assertEquals(rig.core.rejected.get("not connected"), 2);
  });
});

describe("MinerCore on the json wire", () => {
  const classic = (effects: MinerEffect[]) =>
    effects.flatMap((e) => (e.kind === "write" ? [decodeClassicMessage(e.payload)] : []));

  test("joins, answers a Request of any range with a Result, tells no progress", () => {
    const rig = new Rig();
    assertEquals(classic(rig.up("json")), [CLASSIC_JOIN]);
    const upper = 2n ** 64n - 1n;
    assertEquals(rig.request("msg", 0n, upper), [{ kind: "start", search: search(1, 0n, upper) }]);
    assertEquals(rig.tell({ kind: "progress", id: 1, next: 5n }), []);
    const told = rig.tell({ kind: "finished", id: 1, best: BEST });
    assertEquals(classic(told), [classicResult(BEST)]);
  });

  test("a second Request waits for the first one's Result", () => {
    const rig = new Rig();
    rig.up("json");
    rig.request("msg", 0n, 9n);
    assertEquals(rig.request("msg", 10n, 19n), []);
    rig.request("msg", 20n, 29n);
    assertEquals(rig.core.rejected.get("too many chunks"), 1);
    const told = rig.tell({ kind: "finished", id: 1, best: BEST });
    assertEquals(told[1], { kind: "start", search: search(2, 10n, 19n) });
  });

  test("a Request that cannot be read ends the connection: the wire has no word for it", () => {
    const rig = new Rig();
    rig.up("json");
    const payload = new TextEncoder().encode('{"Type":1,"Data":"\\ud800","Upper":9}');
    assertEquals(rig.tell({ kind: "payload", payload }), []);
    assertEquals(rig.core.rejected.get("malformed"), 1);
    assertEquals(rig.tell({ kind: "wake" }, RETRY_MS_MAX), [{ kind: "dial" }]);
  });

  test("an empty range is rejected", () => {
    const rig = new Rig();
    rig.up("json");
    assertEquals(rig.request("msg", 5n, 4n), []);
    assertEquals(rig.core.rejected.get("empty range"), 1);
  });

  test("losing the server stops only what had been started", () => {
    const rig = new Rig();
    rig.up("json");
    rig.request("msg", 0n, 9n);
    rig.request("msg", 10n, 19n);
    assertEquals(rig.tell({ kind: "gone", reason: "lost" }), [{ kind: "stop", id: 1 }]);
  });
});
