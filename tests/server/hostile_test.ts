/**
 * Lies, nonsense and floods at the server core: counted by reason, bounded, and never believed.
 *
 * @module
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  CLASSIC_JOIN,
  classicResult,
  decodeClassicMessage,
  encodeClassicMessage,
} from "../../work/classic.ts";
import type { Message } from "../../work/messages.ts";
import type { Subject } from "../../work/subject.ts";
import { expectAnswer, expectSoundBooks, expectTidy } from "./checks.ts";
import { VirtualFleet } from "./fleet.ts";
import { distance } from "./puzzles.ts";

const MAX = (1n << 64n) - 1n;
/** A nonce whose hash is what the fleet's miners would find at it. */
const at = (nonce: bigint) => ({ hash: distance.hash("12345", nonce), nonce });

/** A miner that says only what the test has it say, with the first chunk of a job in hand. */
function scripted(target?: bigint) {
  const fleet = new VirtualFleet();
  fleet.afterInput = () => expectSoundBooks(fleet);
  const miner = fleet.miner({ rate: 1e-9, declared: 1_000 });
  const client = fleet.client();
  client.submit({ upper: 9_999n, ...(target !== undefined && { target }) });
  fleet.run(50);
  expect(miner.heard[0]).toMatchObject({
    kind: "assign",
    chunk: 1,
    work: { lower: 0n, upper: 999n },
  });
  const hear = (message: Message): void => {
    miner.say(message);
    fleet.run(20);
  };
  const rejected = () => fleet.core.snapshot().rejected;
  const done = () => fleet.core.snapshot().jobs[0]!.done;
  return { fleet, miner, client, hear, rejected, done };
}

