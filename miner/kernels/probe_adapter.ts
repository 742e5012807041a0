/**
 * Runs a kernel's code in a child process before this one does: a child that dies, hangs or
 * computes wrong hashes costs a line, not the miner.
 *
 * The child is Bun itself on a program of its own (probe_program_native.ts), never the main module
 * of a program that uses the library; in a compiled executable `BUN_BE_BUN` makes it Bun. It
 * starts in the root directory, so that it obeys no `bunfig.toml` or `.env` of a directory that
 * others may write to.
 *
 * @module
 */
import { oneLine } from "../../base/text.ts";
import { cpuidCode } from "./cpu_native.ts";
import { codeMemory } from "./memory_native.ts";
import { isRight, type ProbeCall, type ProbePlan, type ProbeStep } from "./probe_plan.ts";
import {
  type ProbeJob,
  type ProbeLine,
  probeProgramText,
  type Span,
  type WireCall,
  type WireStep,
} from "./probe_program_native.ts";
import { AT_HWCAP, isSameProcessor, processor } from "./processor_native.ts";

/** Processor time of a child; the slowest kernel takes a fifth of a second. */
const CPU_SECONDS = 10;
/** A child that says nothing for so long hangs, or the machine is of no use anyway. */
const SILENCE_MS = 60_000;
/** What a child says is some kilobytes; one that says more is out of its mind. */
const SAID_BYTES_MAX = 1 << 20;
/** Processor time to measure, slices of it, and how many times as long that may take. */
const MEASURE_MS = 60;
const SLICE_MS = 3;
const PATIENCE = 20;

/** Signals that wrong code brings upon itself; others come from outside. */
const FAULTS: ReadonlySet<string> = new Set(
  "SIGILL SIGSEGV SIGBUS SIGFPE SIGTRAP SIGABRT SIGSYS SIGSTKFLT".split(" "),
);

/** What came of it. */
export type Probed =
  /** All answers were right; nonces a second of one thread. */
  | { readonly kind: "passed"; readonly rate: number }
  /** The code must not be used; one line says why. */
  | { readonly kind: "struck"; readonly why: string }
  /** It could not be found out; one line says why. */
  | { readonly kind: "unjudged"; readonly why: string };

/** How to probe, for tests and for those who measure longer. */
export interface ProbeOptions {
  readonly measureMillis?: number;
  readonly cpuSeconds?: number;
  readonly silenceMillis?: number;
  /** The program to start as Bun; see {@link BUN_VARIABLE}. */
  readonly executable?: string;
}

/**
 * Names a program that runs in place of this Bun as a child, with the same arguments: under an
 * emulator, where children are not emulated by themselves, one that starts it again.
 */
export const BUN_VARIABLE = "MOTHERLODE_PROBE_BUN";

type Child = Bun.Subprocess<"pipe", "pipe", "ignore">;

/** A probe that runs. */
export interface Probe {
  readonly result: Promise<Probed>;
  /** Ends the child; the result is "unjudged". */
  stop(): void;
}

/** Has a child run a plan. Never rejects. */
export function startProbe(plan: ProbePlan, options: ProbeOptions = {}): Probe {
  const { executable = process.env[BUN_VARIABLE] || process.execPath } = options;
  let child: Child;
  try {
    const job = encodeJob(plan, options);
    child = Bun.spawn([executable, "--no-install", "-e", probeProgramText()], {
      cwd: "/",
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      // A crash that was to be expected is nobody's business: Bun must not report it.
      env: {
        ...process.env,
        BUN_BE_BUN: "1",
        DO_NOT_TRACK: "1",
        BUN_ENABLE_CRASH_REPORTING: "0",
      },
    });
    feed(child, job);
  } catch (error) {
    const why = `no child process can be had: ${oneLine((error as Error).message)}`;
    return { result: Promise.resolve({ kind: "unjudged", why }), stop() {} };
  }
  const listener = new Listener(child, plan, options.silenceMillis ?? SILENCE_MS);
  return { result: listener.listen(), stop: () => child.kill("SIGKILL") };
}

/** Writes the job; a child that is gone before it has read it is noticed elsewhere. */
function feed({ stdin }: Child, job: Uint8Array): void {
  const ignore = (): void => {};
  try {
    Promise.resolve(stdin.write(job)).then(ignore, ignore);
    Promise.resolve(stdin.end()).then(ignore, ignore);
  } catch {
    // Gone already.
  }
}

/** Hears a child out and judges it. */
class Listener {
  readonly #child: Child;
  readonly #plan: ProbePlan;
  readonly #silenceMillis: number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Nothing was said for too long. */
  #silent = false;
  /** The child runs, and on this processor. */
  #trusted = false;
  #steps = 0;
  #rate = 0;
  #verdict: Probed | undefined;

  constructor(child: Child, plan: ProbePlan, silenceMillis: number) {
    this.#child = child;
    this.#plan = plan;
    this.#silenceMillis = silenceMillis;
  }

