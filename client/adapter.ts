/**
 * The client on a real socket: one connection for one job, as an iterable of progress and a promise
 * of the answer.
 *
 * @module
 */
import { checkBy, checkOneOf, checkPort, checkText } from "../base/options.ts";
import { fullParams, type Params, type Wire } from "../lsp/mod.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { MESSAGES_VERSION, type Status } from "../work/messages.ts";
import type { Subject } from "../work/subject.ts";
import { ClientCore, whyNot } from "./core.ts";
import type { ClientEffect, ClientInput, Job } from "./types.ts";

/** A job, and the server to ask. */
export type SubmitOptions = Job & {
  /** The server's name or address; loopback if left out. */
  readonly host?: string;
  readonly port: number;
  readonly wire?: Wire;
  readonly params?: Params;
  /** Cancels the job when aborted. */
  readonly signal?: AbortSignal;
};

/** What a job came to. */
export interface JobAnswer {
  readonly hash: bigint;
  readonly nonce: bigint;
  /** Whether the target was reached; true for a job without one. */
  readonly met: boolean;
}

/** Why a job has no answer, for programs. */
export type SubmitErrorCode =
  /** The job cannot be carried: message too long, range empty, a target on the classic wire. */
  | "INVALID_JOB"
  /** An option cannot work: no port, unknown wire, impossible parameters. */
  | "INVALID_OPTION"
  /** The server will not do the job, or its answer was wrong. */
  | "REFUSED"
  /** The server was lost, or never answered; `cause` is the error of LSP. */
  | "DISCONNECTED"
  | "CANCELLED";

/** Rejects the answer of a job that has none. */
export class SubmitError extends Error {
  override name = "SubmitError";
  /** The kind of failure. */
  readonly code: SubmitErrorCode;

  constructor(code: SubmitErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A job under way. Iterating gives its progress; a late reader sees the newest. */
export interface Submission extends AsyncIterable<Status>, AsyncDisposable {
  /** The checked answer; rejects with a {@link SubmitError}. */
  readonly answer: Promise<JobAnswer>;
  /** Resolves when connected, rejects as `answer` does. */
  readonly connected: Promise<void>;
  /** Drops the job, here and at the server; resolves when that is said. */
  cancel(): Promise<void>;
}

/** The one job of a connection. */
const JOB = 1;

/**
 * Asks a server for a job. Returns at once; all that can go wrong is told by `answer`.
 */
export function submit(options: SubmitOptions): Submission {
  return new RunningJob(options);
}

class RunningJob implements Submission {
  readonly answer: Promise<JobAnswer>;
  readonly connected: Promise<void>;
  readonly #drive = new Drive<ClientInput, ClientEffect>(
    new ClientCore({ session: newSession() }),
    (effect) => this.#do(effect),
  );
  readonly #answer = Promise.withResolvers<JobAnswer>();
  readonly #connected = Promise.withResolvers<void>();
  readonly #link: Uplink;
  #cause: unknown;
  #over = false;
  /** The newest progress, and a bell that rings when there is another or no more. */
  #status: Status | undefined;
  #news = Promise.withResolvers<void>();

  constructor(options: SubmitOptions) {
    this.answer = this.#answer.promise;
    this.connected = this.#connected.promise;
    // Code that looks at only one of the two must not be bothered by the other.
    this.answer.catch(() => {});
    this.connected.catch(() => {});
    const { host, port, wire, params } = options;
    this.#link = new Uplink(
      { host, port, wire, params, appVersion: MESSAGES_VERSION },
      {
        onConnected: (spoken) => {
          this.#connected.resolve();
          this.#drive.tell({ kind: "connected", wire: spoken });
        },
        onPayload: (payload) => this.#drive.tell({ kind: "payload", payload }),
        onGone: (reason, error) => {
          this.#cause = error;
          this.#drive.tell({ kind: "gone", reason });
        },
      },
    );
    this.#start(options);
  }

  #start(options: SubmitOptions): void {
    const { lower, upper, target, wire = "cbor", signal } = options;
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
    this.#drive.tell({ kind: "submit", job: JOB, work });
    this.#link.dial();
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

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  #do(effect: ClientEffect): void {
    switch (effect.kind) {
      case "write":
        return this.#link.write(effect.payload);
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

  #fail(error: SubmitError): void {
    this.#answer.reject(error);
    this.#connected.reject(error);
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

function optionErrorOf({ host, port, wire, params }: SubmitOptions): SubmitError | undefined {
  try {
    checkPort(port, 1);
    checkText("host", host);
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
