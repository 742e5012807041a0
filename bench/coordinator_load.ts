/**
 * The instant miners of bench/coordinator.ts, in a process of their own: they answer every chunk at
 * once, or all of them together so many a second. Reads orders from stdin, a JSON object a line,
 * and answers each with a line.
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
  /** Results a second that the miners offer together; 0: as many as they can. */
  readonly perSecond: number;
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
  /** Answers that wait for their time, the oldest first; undefined: none has to. */
  waiting: (() => void)[] | undefined;
}

/** How often answers are let go whose time has come: about a timer's grain. */
const PACE_MS = 1;

/** Has the crew answer `perSecond` chunks until the timer is cleared. */
function pace(crew: Crew, perSecond: number): ReturnType<typeof setInterval> {
  const waiting = (crew.waiting ??= []);
  let [sinceMs, owed] = [performance.now(), 0];
  return setInterval(() => {
    const nowMs = performance.now();
    owed += ((nowMs - sinceMs) * perSecond) / 1000;
    sinceMs = nowMs;
    const due = Math.min(Math.floor(owed), waiting.length);
    // What the server was too late for is not offered again.
    owed = Math.min(owed - due, waiting.length + 1);
    for (const answer of waiting.splice(0, due)) answer();
  }, PACE_MS);
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
        const answer = (): void => {
          say({ kind: "result", chunk: message.chunk, best });
          crew.results++;
        };
        if (crew.waiting === undefined) answer();
        else crew.waiting.push(answer);
      }
      bytes = miner.tryRead();
    }
  }
}

function crewOf({ port, miners }: Load): Crew {
  const known = crews.get(port);
  if (known !== undefined) return known;
  const crew: Crew = { results: 0, waiting: undefined };
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
  const pacing = load.perSecond > 0 ? pace(crew, load.perSecond) : undefined;
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
  clearInterval(pacing);
  for (const answer of crew.waiting ?? []) answer();
  crew.waiting = undefined;
  return { results, seconds };
}

for await (const line of linesOf(Bun.stdin.stream())) {
  process.stdout.write(`${JSON.stringify(await run(JSON.parse(line) as Load))}\n`);
}
process.exit(0);