  async listen(): Promise<Probed> {
    const child = this.#child;
    try {
      this.#await();
      await this.#read();
      await child.exited;
      return this.#verdict ?? this.#judgeEnd();
    } catch (error) {
      return { kind: "unjudged", why: `a child process could not be heard: ${String(error)}` };
    } finally {
      clearTimeout(this.#timer);
      child.kill("SIGKILL");
    }
  }

  #await(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#silent = true;
      this.#child.kill("SIGKILL");
    }, this.#silenceMillis);
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    let rest = "";
    let bytes = 0;
    for await (const part of this.#child.stdout) {
      this.#await();
      bytes += part.length;
      const lines = (rest + decoder.decode(part, { stream: true })).split("\n");
      rest = lines.pop()!;
      if (bytes > SAID_BYTES_MAX) this.#verdict ??= this.#strike("said too much");
      for (const line of lines) this.#verdict ??= this.#hear(line);
      if (this.#verdict !== undefined) this.#child.kill("SIGKILL");
    }
  }

  /** Takes a line in; what it settles, if anything. */
  #hear(text: string): Probed | undefined {
    const line = parseLine(text);
    if (line === undefined) return this.#strike("said what makes no sense");
    switch (line.kind) {
      case "hello":
        this.#trusted = isSameProcessor(processor(), line.processor);
        if (this.#trusted) return undefined;
        return { kind: "unjudged", why: "a child process runs on another processor than this one" };
      case "refused":
        return { kind: "unjudged", why: `a child process failed: ${oneLine(line.why)}` };
      case "rate":
        this.#rate = line.rate;
        return undefined;
      case "step": {
        const expected = this.#plan.expected[this.#steps] ?? [];
        const right =
          expected.length === line.answers.length &&
          expected.every((answer, i) => isRight(answer, line.answers[i]!));
        if (!right) return this.#strike("computed wrong hashes");
        this.#steps++;
        return undefined;
      }
      case "done":
        if (this.#steps < this.#plan.steps.length) return this.#strike("left out a part");
        return { kind: "passed", rate: this.#rate };
    }
  }

  /** What it means that the child ended before it was done. */
  #judgeEnd(): Probed {
    const { signalCode, exitCode } = this.#child;
    const how = signalCode ?? `exit code ${exitCode}`;
    if (!this.#trusted) return { kind: "unjudged", why: `a child process did not work: ${how}` };
    if (this.#silent) return this.#strike("hung");
    if (signalCode === "SIGXCPU") return this.#strike("ran on for ever");
    if (signalCode !== null && !FAULTS.has(String(signalCode))) {
      return { kind: "unjudged", why: `a child process was ended from outside: ${how}` };
    }
    return this.#strike(`died: ${how}`);
  }

  #strike(what: string): Probed {
    if (!this.#trusted) return { kind: "unjudged", why: `a child process ${what}` };
    const step = this.#plan.steps[this.#steps];
    return { kind: "struck", why: step === undefined ? what : `${what} (${step.what})` };
  }
}

const isNumbers = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((item) => typeof item === "number");

/** A line of a child, which may have lost its mind; `undefined` if it makes no sense. */
function parseLine(text: string): ProbeLine | undefined {
  let line: Record<string, unknown>;
  try {
    line = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { kind, processor: words, answers, rate, why } = line ?? {};
  if (kind === "hello" && isNumbers(words)) return { kind, processor: words };
  if (kind === "step" && Array.isArray(answers) && answers.every(isNumbers)) {
    return { kind, answers };
  }
  if (kind === "rate" && typeof rate === "number" && rate > 0) return { kind, rate };
  if (kind === "refused" && typeof why === "string") return { kind, why };
  return kind === "done" ? { kind } : undefined;
}

// ---- the job as bytes: length of the JSON text, the text, what it points at

function encodeJob(plan: ProbePlan, options: ProbeOptions): Uint8Array {
  const { measureMillis = MEASURE_MS, cpuSeconds = CPU_SECONDS } = options;
  const parts: Uint8Array[] = [];
  let length = 0;
  const put = (bytes: Uint8Array): Span => {
    const at = length;
    parts.push(bytes);
    length += bytes.length;
    return [at, bytes.length];
  };
  const { leaves } = processor();
  const job: ProbeJob = {
    ...codeMemory(),
    cpuSeconds: cpuSeconds + Math.ceil(measureMillis / 1000),
    ...(leaves.length > 0 && { cpuid: { code: put(cpuidCode()), leaves } }),
    ...(leaves.length === 0 && process.platform === "linux" && { auxiliary: AT_HWCAP }),
    measureMillis,
    sliceMillis: SLICE_MS,
    patience: PATIENCE,
    steps: plan.steps.map((step) => wireStep(step, put)),
  };
  const text = Buffer.from(JSON.stringify(job));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(text.length);
  return Buffer.concat([head, text, ...parts]);
}

function wireStep(step: ProbeStep, put: (bytes: Uint8Array) => Span): WireStep {
  const { code, blocks, calls, answers, timed } = step;
  const words = (list: Int32Array): Span =>
    put(new Uint8Array(list.buffer, list.byteOffset, list.byteLength));
  return {
    code: code.map(put),
    blocks: blocks.map(({ words: size, filled }) => {
      return { words: size, filled: filled.map((part) => ({ ...part, words: words(part.words) })) };
    }),
    calls: calls satisfies readonly ProbeCall[] as readonly WireCall[],
    answers,
    ...(timed !== undefined && { timed }),
  };
}
