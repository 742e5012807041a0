/**
 * The client's verbs for jobs that are there already: wait, status, list, cancel, forget.
 *
 * @module
 */
import { oneLine, readableCount, readablePlural } from "../base/text.ts";
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import { typedServers } from "../peer/targets.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { seconds } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { EXIT_NO, type Verb, type Verbs } from "../run/verbs.ts";
import { idFrom, idText, whyNoJob } from "../work/job_id.ts";
import type { JobRow } from "../work/messages.ts";
import { hexDigits } from "../work/readable.ts";
import { attach, SubmitError } from "./adapter.ts";
import { fail, follow } from "./follow_adapter.ts";
import { endJob, type InquiryOptions, listJobs, lookUpJob } from "./inquiry_adapter.ts";

type At = InquiryOptions & { readonly servers: readonly string[] };

const SERVER = "HOST[:PORT][,HOST[:PORT]…]";
const WAIT_FLAGS: Readonly<Record<string, Flag>> = {
  timeout: { value: "SECONDS", help: "give up then, and exit with 4; the job goes on" },
  once: { help: "give up when the connection is lost" },
  quiet: { help: "show no progress" },
};

/** A verb that takes so many arguments, the first of them the server. */
function verb(
  takes: string,
  about: string,
  work: (at: At, line: CommandLine) => Promise<number>,
  flags: Readonly<Record<string, Flag>> = {},
): Verb {
  const arity = takes.split(" ").length - 1;
  const json = { json: { help: "write JSON, a line each" } };
  return {
    usage: {
      name: "client",
      takes,
      count: [arity, arity],
      about,
      flags: { ...flags, ...json, ...LSP_FLAGS },
    },
    run: async (line) => {
      const at = { servers: typedServers(line.positionals[0]!), params: lspParams(line) };
      try {
        return await work(at, line);
      } catch (error) {
        if (error instanceof SubmitError) {
          return await fail(error, line.has("json"), line.positionals[1]);
        }
        throw error;
      }
    },
  };
}

/** The verbs of client.ts for jobs that are there already. */
export const JOB_VERBS: Verbs = {
  wait: verb(
    `wait ${SERVER} ID`,
    "Waits for the answer of a job that was submitted before, and writes it.",
    (at, line) => waitFor(at, line),
    WAIT_FLAGS,
  ),
  status: verb(`status ${SERVER} ID`, "Writes how a job stands, on one line.", async (at, line) => {
    const id = line.positionals[1]!;
    const row = await lookUpJob(at, id);
    if (row !== undefined) await printResult(rowText(row, line.has("json")));
    else process.stderr.write(`client: ${whyNoJob(idFrom(id) ?? 0, "there")}\n`);
    return row === undefined ? EXIT_NO : 0;
  }),
  list: verb(
    `list ${SERVER}`,
    "Writes all jobs that a server knows, a line each, in the order of submission.",
    async (at, line) => {
      const rows = await listJobs(at);
      const text = rows.map((row) => rowText(row, line.has("json"))).join("");
      if (text !== "") await printResult(text);
      return 0;
    },
  ),
  cancel: verb(`cancel ${SERVER} ID`, "Cancels a job that has no answer yet.", (at, line) =>
    end(at, line, "cancel", "cancelled"),
  ),
  forget: verb(`forget ${SERVER} ID`, "Has the server forget the answer of a job.", (at, line) =>
    end(at, line, "forget", "forgotten"),
  ),
};

function waitFor(at: At, line: CommandLine): Promise<number> {
  const text = line.flag("timeout");
  const timeout = text === undefined ? undefined : { text, ms: seconds("--timeout", text) };
  const [json, quiet] = [line.has("json"), line.has("quiet")];
  const { servers } = at;
  const id = line.positionals[1]!;
  return follow({ servers, json, quiet, timeout, end: "leave", id }, ({ onWaiting }) =>
    attach({ ...at, id, once: line.has("once"), onWaiting }),
  );
}

async function end(
  at: InquiryOptions,
  line: CommandLine,
  what: "cancel" | "forget",
  done: string,
): Promise<number> {
  const id = line.positionals[1]!;
  await endJob(at, id, what);
  await printResult(line.has("json") ? `${JSON.stringify({ [done]: id })}\n` : `${done}\n`);
  return 0;
}

/** A job as one line. */
function rowText(row: JobRow, json: boolean): string {
  const { id, shown, lower, upper, target, done, best, met, fetchedMs } = row;
  const state = met === undefined ? "running" : fetchedMs > 0 ? "fetched" : "answered";
  if (json) return `${JSON.stringify(plain(row, state))}\n`;
  const total = upper - lower + 1n;
  const percent = (Number((done * 1000n) / total) / 10).toFixed(1);
  const range = `${readablePlural(total, "nonce")} from ${readableCount(lower)}`;
  const aim = target === undefined ? "" : `, target ${hexDigits(target)}`;
  const word = met === undefined ? "best" : "answer";
  const found = best === undefined ? "" : `, ${word} ${hexDigits(best.hash)} at ${best.nonce}`;
  const missed = met === false ? " (target not met)" : "";
  const text = JSON.stringify(oneLine(shown));
  return `${idText(id)}  ${state} ${percent} %${found}${missed}  ${text}, ${range}${aim}\n`;
}

/** For programs: 64-bit numbers as decimal text, times as ISO 8601. */
function plain(row: JobRow, state: string): object {
  const { id, shown, lower, upper, target, done, best, met } = row;
  const time = (ms: number): string | undefined => (ms > 0 ? isoTime(ms) : undefined);
  return {
    id: idText(id),
    state,
    message: shown,
    lower: `${lower}`,
    upper: `${upper}`,
    target: target && hexDigits(target),
    done: `${done}`,
    best: best && { hash: hexDigits(best.hash), nonce: `${best.nonce}` },
    met,
    submitted: time(row.submittedMs),
    answered: time(row.answeredMs),
    fetched: time(row.fetchedMs),
  };
}

/** The latest time that a Date can say. */
const TIME_MS_MAX = 8.64e15;

function isoTime(ms: number): string {
  return new Date(Math.min(ms, TIME_MS_MAX)).toISOString();
}
