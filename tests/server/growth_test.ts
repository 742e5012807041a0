/** A server that grows to three, and goes back to one of the new ones, with jobs all the while. */
import { test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { withServer } from "../../client/asking_adapter.ts";
import { attach, submit } from "../../client/mod.ts";
import { mine } from "../../miner/mod.ts";
import { type RunningServer, serve } from "../../server/mod.ts";
import { hashNonce } from "../../work/hash.ts";
import { leftovers } from "../support/leftovers.ts";
import { until, within } from "../support/waiting.ts";

/** What a job's answer must be: the least hash of a few nonces. */
const UPPER = 499n;

function rightAnswer(message: string): { hash: bigint; nonce: bigint } {
  let best = { hash: hashNonce(message, 0n), nonce: 0n };
  for (let nonce = 1n; nonce <= UPPER; nonce++) {
    const hash = hashNonce(message, nonce);
    if (hash < best.hash) best = { hash, nonce };
  }
  return best;
}

const at = ({ port }: RunningServer): string => `127.0.0.1:${port}`;

/** Who belongs to the cluster, by the first server that answers. */
async function voters(servers: readonly string[]): Promise<readonly number[]> {
  const report = await withServer({ servers }, (ask) =>
    ask({ kind: "inspect", job: 1 }, (said) => (said.kind === "report" ? said.text : undefined)),
  );
  const { cluster } = JSON.parse(report) as { cluster: { members: { voters: number[] } } };
  return cluster.members.voters;
}

/** Has a node removed. On a busy machine another one may lead by then: it is asked again. */
async function remove(servers: readonly string[], node: number): Promise<void> {
  const ask = (): Promise<unknown> =>
    withServer({ servers }, (question) =>
      question({ kind: "manage", job: 1, deed: "remove", node }, (said) =>
        said.kind === "managed" ? said : undefined,
      ),
    ).catch(() => {});
  const removed = async (): Promise<void> => {
    while ((await voters(servers)).includes(node)) await ask();
  };
  await within(`the end of node ${node}`, removed());
}

/** One client after the other, whatever happens to the servers, until it is stopped. */
class Clients {
  readonly #servers: readonly string[];
  readonly #over: Promise<void>;
  #answered = 0;
  #isOver = false;

  constructor(servers: readonly string[]) {
    this.#servers = servers;
    this.#over = this.#work().finally(() => (this.#isOver = true));
    this.#over.catch(() => {});
  }

  /** Resolves when some more have their answers. */
  async more(when: string): Promise<void> {
    const most = this.#answered + 2;
    await until(`more answers ${when}`, () => this.#answered >= most || this.#isOver);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await within("the last answer", this.#over);
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      const message = `job ${this.#answered}`;
      const job = submit({ servers: [...this.#servers], message, lower: 0n, upper: UPPER });
      const { hash, nonce } = await job.answer;
      assertEquals({ hash, nonce }, rightAnswer(message));
      this.#answered++;
    }
  }
}

test("one server grows to three, and back to one of the new, and never stops serving", async () => {
  const place = fs.mkdtempSync(join(tmpdir(), "motherlode-growth-"));
  leftovers.add(place);
  const running: AsyncDisposable[] = [];
  const start = async (node: number, ...founder: string[]): Promise<RunningServer> => {
    const cluster = founder.length === 0 ? { node } : { node, join: founder[0]! };
    const server = await serve({ port: 0, data: join(place, `${node}`), cluster });
    running.push(server);
    return server;
  };
  try {
    const first = await start(1);
    const servers = [at(first)];
    running.push(mine({ servers, threads: 1, kernel: "plain", niceness: "normal" }));
    const kept = submit({ servers, message: "kept", lower: 0n, upper: UPPER, detached: true });
    const id = await within("its id", kept.id);
    const clients = new Clients(servers);
    await clients.more("of one server");
    const [second, third] = [await start(2, at(first)), await start(3, at(first))];
    servers.push(at(second), at(third));
    const grown = async (): Promise<void> => {
      while ((await voters(servers)).length < 3);
    };
    await within("three voters", grown());
    await clients.more("of three servers");
    await remove(servers, 2);
    servers.splice(1, 1);
    await second.close();
    await clients.more("of two servers");
    // The one that began it all, and leads.
    await remove(servers, 1);
    servers.shift();
    await first.close();
    await clients.more("of the last, alone");
    await clients.stop();
    assertEquals(await voters(servers), [3]);
    const { hash, nonce } = await within("an old one", attach({ servers, id }).answer);
    assertEquals({ hash, nonce }, rightAnswer("kept"));
  } finally {
    for (const each of running.reverse()) await each[Symbol.asyncDispose]();
  }
});