describe("a miner's report", () => {
  test("with a wrong hash is not accepted: its range goes back, and it costs trust", () => {
    const { fleet, miner, hear, rejected, done } = scripted();
    const lie = { hash: 1n, nonce: 5n };
    hear({ kind: "progress", chunk: 1, next: 100n, best: lie });
    expect(done()).toBe(0n);
    hear({ kind: "result", chunk: 1, best: lie });
    expect(done()).toBe(0n);
    expect(rejected()).toEqual({ "wrong hash": 2 });
    hear({ kind: "result", chunk: 2, best: { hash: 2n, nonce: 7n } });
    fleet.run(10);
    // Nobody has shown yet that the job can be done; but this miner gets no more of it.
    expect(fleet.core.snapshot().miners).toMatchObject([{ strikes: 0, chunks: [] }]);
    fleet.miner({ rate: 1e5 });
    expectAnswer(fleet, fleet.client(), { upper: 9_999n });
    fleet.run(1_000);
    expect(miner.isClosed).toBe(true);
    expect(miner.heard.at(-1)).toMatchObject({
      kind: "refused",
      job: 0,
      reason: "not trusted any more: wrong hash",
    });
    expect(fleet.core.snapshot().miners.length).toBe(1);
    expect(fleet.log.some((line) => line.includes("strike 3 of 3"))).toBe(true);
  });

  test("with a candidate outside its chunk is a falsehood as well", () => {
    const { hear, rejected, done } = scripted();
    hear({ kind: "progress", chunk: 1, next: 100n, best: at(1_000n) });
    hear({ kind: "result", chunk: 1, best: at(12_345n) });
    expect(rejected()).toEqual({ "candidate outside its chunk": 2 });
    expect(done()).toBe(0n);
  });

  test("with an impossible cursor, without a candidate, or of an unknown chunk is counted", () => {
    const { hear, rejected, done } = scripted();
    hear({ kind: "progress", chunk: 1, next: 1_001n, best: at(7n) });
    hear({ kind: "progress", chunk: 1, next: 50n });
    hear({ kind: "progress", chunk: 1, next: 60n, best: at(59n) });
    hear({ kind: "progress", chunk: 1, next: 59n, best: at(59n) });
    hear({ kind: "progress", chunk: 77, next: 1n, best: at(0n) });
    hear({ kind: "result", chunk: 0, best: at(0n) });
    hear({ kind: "shrunk", chunk: 1, upper: 100n });
    hear({ kind: "shrunk", chunk: 9, upper: 100n });
    hear({ kind: "stopped", chunk: 9, next: 100n });
    hear({ kind: "join", threads: 1, rate: 5, label: "again", name: "" });
    hear({ kind: "submit", job: 1, session: 1n, work: { subject: "m", lower: 0n, upper: 1n } });
    expect(done()).toBe(60n);
    expect(rejected()).toEqual({
      "cursor outside its chunk": 2,
      "cursor without a candidate": 1,
      "progress of an unknown chunk": 1,
      "result of an unknown chunk": 1,
      "shrunk unasked": 1,
      "shrunk of an unknown chunk": 1,
      "stopped of an unknown chunk": 1,
      "join from a miner": 1,
      "submit from a miner": 1,
    });
  });

  test("of stopping unasked costs trust, and the chunk goes back", () => {
    const { hear, rejected, done } = scripted();
    hear({ kind: "stopped", chunk: 1, next: 500n, best: at(499n) });
    expect(rejected()).toEqual({ "stopped unasked": 1 });
    expect(done()).toBe(0n);
  });

  test("of a hit below its cursor does not make the part below the hit searched", () => {
    const { fleet, hear, done } = scripted(12_000n);
    hear({ kind: "progress", chunk: 1, next: 800n, best: at(700n) });
    // The hit itself is proved; that it is the lowest is not. Everything above it is cut.
    expect(done()).toBe(1n);
    expect(fleet.core.snapshot().jobs[0]!.uncovered).toEqual([{ lower: 0n, end: 700n }]);
  });

  test("is hashed again once, not each time the same candidate comes", () => {
    let hashes = 0;
    const hash = (subject: Subject, nonce: bigint) => (
      hashes++,
      distance.hash(String(subject), nonce)
    );
    const fleet = new VirtualFleet({ hash });
    const miner = fleet.miner({ rate: 1e-9, declared: 1_000 });
    fleet.client().submit({ upper: 9_999n });
    fleet.run(50);
    for (let next = 10n; next < 100n; next++) {
      miner.say({ kind: "progress", chunk: 1, next, best: at(3n) });
    }
    fleet.run(50);
    expect(hashes).toBe(1);
  });
});

