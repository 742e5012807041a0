/** A server whose disk is full, fails, or takes no more writes: on real files, through faults. */
import { afterEach, describe, test } from "bun:test";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { submit, SubmitError } from "../../client/mod.ts";
import { connect, type LspClient } from "../../lsp/mod.ts";
import { type RunningServer, serve } from "../../server/mod.ts";
import { type Assign, MESSAGES_VERSION } from "../../work/messages.ts";
import { hashOf } from "../../work/subject.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { FaultyFiles } from "../support/disks.ts";
import { leftovers } from "../support/leftovers.ts";
import { until, within } from "../support/waiting.ts";

const open: AsyncDisposable[] = [];

afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** A server on a directory of its own, and what stands between it and its files. */
class Rig {
  readonly directory: string = mkdtempSync(join(tmpdir(), "motherlode-faults-"));
  readonly files: FaultyFiles = new FaultyFiles();
  readonly log: string[] = [];
  server!: RunningServer;

  constructor() {
    leftovers.add(this.directory);
    this.files.copiesOnWrite = true;
  }

  async serve(): Promise<void> {
    const { directory: data, files, log } = this;
    const options = { port: 0, data, between: files.between };
    this.server = await serve({ ...options, log: (text) => log.push(text) });
    const { server } = this;
    open.push({ [Symbol.asyncDispose]: () => server.close().catch(() => {}) });
  }

  submit(message: string): ReturnType<typeof submit> {
    const job = submit({ port: this.server.port, message, lower: 0n, upper: 99n, once: true });
    open.push({ [Symbol.asyncDispose]: () => job.leave() });
    return job;
  }

  said(text: string): Promise<void> {
    return until(`"${text}" in the log`, () => this.log.some((line) => line.includes(text)));
  }
}

/** A miner that answers when it is told to. */
class Miner {
  readonly #client: LspClient;

  constructor(client: LspClient) {
    this.#client = client;
    open.push(client);
    const join = { threads: 1, rate: 1e6, label: "by hand", name: "" };
    client.write(encodeMessage({ kind: "join", ...join }));
  }

  static async of({ server }: Rig): Promise<Miner> {
    const at = { host: "127.0.0.1", port: server.port, appVersion: MESSAGES_VERSION };
    return new Miner(await connect(at));
  }

  /** The next chunk that it is given. */
  async chunk(): Promise<Assign> {
    for (;;) {
      const message = decodeMessage(await within("a message", this.#client.read()));
      if (typeof message !== "string" && message.kind === "assign") return message;
    }
  }

  /** Answers whatever comes, until its end. */
  async answerAll(): Promise<void> {
    try {
      for (;;) this.answer(await this.chunk());
    } catch {
      // The test is over.
    }
  }

  answer({ chunk, work: { subject, lower, upper } }: Assign): void {
    let best = { hash: hashOf(subject, lower), nonce: lower };
    for (let nonce = lower + 1n; nonce <= upper; nonce++) {
      const hash = hashOf(subject, nonce);
      if (hash < best.hash) best = { hash, nonce };
    }
    this.#client.write(encodeMessage({ kind: "result", chunk, best }));
  }
}

describe("a server whose disk is full", () => {
  test("refuses new jobs, holds answers back, and goes on when there is space", async () => {
    const rig = new Rig();
    await rig.serve();
    const miner = await Miner.of(rig);
    const running = rig.submit("running");
    await within("its id", running.id);
    const chunk = await miner.chunk();
    rig.files.isFull = true;
    const refused = await assertRejects(() => within("a no", rig.submit("new").id), SubmitError);
    assertEquals(refused.code, "REFUSED");
    assertStringIncludes(refused.message, "the server cannot keep new jobs now: ");
    await rig.said("ENOSPC");
    let isAnswered = false;
    void running.answer.then(() => void (isAnswered = true));
    miner.answer(chunk);
    await until("all is searched", () => rig.server.snapshot().jobs.length === 0);
    // What is said behind it on the same connection has been told: nothing of the answer was.
    await assertRejects(() => within("a no", rig.submit("another").id), SubmitError);
    assertEquals([isAnswered, rig.server.snapshot().tables["records"]], [false, 1]);
    rig.files.isFull = false;
    const { nonce, hash } = await within("the answer", running.answer);
    assertEquals(hash, hashOf("running", nonce));
    const next = rig.submit("new");
    await within("its id", next.id);
    void miner.answerAll();
    await within("its answer", next.answer);
  });

  test("and that is ended then, keeps what it accepted", async () => {
    const rig = new Rig();
    await rig.serve();
    const kept = rig.submit("kept");
    const id = await within("its id", kept.id);
    rig.files.isFull = true;
    await assertRejects(() => within("a no", rig.submit("new").id), SubmitError);
    await rig.server.close();
    rig.files.isFull = false;
    await rig.serve();
    assertEquals(rig.server.snapshot().jobs.length, 1);
    assert(
      rig.log.some((line) => line.includes("going on with 1 job of the table")),
      id,
    );
  });
});

describe("a server whose disk fails", () => {
  for (const [what, error] of [
    ["fails", "EIO"],
    ["is read-only now", "EROFS"],
  ] as const) {
    test(`(a write ${what}) ends with one line; what it accepted is there again`, async () => {
      const rig = new Rig();
      await rig.serve();
      const kept = rig.submit("kept");
      await within("its id", kept.id);
      rig.files.failure = { op: "write", file: "log-", isFull: false, error };
      const lost = await assertRejects(() => within("its end", rig.submit("new").id), SubmitError);
      assertEquals(lost.code, "DISCONNECTED");
      const end = await assertRejects(() => within("its end", rig.server.closed), Error);
      assertStringIncludes(end.message, error);
      assert(!end.message.includes("\n"), end.message);
      await rig.serve();
      const { jobs } = rig.server.snapshot();
      assert(jobs.length >= 1 && jobs.length <= 2, `${jobs.length} jobs`);
    });
  }
});
