/**
 * The instant miners of bench/coordinator.ts, in a process of their own: they answer every chunk at
 * once. Reads orders from stdin, a JSON object a line, and answers each with a line.
 *
 * @module
 */
import { submit, type Submission } from "../client/mod.ts";
import { connect, type LspClient } from "../lsp/mod.ts";
import { UINT64_MAX } from "../work/hash.ts";
import { type Message, MESSAGES_VERSION } from "../work/messages.ts";
import { hashOf } from "../work/subject.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { linesOf } from "./processes.ts";

/** An order: the fleet of one server works for so long. */
export interface Load {
  readonly port: number;
  readonly miners: number;
  readonly ms: number;
}

/** What came of it. */
export interface LoadReport {
  /** Chunks that were answered. */
  readonly results: number;
  readonly seconds: number;
}

const MESSAGE = "motherlode bench";

/** Miners of one server, and what they have answered. */
interface Crew {
  results: number;
}

const crews = new Map<number, Crew>();

async function work(miner: LspClient, crew: Crew): Promise<void> {
  const say = (message: Message): void => miner.write(encodeMessage(message));
  say({ kind: "join", threads: 1, rate: 0, label: "instant", name: "" });
  for (;;) {
    for (let bytes: Uint8Array | undefined = await miner.read(); bytes !== undefined;) {
      const message = decodeMessage(bytes);
      if (typeof message !== "string" && message.kind === "assign") {
        const { subject, lower: nonce } = message.work;
        const best = { hash: hashOf(subject, nonce), nonce };
        say({ kind: "result", chunk: message.chunk, best });
        crew.results++;
      }
      bytes = miner.tryRead();
    }
  }
}

function crewOf({ port, miners }: Load): Crew {
  const known = crews.get(port);
  if (known !== undefined) return known;
  const crew = { results: 0 };
  crews.set(port, crew);
  for (let i = 0; i < miners; i++) {
    const at = { host: "127.0.0.1", port, appVersion: MESSAGES_VERSION };
    const keepWorking = async (): Promise<never> => {
      // On a busy machine a connection may be lost: a miner comes back.
      for (;;) {
        try {
          await work(await connect(at), crew);
        } catch {}
      }
    };
    void keepWorking();
  }
  return crew;
}

/** One job after the other for so long; what the miners answered meanwhile. */
async function run(load: Load): Promise<LoadReport> {
  const crew = crewOf(load);
  let job: Submission | undefined;
  let isOver = false;
  const jobs = async (): Promise<void> => {
    while (!isOver) {
      job = submit({ port: load.port, message: MESSAGE, lower: 0n, upper: UINT64_MAX - 1n });
      await job.answer;
    }
  };
  const running = jobs();
  while (crew.results === 0) await Promise.race([running, Bun.sleep(1)]);
  const [before, beganMs] = [crew.results, performance.now()];
  await Promise.race([running, Bun.sleep(load.ms)]);
  const seconds = (performance.now() - beganMs) / 1000;
  const results = crew.results - before;
  isOver = true;
  await job?.cancel();
  await running.catch(() => {});
  return { results, seconds };
}

for await (const line of linesOf(Bun.stdin.stream())) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Load))}\n`);
}
process.exit(0);