describe("a stranger's", () => {
  test("garbage on both wires is counted, refused, and leaves no trace in memory", () => {
    const fleet = new VirtualFleet();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.boolean(), (payload, isCbor) => {
        // An empty object is a classic Join: to a Go decoder, what is missing is zero.
        fc.pre(isCbor || typeof decodeClassicMessage(payload) === "string");
        const stranger = fleet.client(isCbor ? "cbor" : "json");
        const wire = isCbor ? "cbor" : "json";
        fleet.feed({ kind: "payload", connId: stranger.connId, wire, payload });
        fleet.run(20);
        expect(stranger.isClosed).toBe(true);
        expect(stranger.refusals.map(({ job }) => job)).toEqual(isCbor ? [0] : []);
      }),
      { numRuns: 500 },
    );
    const { rejected, clients, miners } = fleet.core.snapshot();
    expect([clients, miners]).toEqual([0, []]);
    expect(Object.keys(rejected).length).toBeLessThan(20);
    expect(Object.values(rejected).reduce((a, b) => a + b)).toBe(500);
  });

  test("messages of the wrong kind are counted", () => {
    const fleet = new VirtualFleet();
    const stranger = fleet.miner({ rate: 1, joins: false });
    stranger.say({ kind: "progress", chunk: 1, next: 0n });
    stranger.say({ kind: "answer", job: 1, best: at(0n), met: true });
    stranger.say({ kind: "cancel", job: 1 });
    stranger.say({ kind: "hashing", threads: 1, rate: 1, label: "x", reason: "y" });
    const client = fleet.client();
    client.submit({ upper: 9n });
    client.say({ kind: "join", threads: 1, rate: 1, label: "x", name: "" });
    const work = { subject: "other", lower: 0n, upper: 1n };
    client.say({ kind: "submit", job: 1, session: BigInt(client.connId), work });
    client.say({ kind: "cancel", job: 77 });
    const classic = fleet.client("json");
    classic.submit({ upper: 9n });
    fleet.send(classic.connId, "json", encodeClassicMessage(CLASSIC_JOIN));
    const result = classicResult({ hash: 0n, nonce: 0n });
    fleet.send(classic.connId, "json", encodeClassicMessage(result));
    fleet.run(50);
    expect(fleet.core.snapshot().rejected).toEqual({
      "progress from a stranger": 1,
      "answer from a stranger": 1,
      "cancel from a stranger": 1,
      "hashing from a stranger": 1,
      "join from a client": 1,
      "classic Join from a client": 1,
      "classic Result from a client": 1,
    });
    const reason = "its number 1 stands for another job";
    expect(client.refusals).toEqual([{ kind: "refused", job: 1, reason }]);
  });

  test("label cannot steer a terminal", () => {
    const fleet = new VirtualFleet();
    const label = "\u001b[2Jnice\nline";
    const miner = fleet.miner({ rate: 1, joins: false });
    miner.say({ kind: "join", threads: 2, rate: 3e6, label, name: label });
    miner.say({ kind: "hashing", threads: 1, rate: 4e6, label, reason: "\u0007be\ncause" });
    fleet.run(20);
    expect(fleet.log).toEqual([
      "miner 1 ([2Jnice line) joined: [2Jnice line, 2 threads, about 3.00 MH/s",
      "miner 1 ([2Jnice line) hashes with [2Jnice line, 1 thread, about 4.00 MH/s: be cause",
    ]);
  });
});

