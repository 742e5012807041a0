/**
 * The client on a real socket: a job, as an iterable of progress and a promise of the answer, over
 * one connection after the other.
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";
import { checkBy, checkOneOf } from "../base/options.ts";
import { oneLine } from "../base/text.ts";
import { fullParams, type Params, type Wire } from "../lsp/mod.ts";
import { type ServerChoice, serversOf, targetOf } from "../peer/targets.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { idFrom, idText } from "../work/job_id.ts";
import { type JobRow, MESSAGES_VERSION, type Status } from "../work/messages.ts";
import type { Subject } from "../work/subject.ts";
import { whyNot } from "./checks.ts";
import { ClientCore } from "./core.ts";
import type { ClientEffect, ClientInput, Job } from "./types.ts";

/** A job, and the server to ask. */
export type SubmitOptions = Job &
  ServerChoice & {
    readonly wire?: Wire;
    readonly params?: Params;
    /** Cancels the job when aborted. */
    readonly signal?: AbortSignal;
    /** Told why there is no connection, when it is dialled again after `waitMs`. */
    readonly onWaiting?: (reason: string, waitMs: number) => void;
    /** It goes on although nobody waits for it, and its answer is kept. */
    readonly detached?: boolean;
    /** Give up when the connection is gone, instead of waiting for the server to come back. */
    readonly once?: boolean;
  };

/** A job that was submitted before, and the server to ask. */
export interface AttachOptions extends ServerChoice {
  /** As {@link Submission.id} said, or as people type it: `lusab-babad`. */
  readonly id: string;
  readonly params?: Params;
  readonly onWaiting?: (reason: string, waitMs: number) => void;
  /** Stops waiting when aborted; the job goes on. */
  readonly signal?: AbortSignal;
  /** See {@link SubmitOptions}. */
  readonly once?: boolean;
}

/** What a job came to. */
export interface JobAnswer {
  readonly hash: bigint;
  readonly nonce: bigint;
  /** Whether the target was reached; true for a job without one. */
  readonly met: boolean;
}

/** Why a job has no answer, for programs. */
export type SubmitErrorCode =
  /** The job cannot be carried: message too long, range empty, a target on the json wire. */
  | "INVALID_JOB"
  /** An option cannot work: no port, unknown wire, impossible parameters. */
  | "INVALID_OPTION"
  /** The server will not do the job, or its answer was wrong. */
  | "REFUSED"
  /** The server was lost, or never answered; `cause` is the error of LSP. */
  | "DISCONNECTED"
  | "CANCELLED";

/** Rejects the answer of a job that has none. */
export class SubmitError extends CodedError<SubmitErrorCode> {
  override name = "SubmitError";
}

/** A job under way. Iterating gives its progress; a late reader sees the newest. */
export interface Submission extends AsyncIterable<Status>, AsyncDisposable {
  /** The checked answer; rejects with a {@link SubmitError}. */
  readonly answer: Promise<JobAnswer>;
  /** Resolves when connected (of several servers: with the leader), rejects as `answer` does. */
  readonly connected: Promise<void>;
  /** The job's id, once the server has taken it in; rejects as `answer` does. */
  readonly id: Promise<string>;
  /** Whether it outlives the server; undefined until it has an id. */
  readonly durable: boolean | undefined;
  /** The server that it talks to, or last did, `HOST:PORT`. */
  readonly server: string;
  /** What it is, of one that was attached to, once that is known. */
  readonly row: JobRow | undefined;
  /** Drops the job, here and at the server (one that was attached to: here only). */
  cancel(): Promise<void>;
  /** Waits for it no longer; the job goes on. Resolves when what was said is known to be heard. */
  leave(): Promise<void>;
}

/** The one job of a connection. */
const JOB = 1;

/**
 * Asks a server for a job. Returns at once; all that can go wrong is told by `answer`.
 */
export function submit(options: SubmitOptions): Submission {
  return new RunningJob(options, undefined);
}

/**
 * Follows a job that was submitted before, by this program or another. Returns at once; all that
 * can go wrong is reported by `answer`, also that no such job is known.
 */
export function attach(options: AttachOptions): Submission {
  const { id, ...where } = options;
  const number = idFrom(id);
  // What is searched is not known yet: it stands for nothing.
  const nothing = { message: "", lower: 0n, upper: 0n } as const;
  return new RunningJob(
    { ...where, ...nothing },
    number ??
      new SubmitError(
        "INVALID_JOB",
        `"${oneLine(id)}" is no job's id, expected one like lusab-babad`,
      ),
  );
}

class RunningJob implements Submission {
  readonly answer: Promise<JobAnswer>;
  readonly connected: Promise<void>;
  readonly id: Promise<string>;
  durable: boolean | undefined;
  row: JobRow | undefined;
  readonly #drive: Drive<ClientInput, ClientEffect>;
  readonly #onWaiting: SubmitOptions["onWaiting"];
  readonly #id = Promise.withResolvers<string>();
  readonly #answer = Promise.withResolvers<JobAnswer>();
  readonly #connected = Promise.withResolvers<void>();
  readonly #link: Uplink;
  readonly #params: Params | undefined;
  #cause: unknown;
  #over = false;
  /** The newest progress, and a bell that rings when there is another or no more. */
  #status: Status | undefined;
  #news = Promise.withResolvers<void>();

