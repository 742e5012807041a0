/**
 * Progress of a job, for people or as JSON.
 *
 * @module
 */
import { readableDuration, readablePlural } from "../base/text.ts";
import type { CommandLine } from "../run/args.ts";
import { printSoon } from "../run/output.ts";
import { Display } from "../run/progress.ts";
import { idText } from "../work/job_id.ts";
import type { JobProgress } from "./local_adapter.ts";

/** See the module. */
export class Shown {
  readonly #display: Display;
  readonly #json: boolean;
  readonly #startMs = performance.now();
  #last: JobProgress | undefined;
  #id: number | undefined;

  constructor(line: CommandLine) {
    this.#json = line.has("json");
    this.#display = new Display({ quiet: line.has("quiet") || this.#json });
  }

  line(text: string): void {
    if (this.#json) printSoon(`${JSON.stringify({ note: text })}\n`);
    else this.#display.line(text);
  }

  /** The server has the job; `isDetached`: the id is the result. */
  attached(id: number, isDetached: boolean): void {
    if (this.#id === id) return;
    this.#id = id;
    const text = idText(id);
    if (this.#json) printSoon(`${JSON.stringify({ job: text })}\n`);
    else if (isDetached) printSoon(`${text}\n`);
    else this.#display.line(`job ${text}`);
  }

  progress(progress: JobProgress): void {
    this.#last = progress;
    if (this.#json) return printSoon(`${JSON.stringify({ progress })}\n`);
    const { maps, mapsDone, reduces, reducesDone, bytesDone, failures } = progress;
    const failed = failures === 0 ? "" : `, ${readablePlural(failures, "failure")}`;
    this.#display.status(
      `${mapsDone}/${maps} maps, ${reducesDone}/${reduces} reduces, ${this.#rate(bytesDone)}${failed}`,
    );
  }

  clear(): void {
    this.#display.clear();
  }

  /** The job is done. */
  end(bytes: number): void {
    this.#display.clear();
    const took = readableDuration((performance.now() - this.#startMs) / 1000);
    const { maps = 0, reduces = 0 } = this.#last ?? {};
    const what = `${readablePlural(maps, "map")}, ${readablePlural(reduces, "reduce")}`;
    this.line(`done after ${took}: ${what}, ${this.#rate(bytes)}`);
  }

  #rate(bytes: number): string {
    const elapsed = Math.max(0.001, (performance.now() - this.#startMs) / 1000);
    return `${(bytes / 1e6 / elapsed).toFixed(1)} MB/s`;
  }
}
