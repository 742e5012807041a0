/** `submit` against servers of all kinds, honest and not, over real sockets. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import {
  type Submission,
  submit,
  SubmitError,
  type SubmitErrorCode,
  type SubmitOptions,
} from "../../client/mod.ts";
import { listen, type LspServer } from "../../lsp/mod.ts";
import { hashNonce } from "../../work/hash.ts";
import { type Message, MESSAGES_VERSION, type Status, type ToClient } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";

const WORK = { message: "msg", lower: 0n, upper: 99n };
const BEST = { hash: hashNonce("msg", 1n), nonce: 1n };
const QUICK = { epochMillis: 20, epochLimit: 3 };

const servers: LspServer[] = [];
afterAll(() => Promise.all(servers.map((server) => server.close())));

/** A server that answers a client's first message with `answers`; what it was told. */
async function fakeServer(
  ...answers: ToClient[]
): Promise<{ port: number; told: () => (Message | string)[] }> {
  const server = await listen({ host: "127.0.0.1", port: 0, appVersion: MESSAGES_VERSION });
  servers.push(server);
  const told: (Message | string)[] = [];
  void (async () => {
    for await (const { connId, payload } of server) {
      told.push(decodeMessage(payload));
      if (told.length > 1) continue;
      for (const answer of answers) server.write(connId, encodeMessage(answer));
    }
  })();
  return { port: server.port, told: () => told };
}

async function errorOf(job: Submission): Promise<SubmitError> {
  try {
    await job.answer;
  } catch (error) {
    assert(error instanceof SubmitError);
    return error;
  }
  throw new Error("the job has an answer");
}

async function assertFails(job: Submission, code: SubmitErrorCode, text: string): Promise<void> {
  const error = await errorOf(job);
  assertEquals(error.code, code);
  assertStringIncludes(error.message, text);
  for await (const _ of job) throw new Error("progress of a job that failed");
}

const status = (done: bigint): Status => {
  return { kind: "status", job: 1, done, jobRate: 1, fleetRate: 2, miners: 3 };
};

describe("submit", () => {
  test("gives progress to every iterator and the checked answer", async () => {
    const answer = { kind: "answer", job: 1, best: BEST, met: true } as const;
    const { port, told } = await fakeServer(status(50n), answer);
    const job = submit({ port, ...WORK });
    assertEquals(await job.answer, { ...BEST, met: true });
    const { message: subject, ...range } = WORK;
    const [submitted] = told();
    assert(typeof submitted === "object" && submitted.kind === "submit");
    assertEquals([submitted.job, submitted.work], [1, { subject, ...range }]);
    for (const _ of [1, 2]) {
      const seen: Status[] = [];
      for await (const each of job) seen.push(each);
      assertEquals(seen, [status(50n)], "who comes late sees the newest");
    }
  });

  test("believes no wrong answer", async () => {
    const best = { hash: 0n, nonce: 1n };
    const { port } = await fakeServer({ kind: "answer", job: 1, best, met: true });
    await assertFails(submit({ port, ...WORK }), "REFUSED", "the server's answer is wrong");
  });

  test("tells a refusal with the server's reason", async () => {
    const { port } = await fakeServer({ kind: "refused", job: 1, reason: "too many jobs" });
    await assertFails(submit({ port, ...WORK }), "REFUSED", "too many jobs");
  });

  test("refuses an impossible job before connecting", async () => {
    const job = submit({ port: 1, ...WORK, message: "m".repeat(65_537) });
    await assertFails(job, "INVALID_JOB", "limit is 65536");
    await assertFails(submit({ port: 1, ...WORK, lower: 100n }), "INVALID_JOB", "empty");
    const lone = submit({ port: 1, ...WORK, message: "a\ud800" });
    await assertFails(lone, "INVALID_JOB", "lone surrogate");
    const range = { port: 1, lower: 0n, upper: 9n };
    const short = submit({ ...range, header: new Uint8Array(79) });
    await assertFails(short, "INVALID_JOB", "a block header has 80 bytes, got 79");
    const long = submit({ ...range, header: new Uint8Array(80), upper: 2n ** 32n });
    await assertFails(long, "INVALID_JOB", "upper must be 0..4294967295");
    const untyped = (job: object): Submission => submit({ ...range, ...job } as SubmitOptions);
    const bytes = untyped({ message: new Uint8Array(80) });
    await assertFails(bytes, "INVALID_JOB", "the message must be a string, got object");
    const both = untyped({ message: "a", header: new Uint8Array(80) });
    await assertFails(both, "INVALID_JOB", "a message or a header, got both");
  });

  test("is disconnected when nobody answers and, with once, when the server goes", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const job = submit({ port: silent.port, ...WORK, params: QUICK });
    await assertFails(job, "DISCONNECTED", "no answer");
    silent.close();
    const server = await listen({ host: "127.0.0.1", port: 0, appVersion: MESSAGES_VERSION });
    const other = submit({ port: server.port, ...WORK, once: true });
    await server.read();
    await server.close();
    await assertFails(other, "DISCONNECTED", "said goodbye");
  });

  test("an abort cancels: while connecting, and at the server", async () => {
    const silent = await Bun.udpSocket({ hostname: "127.0.0.1", port: 0 });
    const early = new AbortController();
    const dialing = submit({ port: silent.port, ...WORK, signal: early.signal });
    early.abort();
    await assertFails(dialing, "CANCELLED", "cancelled");
    await assertFails(submit({ port: 1, ...WORK, signal: early.signal }), "CANCELLED", "");
    silent.close();
    const server = await listen({ host: "127.0.0.1", port: 0, appVersion: MESSAGES_VERSION });
    servers.push(server);
    const running = submit({ port: server.port, ...WORK });
    await server.read();
    const cancelled = running.cancel();
    assertEquals(decodeMessage((await server.read()).payload), { kind: "cancel", job: 1 });
    await cancelled;
    await assertFails(running, "CANCELLED", "cancelled");
  });
});
