/** The client's core: jobs on both wires, and answers that it does not believe. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { whyNot } from "../../client/checks.ts";
import { ClientCore, type ClientCoreOptions, JOBS_MAX } from "../../client/core.ts";
import type { ClientEffect, ClientInput } from "../../client/types.ts";
import {
  classicRequest,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import { hashNonce, UINT64_MAX } from "../../work/hash.ts";
import type { Message } from "../../work/messages.ts";
import type { SearchSpec } from "../../work/subject.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

const WORK: SearchSpec = { subject: "msg", lower: 0n, upper: 99n };
const SESSION = 2n ** 64n - 1n;
const BEST = { hash: hashNonce("msg", 1n), nonce: 1n };

class Rig {
  readonly core: ClientCore;

  constructor(options: Partial<ClientCoreOptions> = {}) {
    this.core = new ClientCore({ session: SESSION, ...options });
  }

  tell(input: ClientInput): ClientEffect[] {
    this.core.handle(input, 0);
    const all: ClientEffect[] = [];
    for (let e = this.core.poll(); e !== undefined; e = this.core.poll()) all.push(e);
    return all;
  }

  say(message: Message): ClientEffect[] {
    return this.tell({ kind: "payload", payload: encodeMessage(message) });
  }

  submit(job: number, work = WORK): ClientEffect[] {
    return this.tell({ kind: "submit", job, work });
  }
}

const messages = (effects: ClientEffect[]) =>
  effects.flatMap((e) => (e.kind === "write" ? [decodeMessage(e.payload)] : []));
const reasonOf = (effects: ClientEffect[]) =>
  effects.map((e) => (e.kind === "refused" ? e.reason : "")).join("");

describe("ClientCore on the cbor wire", () => {
  test("sends jobs once connected, several at a time", () => {
    const rig = new Rig();
    assertEquals(rig.submit(1), []);
    const told = messages(rig.tell({ kind: "connected", wire: "cbor" }));
    assertEquals(told, [{ kind: "submit", job: 1, session: SESSION, work: WORK }]);
    const second = messages(rig.submit(2, { ...WORK, target: 5n }));
    assertEquals(second, [
      { kind: "submit", job: 2, session: SESSION, work: { ...WORK, target: 5n } },
    ]);
  });

  test("is connected once, and not after it was gone", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.submit(1);
    assertEquals(rig.tell({ kind: "connected", wire: "json" }), []);
    const answer = { kind: "answer", job: 1, best: BEST, met: true } as const;
    assertEquals(rig.say(answer).at(-1), answer, "the first wire counts");
    const late = new Rig();
    late.tell({ kind: "gone", reason: "no answer" });
    late.tell({ kind: "connected", wire: "cbor" });
    assertEquals(late.say(answer), []);
    assertEquals(late.core.rejected.get("not connected"), 1);
  });

  test("passes on progress and checked answers by job", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.submit(1);
    rig.submit(2);
    const rates = { jobRate: 10, fleetRate: 20, miners: 2 };
    const status = { kind: "status", job: 2, done: 5n, ...rates, best: BEST } as const;
    assertEquals(rig.say(status), [{ kind: "progress", job: 2, status }]);
    assertEquals(rig.say({ kind: "answer", job: 1, best: BEST, met: true }), [
      // The server need not keep it for anybody.
      { kind: "write", payload: encodeMessage({ kind: "cancel", job: 1 }) },
      { kind: "answer", job: 1, best: BEST, met: true },
    ]);
    assertEquals(rig.say({ kind: "answer", job: 1, best: BEST, met: true }), []);
    assertEquals(rig.core.rejected.get("unknown job"), 1);
  });

  test("an answer out of range, with a wrong hash or a wrong claim to a target is refused", () => {
    const beyond = { nonce: 100n, hash: hashNonce("msg", 100n) };
    const target = BEST.hash;
    const cases = [
      { best: beyond, met: true, work: WORK, why: "outside 0..99" },
      { best: { ...BEST, hash: BEST.hash + 1n }, met: true, work: WORK, why: "has hash" },
      { best: BEST, met: false, work: WORK, why: "target is not met" },
      { best: BEST, met: false, work: { ...WORK, target }, why: "target is not met" },
      { best: BEST, met: true, work: { ...WORK, target: target - 1n }, why: "target is met" },
    ];
    for (const { best, met, work, why } of cases) {
      const rig = new Rig();
      rig.tell({ kind: "connected", wire: "cbor" });
      rig.submit(1, work);
      assertStringIncludes(reasonOf(rig.say({ kind: "answer", job: 1, best, met })), why);
    }
  });

  test("cancel is told to the server, and nothing more is heard of the job", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.submit(1);
    assertEquals(messages(rig.tell({ kind: "cancel", job: 1 })), [{ kind: "cancel", job: 1 }]);
    assertEquals(rig.say({ kind: "answer", job: 1, best: BEST, met: true }), []);
    assertEquals(rig.tell({ kind: "cancel", job: 1 }), []);
  });

  test("a refusal ends the job, a refusal of job 0 all jobs", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    for (const job of [1, 2, 3]) rig.submit(job);
    const refused = (job: number) => ({ kind: "refused", job, reason: "full" }) as const;
    assertEquals(rig.say(refused(2)), [refused(2)]);
    assertEquals(rig.say(refused(0)), [refused(1), refused(3)]);
    assertEquals(rig.say(refused(0)), [], "they are gone");
    assertEquals(messages(rig.submit(1)).length, 1, "their numbers are free");
  });

  test("garbage and messages of other kinds are counted and ignored", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.submit(1);
    assertEquals(rig.tell({ kind: "payload", payload: Uint8Array.of(0xff) }), []);
    assertEquals(rig.say({ kind: "stop", chunk: 1 }), []);
    assertEquals(rig.say({ kind: "cancel", job: 1 }), []);
    assertEquals(Object.fromEntries(rig.core.rejected), { malformed: 2, "unexpected kind": 1 });
  });

  test("an answer that cannot be read ends its job, not the others", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "cbor" });
    for (const job of [1, 2, 3]) rig.submit(job);
    // [19, 2]: an answer cut short; [20, 0, 7]: a refusal of all whose reason is no text.
    const answer = rig.tell({ kind: "payload", payload: Uint8Array.of(0x82, 19, 2) });
    assertEquals(answer.length, 1);
    assertStringIncludes(reasonOf(answer), "the server's answer cannot be read: malformed answer");
    assertEquals(rig.tell({ kind: "payload", payload: Uint8Array.of(0x82, 19, 2) }), []);
    const all = rig.tell({ kind: "payload", payload: Uint8Array.of(0x83, 20, 0, 7) });
    assertEquals(
      all.map((effect) => effect.kind === "refused" && effect.job),
      [1, 3],
    );
  });

  test("a lost connection is told once; later jobs are refused", () => {
    const rig = new Rig();
    rig.submit(1);
    const gone = { kind: "gone", reason: "no answer" } as const;
    assertEquals(rig.tell(gone), [{ kind: "disconnected", reason: "no answer" }]);
    assertEquals(rig.tell(gone), []);
    assertStringIncludes(reasonOf(rig.submit(2)), "gone");
  });

  test("jobs a client are limited", () => {
    const rig = new Rig();
    for (let job = 1; job <= JOBS_MAX; job++) assertEquals(rig.submit(job), []);
    assertStringIncludes(reasonOf(rig.submit(JOBS_MAX + 1)), `${JOBS_MAX} jobs`);
    assertStringIncludes(reasonOf(rig.submit(1)), "in use");
  });
});

describe("ClientCore on the json wire", () => {
  const classic = (effects: ClientEffect[]) =>
    effects.flatMap((e) => (e.kind === "write" ? [decodeClassicMessage(e.payload)] : []));
  const result = (best: { hash: bigint; nonce: bigint }): ClientInput => ({
    kind: "payload",
    payload: encodeClassicMessage(classicResult(best)),
  });

  test("jobs go one at a time, the answers in their order; a cancelled one is waited out", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "json" });
    const request = classicRequest("msg", 0n, 99n);
    assertEquals(classic(rig.submit(1)), [request]);
    assertEquals(rig.submit(2), []);
    assertEquals(rig.submit(3), []);
    assertEquals(rig.tell({ kind: "cancel", job: 1 }), []);
    assertEquals(rig.tell({ kind: "cancel", job: 2 }), []);
    const next = rig.tell(result(BEST));
    assertEquals([classic(next), next.length], [[request], 1], "job 3's turn, nothing of job 1");
    assertEquals(rig.tell(result(BEST)), [{ kind: "answer", job: 3, best: BEST, met: true }]);
  });

  test("a Result that nobody asked for and one that is wrong do no harm", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "json" });
    assertEquals(rig.tell(result(BEST)), []);
    assertEquals(rig.core.rejected.get("result without a request"), 1);
    rig.submit(1);
    const wrong = rig.tell(result({ hash: 0n, nonce: 1n }));
    assertStringIncludes(reasonOf(wrong), "the server's answer is wrong");
  });

  test("a Result that cannot be read ends the job that it answers, and the next one has its turn", () => {
    const rig = new Rig();
    rig.tell({ kind: "connected", wire: "json" });
    rig.submit(1);
    rig.submit(2);
    const payload = new TextEncoder().encode('{"Type":2,"Hash":-1}');
    const [refused, request] = rig.tell({ kind: "payload", payload });
    assertStringIncludes(reasonOf([refused!]), "the server's answer cannot be read");
    assertEquals(request?.kind, "write");
  });

  test("a target is refused, and so is what does not fit, with the limit named", () => {
    assertStringIncludes(whyNot({ ...WORK, target: 1n }, "json")!, "target");
    assertStringIncludes(whyNot({ ...WORK, subject: "m".repeat(1400) }, "json")!, "1400");
    assertEquals(whyNot({ ...WORK, subject: "m".repeat(1300) }, "json"), undefined);
  });
});

test("whyNot names what is wrong with a job", () => {
  assertStringIncludes(whyNot({ ...WORK, subject: "é".repeat(32_769) }, "cbor")!, "limit is 65536");
  assertEquals(whyNot({ ...WORK, subject: "é".repeat(500) }, "cbor"), undefined);
  assertStringIncludes(whyNot({ ...WORK, lower: 5n, upper: 4n }, "cbor")!, "empty");
  assertStringIncludes(whyNot({ ...WORK, upper: UINT64_MAX + 1n }, "cbor")!, "upper must be");
  assertStringIncludes(whyNot({ ...WORK, lower: -1n }, "cbor")!, "lower must be");
  assertEquals(whyNot({ ...WORK, upper: UINT64_MAX }, "cbor"), undefined);
});

describe("what would be hashed as something else", () => {
  test("is refused: lone surrogates, bytes, numbers that are no bigint", () => {
    for (const wire of ["cbor", "json"] as const) {
      for (const message of ["\ud800", "a\udc00b", `${"m".repeat(70)}\ud83d`]) {
        assertStringIncludes(whyNot({ ...WORK, subject: message }, wire)!, "lone surrogate");
      }
      const untyped = (work: object): string => whyNot({ ...WORK, ...work } as SearchSpec, wire)!;
      assertStringIncludes(untyped({ subject: 5 }), "must be a string");
      assertStringIncludes(untyped({ subject: undefined }), "got undefined");
      assertStringIncludes(untyped({ upper: 1.5 }), "upper must be a bigint, got number");
      assertStringIncludes(untyped({ target: 5 }), "target must be a bigint, got number");
    }
  });

  test("and what is odd but has a form is not", () => {
    for (const message of [
      "",
      "a\0b",
      "\ufffd",
      "u\u0308",
      "\u{1f680}",
      `\ufeff${"a".repeat(62)}`,
    ]) {
      assertEquals(whyNot({ ...WORK, subject: message }, "cbor"), undefined);
      assertEquals(whyNot({ ...WORK, subject: message }, "json"), undefined);
    }
  });
});

describe("ClientCore among the servers of a cluster", () => {
  const servers = ["a:1", "b:2", "c:3"];
  const dial = (server: string): ClientEffect => ({ kind: "dial", server, isCluster: true });
  const news = (leads: boolean, leader: string): Message => ({
    kind: "servers",
    leads,
    leader,
    servers,
  });
  const UP = { kind: "connected", wire: "cbor" } as const;
  const lost = { kind: "gone", reason: "it fell silent" } as const;

  test("follows a hint, and asks the leader the same again", () => {
    const rig = new Rig({ servers, random: seededRandom(1) });
    rig.submit(1);
    rig.tell(UP);
    assertEquals(rig.say(news(false, "c:3")), [dial("c:3")]);
    // What the connection before still has to say is its end.
    const [again] = messages(rig.tell(UP)) as Message[];
    assertEquals(again, { kind: "submit", job: 1, session: SESSION, work: WORK });
  });

  test("says once that the leader is gone, and goes round", () => {
    const rig = new Rig({ servers, random: seededRandom(1) });
    rig.submit(1);
    rig.tell(UP);
    rig.say(news(true, "a:1"));
    const { reason } = lost;
    assertEquals(rig.tell(lost), [{ kind: "waiting", reason, waitMs: 0 }, dial("b:2")]);
    assertEquals(rig.tell(lost), [dial("c:3")]);
    const [waiting] = rig.tell(lost);
    assertEquals([waiting?.kind, rig.core.wakeAtMs() !== undefined], ["waiting", true]);
    // A late end of the connection before changes nothing.
    assertEquals(rig.tell(lost), []);
  });

  test("gives up when none of them was ever there", () => {
    const rig = new Rig({ servers, random: seededRandom(1) });
    rig.submit(1);
    assertEquals([rig.tell(lost), rig.tell(lost)], [[dial("b:2")], [dial("c:3")]]);
    assertEquals(rig.tell(lost), [{ kind: "disconnected", reason: lost.reason }]);
  });

  test("without retries follows hints, and ends with the leader's connection", () => {
    const rig = new Rig({ servers });
    rig.submit(1);
    rig.tell(UP);
    assertEquals(rig.say(news(false, "b:2")), [dial("b:2")]);
    rig.tell(UP);
    rig.say({ kind: "accepted", job: 1, id: 5, durable: true });
    assertEquals(rig.tell(lost), [{ kind: "disconnected", reason: lost.reason }]);
  });

  test("on the json wire ends with its connection", () => {
    const rig = new Rig({ servers, random: seededRandom(1) });
    rig.submit(1);
    rig.tell({ kind: "connected", wire: "json" });
    assertEquals(rig.tell(lost), [{ kind: "disconnected", reason: lost.reason }]);
  });
});
