/**
 * Questions about jobs that do not wait: which there are, how one stands, and ending one.
 *
 * @module
 */
import { checkBy, checkPort, checkText } from "../base/options.ts";
import { oneLine } from "../base/text.ts";
import { connect, fullParams, type LspClient, type Params } from "../lsp/mod.ts";
import { whyEnded } from "../peer/endings.ts";
import { idFrom } from "../work/job_id.ts";
import {
  type FromClient,
  type JobRow,
  MESSAGES_VERSION,
  ROWS_MAX,
  type ToClient,
} from "../work/messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { SubmitError } from "./adapter.ts";

/** The server to ask. */
export interface InquiryOptions {
  /** The server's name or address; loopback if left out. */
  readonly host?: string;
  readonly port: number;
  readonly params?: Params;
}

const QUESTION = 1;

/** All jobs that the server knows, in the order of submission. Rejects with a SubmitError. */
export function listJobs(options: InquiryOptions): Promise<JobRow[]> {
  return withServer(options, async (ask) => {
    const all: JobRow[] = [];
    for (let from = 0; ;) {
      const rows = await rowsFrom(ask, from, ROWS_MAX);
      all.push(...rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < ROWS_MAX || last.id === 2 ** 32 - 1) break;
      from = last.id + 1;
    }
    return all.sort((a, b) => a.submittedMs - b.submittedMs || a.id - b.id);
  });
}

/** How the job that is called `id` stands; undefined: no such job. Rejects with a SubmitError. */
export function lookUpJob(options: InquiryOptions, id: string): Promise<JobRow | undefined> {
  const number = numberOf(id);
  return withServer(options, async (ask) => {
    const [row] = await rowsFrom(ask, number, 1);
    return row?.id === number ? row : undefined;
  });
}

/**
 * Ends the job that is called `id`: cancels one that has no answer, or forgets the answer of one
 * that has. Rejects with a SubmitError, `REFUSED` if it cannot be.
 */
export async function endJob(
  options: InquiryOptions,
  id: string,
  what: "cancel" | "forget",
): Promise<void> {
  const number = numberOf(id);
  await withServer(options, (ask) =>
    ask({ kind: "end", job: QUESTION, id: number, what }, (answer) =>
      answer.kind === "ended" ? true : undefined,
    ),
  );
}

/** Asks one question, and gives what `take` makes of the first message that answers it. */
type Ask = <T>(question: FromClient, take: (answer: ToClient) => T | undefined) => Promise<T>;

function rowsFrom(ask: Ask, from: number, most: number): Promise<readonly JobRow[]> {
  return ask({ kind: "list", job: QUESTION, from, most }, (answer) =>
    answer.kind === "jobs" ? answer.rows : undefined,
  );
}

function numberOf(id: string): number {
  const number = idFrom(id);
  if (number !== undefined) return number;
  const text = `"${oneLine(id)}" is no job's id, expected one like lusab-babad`;
  throw new SubmitError("INVALID_JOB", text);
}

async function withServer<T>(
  { host = "127.0.0.1", port, params }: InquiryOptions,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  checkPort(port, 1);
  checkText("host", host);
  checkBy("params", () => fullParams("cbor", params));
  let client: LspClient | undefined;
  try {
    const at = { host, port, appVersion: MESSAGES_VERSION };
    client = await connect(params === undefined ? at : { ...at, params });
    return await work((question, take) => askOn(client!, question, take));
  } catch (cause) {
    if (cause instanceof SubmitError) throw cause;
    const reason = whyEnded(`the server at ${host}:${port}`, cause);
    throw new SubmitError("DISCONNECTED", reason, { cause });
  } finally {
    await client?.close();
  }
}

async function askOn<T>(
  client: LspClient,
  question: FromClient,
  take: (answer: ToClient) => T | undefined,
): Promise<T> {
  client.write(encodeMessage(question));
  for (;;) {
    const message = decodeMessage(await client.read());
    if (typeof message === "string") throw new SubmitError("REFUSED", `cannot read: ${message}`);
    if (message.kind === "refused") throw new SubmitError("REFUSED", message.reason);
    const taken = take(message as ToClient);
    if (taken !== undefined) return taken;
  }
}
