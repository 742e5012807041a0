/**
 * What a person sees of a job while it runs.
 *
 * @module
 */
import { readableCount } from "../base/text.ts";
import { printSoon } from "../run/output.ts";
import type { Display } from "../run/progress.ts";
import type { Status } from "../work/messages.ts";
import { hexDigits } from "../work/readable.ts";
import type { Submission } from "./adapter.ts";
import { progressLine, whyWaiting } from "./progress_line.ts";

/** How long nothing is heard from the server before that is said. */
const SILENT_MS = 1000;

/** The servers that may be asked, and the one that is. */
export interface Where {
  readonly asked: string;
  readonly now: () => string;
}

/** What is shown of a job, and where. */
export interface ShowOptions {
  /** Nonces of the job; undefined while that is not known. */
  readonly total: () => bigint | undefined;
  /** Says that the server is gone, or back. */
  readonly outage: Outage;
  readonly where: Where;
  /** Progress goes to stdout as JSON. */
  readonly json: boolean;
  readonly display: Display;
}

/** A job that is shown. */
export interface Shown {
  /** Resolves when the job has ended well or badly; rejects when it never began. */
  readonly over: Promise<void>;
  /** The user gives up: clears the display, and says how far the search came. */
  end(): void;
}

/** Shows how the job goes until it ends. */
export function showProgress(job: Submission, options: ShowOptions): Shown {
  const { where, json, display, outage } = options;
  let last: Status | undefined;
  let hint: ReturnType<typeof setTimeout> | undefined;
  const over = (async () => {
    // A job that cannot be done fails at once, and nothing else is said of it.
    await Promise.race([job.connected, new Promise((resolve) => setTimeout(resolve))]);
    display.line(`connecting to ${where.asked}`);
    const still = `still no answer from ${where.asked}: is a server running there? does a firewall`;
    hint = setTimeout(() => display.line(`${still} let UDP through?`), SILENT_MS);
    await job.connected.finally(() => clearTimeout(hint));
    display.line(`connected to ${where.now()}`);
    const waits = waitingLines(display);
    for await (const status of job) {
      const total = options.total();
      if (total === undefined) continue;
      last = status;
      outage.over();
      if (json) printSoon(`${JSON.stringify({ progress: plain(status, total) })}\n`);
      waits(status);
      display.status(progressLine(status, total, display.lineOptions));
    }
  })();
  const end = (): void => {
    clearTimeout(hint);
    display.clear();
    if (last === undefined) return;
    const { done, best } = last;
    const total = options.total() ?? done;
    const found =
      best === undefined ? "" : `; best so far ${hexDigits(best.hash)} at ${best.nonce}`;
    const searched = `searched ${readableCount(done)} of ${readableCount(total)} nonces`;
    display.line(`${searched}${found}`);
  };
  return { over, end };
}

/** Says once that the server is gone, and once that it is back. */
export class Outage {
  readonly #display: Display;
  readonly #where: Where;
  readonly #json: boolean;
  #isOut = false;

  constructor(display: Display, where: Where, json: boolean) {
    this.#display = display;
    this.#where = where;
    this.#json = json;
  }

  /** There is no connection, for a reason. */
  began(reason: string): void {
    if (this.#isOut) return;
    this.#isOut = true;
    const hopes = this.#where.asked.includes(",") ? "a leader" : "it to come back";
    this.#display.line(`${reason}; waiting for ${hopes}`);
    if (this.#json) printSoon(`${JSON.stringify({ waiting: reason })}\n`);
  }

  /** The server speaks. */
  over(): void {
    if (!this.#isOut) return;
    this.#isOut = false;
    this.#display.line(`connected to ${this.#where.now()} again: the job goes on`);
  }
}

/** Says once at a time why nothing moves. */
function waitingLines(display: Display): (status: Status) => void {
  let said = "";
  let sinceMs = performance.now();
  let seen = -1n;
  return (status) => {
    const nowMs = performance.now();
    const { done, fleetRate } = status;
    if (done !== seen || fleetRate === 0) [seen, sinceMs] = [done, nowMs];
    const why = whyWaiting(status, nowMs - sinceMs);
    if (why !== "" && why !== said) display.line(why);
    said = why;
  };
}

/** A status for programs: 64-bit numbers as decimal text. */
function plain({ done, jobRate, fleetRate, miners, best }: Status, total: bigint): object {
  const numbers = { done: `${done}`, total: `${total}`, jobRate, fleetRate, miners };
  if (best === undefined) return numbers;
  return { ...numbers, best: { hash: hexDigits(best.hash), nonce: `${best.nonce}` } };
}