  /** `found`: of a job that is attached to, its id; or why it cannot be. */
  constructor(options: SubmitOptions, found: number | SubmitError | undefined) {
    const servers = serversIn(options);
    const core = new ClientCore({
      servers,
      session: newSession(),
      random: options.once === true ? undefined : freshRandom(),
    });
    this.#drive = new Drive<ClientInput, ClientEffect>(core, (effect) => this.#do(effect));
    this.#onWaiting = options.onWaiting;
    this.answer = this.#answer.promise;
    this.connected = this.#connected.promise;
    this.id = this.#id.promise;
    this.id.catch(() => {});
    // Code that looks at only one of the two must not be bothered by the other.
    this.answer.catch(() => {});
    this.connected.catch(() => {});
    const { wire, params } = options;
    this.#params = params;
    const first = targetOf(servers[0] ?? "", servers.length > 1, params);
    this.#link = new Uplink(
      { ...first, wire, appVersion: MESSAGES_VERSION },
      {
        onConnected: (spoken) => {
          // Of several servers only the leader is one to be connected with.
          if (servers.length === 1 || spoken === "json") this.#connected.resolve();
          this.#drive.tell({ kind: "connected", wire: spoken });
        },
        onPayload: (payload) => this.#drive.tell({ kind: "payload", payload }),
        onGone: (reason, error) => {
          this.#cause = error;
          this.#drive.tell({ kind: "gone", reason });
        },
      },
    );
    this.#start(options, found);
  }

  #start(options: SubmitOptions, found: number | SubmitError | undefined): void {
    const { lower, upper, target, wire = "cbor", signal, detached = false } = options;
    if (found instanceof SubmitError) return this.#fail(found);
    const subject: Subject = options.header ?? options.message;
    const work = { subject, lower, upper, ...(target !== undefined && { target }) };
    const optionError = optionErrorOf(options);
    if (optionError !== undefined) return this.#fail(optionError);
    const reason = whyNoSubject(options) ?? whyNot(work, wire);
    if (reason !== undefined) return this.#fail(new SubmitError("INVALID_JOB", reason));
    const cancel = (): void => void this.#cancel(signal?.reason);
    if (signal?.aborted) return cancel();
    signal?.addEventListener("abort", cancel, { once: true });
    void this.answer.catch(() => {}).finally(() => signal?.removeEventListener("abort", cancel));
    if (found !== undefined) this.#drive.tell({ kind: "attach", job: JOB, id: found });
    else this.#drive.tell({ kind: "submit", job: JOB, work, detached });
    this.#link.dial();
  }

  get server(): string {
    return this.#link.where;
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Status> {
    let seen: Status | undefined;
    for (;;) {
      const news = this.#news.promise;
      if (this.#status !== undefined && this.#status !== seen) {
        seen = this.#status;
        yield seen;
      } else if (this.#over) return;
      else await news;
    }
  }

  cancel(): Promise<void> {
    return this.#cancel();
  }

  #cancel(cause?: unknown): Promise<void> {
    this.#drive.tell({ kind: "cancel", job: JOB });
    this.#fail(new SubmitError("CANCELLED", "the job was cancelled", { cause }));
    return this.#link.close();
  }

  leave(): Promise<void> {
    this.#fail(new SubmitError("CANCELLED", "it is waited for no longer"));
    return this.#link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  #do(effect: ClientEffect): void {
    switch (effect.kind) {
      case "write":
        return this.#link.write(effect.payload);
      case "dial":
        return this.#dial(effect.server, effect.isCluster);
      case "waiting":
        return this.#onWaiting?.(effect.reason, effect.waitMs);
      case "accepted":
        this.durable = effect.durable;
        this.#connected.resolve();
        return this.#id.resolve(idText(effect.id));
      case "found":
        this.row = effect.row;
        return;
      case "progress":
        this.#status = effect.status;
        return this.#ring();
      case "answer":
        this.#answer.resolve({ ...effect.best, met: effect.met });
        return this.#finish();
      case "refused":
        return this.#fail(new SubmitError("REFUSED", effect.reason));
      case "disconnected":
        return this.#fail(new SubmitError("DISCONNECTED", effect.reason, { cause: this.#cause }));
    }
  }

  #dial(server = this.#link.where, isCluster = false): void {
    this.#link.dial(targetOf(server, isCluster, this.#params));
  }

  #fail(error: SubmitError): void {
    this.#answer.reject(error);
    this.#connected.reject(error);
    this.#id.reject(error);
    this.#finish();
  }

  #finish(): void {
    this.#over = true;
    this.#drive.stop();
    this.#ring();
    void this.#link.close();
  }

  #ring(): void {
    const bell = this.#news;
    this.#news = Promise.withResolvers<void>();
    bell.resolve();
  }
}

/** The servers; none if the options say none that can be used, which is told later. */
function serversIn(options: SubmitOptions): string[] {
  return optionErrorOf(options) === undefined ? serversOf(options) : [];
}

function optionErrorOf(options: SubmitOptions): SubmitError | undefined {
  const { wire, params } = options;
  try {
    serversOf(options);
    checkOneOf("wire", wire, ["cbor", "json"]);
    checkBy("params", () => fullParams(wire ?? "cbor", params));
  } catch (cause) {
    return new SubmitError("INVALID_OPTION", (cause as Error).message, { cause });
  }
  return undefined;
}

/** Why the job says not what to search with; for callers without types, too. */
function whyNoSubject({ message, header }: Job): string | undefined {
  if (header === undefined) {
    if (typeof message === "string") return undefined;
    return `the message must be a string, got ${typeof message}`;
  }
  if (message !== undefined) return "a job has a message or a header, got both";
  if (header instanceof Uint8Array) return undefined;
  return `the header must be a Uint8Array, got ${typeof header}`;
}

/** A session that nobody else has picked, as far as chance goes, and nobody can guess. */
function newSession(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0]!;
}