describe("limits", () => {
  test("miners, clients, jobs of one client, and jobs are refused politely, in one line", () => {
    const limits = { maxMiners: 1, maxClients: 3, maxJobs: 4, maxJobsPerClient: 3 };
    const fleet = new VirtualFleet({ limits });
    const [, second] = [fleet.miner({ rate: 1e-9 }), fleet.miner({ rate: 1e-9 })];
    const [a, b, c, d] = [1, 2, 3, 4].map(() => fleet.client());
    for (let i = 0; i < 4; i++) a!.submit({ upper: MAX });
    for (let i = 0; i < 2; i++) b!.submit({ upper: MAX });
    c!.submit({ upper: MAX });
    d!.submit({ upper: MAX });
    fleet.run(100);
    const reason = (text: string) => [{ kind: "refused" as const, job: 0, reason: text }];
    expect(second.heard).toEqual(reason("the server has reached its limit of 1 miners"));
    expect(second.isClosed).toBe(true);
    expect(a!.refusals[0]).toMatchObject({
      job: 4,
      reason: "this client has reached its limit of 3 jobs",
    });
    expect(b!.refusals[0]).toMatchObject({
      job: 2,
      reason: "the server has reached its limit of 4 jobs",
    });
    expect(c!.refusals.length).toBe(1);
    expect(d!.refusals[0]!.reason).toBe("the server has reached its limit of 3 clients");
    expect(fleet.core.snapshot().jobs.length).toBe(4);
  });

  test("large messages are bounded all together, and give their room back", () => {
    const fleet = new VirtualFleet({ limits: { maxMessageBytesTotal: 150_000 } });
    const client = fleet.client();
    const message = "m".repeat(65_536);
    for (let i = 0; i < 3; i++) client.submit({ upper: MAX - 1n, message });
    fleet.run(100);
    const reason = "the server has reached its limit of 150000 bytes of messages";
    expect(client.refusals).toEqual([{ kind: "refused", job: 3, reason }]);
    client.say({ kind: "cancel", job: 1 });
    client.submit({ upper: MAX - 1n, message });
    fleet.run(100);
    expect(client.refusals.length).toBe(1);
    expect(fleet.core.snapshot().jobs.length).toBe(2);
  });

  test("a miner that answers nothing is sent 8 chunks at most", () => {
    const fleet = new VirtualFleet();
    const miner = fleet.miner({ rate: 1e-9, declared: 1e6 });
    miner.twist = () => undefined;
    const client = fleet.client();
    for (let job = 1; job <= 50; job++) {
      client.submit({ upper: MAX });
      fleet.run(40);
      client.say({ kind: "cancel", job });
      fleet.run(20);
    }
    expect(miner.heard.filter(({ kind }) => kind === "assign").length).toBe(8);
  });

  test("miners that declare absurd rates take no client's status away", () => {
    const fleet = new VirtualFleet();
    // What a client cannot read, the client in this fleet throws at.
    for (let i = 0; i < 3; i++) fleet.miner({ rate: 1e-9, declared: 2 ** 64 });
    const client = fleet.client();
    client.submit({ upper: MAX });
    fleet.run(3_000);
    expect(client.statuses.at(-1)).toMatchObject({ miners: 3, fleetRate: 300_000 });
  });

  test("a peer that makes the log grow is cut to a burst and a trickle", () => {
    const fleet = new VirtualFleet({ limits: { logBurst: 10, logPerSecond: 2 } });
    const client = fleet.client();
    for (let job = 1; job <= 500; job++) {
      client.submit({ upper: MAX });
      client.say({ kind: "cancel", job });
    }
    fleet.run(1_000);
    expect(fleet.log.length).toBeLessThan(16);
    fleet.miner({ rate: 1 });
    fleet.run(1_000);
    expect(fleet.log.some((line) => /\d+ lines like these were left out/.test(line))).toBe(true);
  });

  // Regression: nothing of a liar's strikes was seen while a client came and went.
  test("lines about trust have room of their own beside those of one busy client", () => {
    const fleet = new VirtualFleet({ limits: { logBurst: 10, logPerSecond: 1 } });
    const liar = fleet.miner({ rate: 1e6 });
    liar.twist = (message) =>
      message.kind === "result" ? { ...message, best: { ...message.best, hash: 1n } } : message;
    fleet.miner({ rate: 1e6 });
    const busy = fleet.client();
    for (let atMs = 0; atMs < 20_000; atMs += 20) {
      fleet.at(atMs, () => {
        const job = busy.submit({ upper: MAX });
        fleet.at(fleet.nowMs + 10, () => busy.say({ kind: "cancel", job }));
        fleet.client("json").submit({ lower: 1n, upper: 0n });
      });
    }
    fleet.client().submit({ upper: 9_999_999n });
    expect(fleet.run(20_000, () => liar.isClosed)).toBe(true);
    const lines = fleet.log.filter((line) => line.startsWith(`miner ${liar.connId}: wrong hash (`));
    expect(lines.length).toBe(3);
    expect(fleet.log.at(-1)).toContain("left: not trusted any more: wrong hash");
  });

  test("nothing is kept of peers that came and went", () => {
    const fleet = new VirtualFleet();
    for (let round = 0; round < 100; round++) {
      const miner = fleet.miner({ rate: 1e6, declared: 1e6 });
      const client = fleet.client(round % 2 === 0 ? "cbor" : "json");
      client.submit({ upper: 10_000_000n });
      fleet.run(300);
      miner.die();
      fleet.drop(client.connId);
    }
    const { clients, counts, tables } = fleet.core.snapshot();
    expect(clients).toBe(0);
    expect(counts).toEqual({ chunks: 0, intervals: 0, doubts: 0, idle: 0, thirsty: 0 });
    expect(Object.values(tables).every((size) => size === 0)).toBe(true);
    expectTidy(fleet);
  });
});
