/**
 * The program that a child process runs: {@link ProbeProgram}, as its own text. It may name nothing
 * but its own members and what the language has: the text is taken from the class, whatever file
 * that lies in (source, one-file program, executable), and given to Bun on the command line.
 *
 * Why so: the child must not run the main module of the using program, there may be no other file
 * beside a one-file program, and text that is a class here is checked, linted and minified with
 * everything else. All that knows of kernels stays with the parent: see probe_plan.ts.
 *
 * @module
 */
import type * as FfiModule from "bun:ffi";
import type * as FsModule from "node:fs";

/** Where something lies in the bytes behind a job: offset and length. */
export type Span = readonly [at: number, bytes: number];

/** A step of a plan whose bytes lie behind the job. */
export interface WireStep {
  readonly code: readonly Span[];
  readonly blocks: readonly {
    readonly words: number;
    readonly filled: readonly { readonly at: number; readonly words: Span }[];
  }[];
  readonly calls: readonly WireCall[];
  readonly answers: { readonly block: number; readonly words: number };
  readonly timed?: { readonly calls: readonly WireCall[]; readonly nonces: number };
}

/** As `ProbeCall`. */
export interface WireCall {
  readonly code: number;
  readonly offset: number;
  readonly pointers: readonly (readonly [block: number, word: number])[];
  readonly from: number;
  readonly to: number;
  readonly threshold: number;
  readonly judged: boolean;
}

/** What a child is to do. */
export interface ProbeJob {
  /** Absolute path of the C library; empty if none is known. */
  readonly library: string;
  /** For mmap: private and anonymous. */
  readonly mapFlags: number;
  /** Processor time after which the system ends the child. */
  readonly cpuSeconds: number;
  /** Code that answers CPUID, and what to ask of it; or what to ask getauxval. */
  readonly cpuid?: { readonly code: Span; readonly leaves: readonly number[] };
  readonly auxiliary?: number;
  /** Processor time to measure, and the length of the slices of it that are compared. */
  readonly measureMillis: number;
  readonly sliceMillis: number;
  /** By the clock it may take so many times as long. */
  readonly patience: number;
  readonly steps: readonly WireStep[];
}

/** What a child says, a line of JSON each. */
export type ProbeLine =
  /** It runs, on this processor. */
  | { readonly kind: "hello"; readonly processor: readonly number[] }
  /** The next step is done: for every judged call what it returned, and the words. */
  | { readonly kind: "step"; readonly answers: readonly (readonly number[])[] }
  /** Nonces a second of the timed calls. */
  | { readonly kind: "rate"; readonly rate: number }
  | { readonly kind: "done" }
  /** It cannot do what it should, by no fault of the code. */
  | { readonly kind: "refused"; readonly why: string };

interface Libc {
  mmap(at: null, bytes: number, access: number, flags: number, fd: number, offset: number): number;
  mprotect(at: number, bytes: number, access: number): number;
  setrlimit(what: number, limits: BigUint64Array): number;
}
type Entry = (a: number, b: number, c: number, from: number, to: number, limit: number) => number;

/** See the module's comment. Reads a job from standard input, says lines on standard output. */
export class ProbeProgram {
  readonly #ffi: typeof FfiModule;
  readonly #fs: typeof FsModule;
  #job!: ProbeJob;
  #bytes!: Uint8Array;
  #libc!: Libc;

  constructor(ffi: typeof FfiModule, fs: typeof FsModule) {
    this.#ffi = ffi;
    this.#fs = fs;
  }

  run(): void {
    try {
      const input = this.#fs.readFileSync(0);
      const start = 4 + input.readUInt32LE(0);
      this.#job = JSON.parse(input.toString("utf8", 4, start)) as ProbeJob;
      // A plain array: slices of a Buffer are views.
      this.#bytes = new Uint8Array(input.subarray(start));
      this.#libc = this.#openLibrary({
        mmap: { args: ["ptr", "u64", "i32", "i32", "i32", "i64"], returns: "ptr" },
        mprotect: { args: ["ptr", "u64", "i32"], returns: "i32" },
        setrlimit: { args: ["i32", "ptr"], returns: "i32" },
      }) as unknown as Libc;
      this.#setLimits();
      this.#say({ kind: "hello", processor: this.#processor() });
      for (const step of this.#job.steps) this.#runStep(step);
      this.#say({ kind: "done" });
    } catch (error) {
      this.#say({ kind: "refused", why: String(error) });
    }
  }

  #say(line: ProbeLine): void {
    this.#fs.writeSync(1, `${JSON.stringify(line)}\n`);
  }

  #openLibrary(signatures: Record<string, FfiModule.FFIFunction>): Record<string, unknown> {
    if (this.#job.library === "") throw new Error("no C library is known");
    return this.#ffi.dlopen(this.#job.library, signatures).symbols;
  }

  /** RLIMIT_CPU (0): an endless loop ends. RLIMIT_CORE (4): a crash leaves no file behind. */
  #setLimits(): void {
    const seconds = BigInt(this.#job.cpuSeconds);
    this.#libc.setrlimit(0, BigUint64Array.of(seconds, seconds + 2n));
    this.#libc.setrlimit(4, BigUint64Array.of(0n, 0n));
  }

  #processor(): number[] {
    const { cpuid, auxiliary } = this.#job;
    if (auxiliary !== undefined) {
      const signature = { args: ["u64"], returns: "u32" } as const;
      const { getauxval } = this.#openLibrary({ getauxval: signature });
      return [(getauxval as (what: bigint) => number)(BigInt(auxiliary))];
    }
    if (cpuid === undefined) return [];
    const ask = this.#entry(this.#mapCode(cpuid.code));
    const answer = this.#mapBlock(16);
    return cpuid.leaves.flatMap((leaf) => {
      ask(answer.address, 0, 0, leaf, 0, 0);
      return [...answer.words.subarray(0, 4)];
    });
  }

  #runStep({ code, blocks, calls, answers, timed }: WireStep): void {
    const addresses = code.map((span) => this.#mapCode(span));
    const memory = blocks.map(({ words, filled }) => {
      const block = this.#mapBlock(words);
      for (const { at, words: span } of filled) {
        block.words.set(new Int32Array(this.#bytes.slice(span[0], span[0] + span[1]).buffer), at);
      }
      return block;
    });
    const prepared = (list: readonly WireCall[]): (() => number)[] =>
      list.map(({ code: number, offset, pointers, from, to, threshold }) => {
        const entry = this.#entry(addresses[number]! + offset);
        const [a, b, c] = pointers.map(([block, word]) => memory[block]!.address + 4 * word);
        return () => entry(a!, b!, c!, from, to, threshold);
      });
    const got: number[][] = [];
    for (const [i, call] of prepared(calls).entries()) {
      const returned = call();
      const words = memory[answers.block]!.words.subarray(0, answers.words);
      if (calls[i]!.judged) got.push([returned, ...words]);
    }
    this.#say({ kind: "step", answers: got });
    if (timed !== undefined) this.#time(prepared(timed.calls), timed.nonces);
  }

  /**
   * The best of many short slices of processor time, so that what else the machine does does not
   * decide. On a machine that gives next to none it ends all the same.
   */
  #time(calls: readonly (() => number)[], nonces: number): void {
    const { measureMillis, sliceMillis, patience } = this.#job;
    const usedMs = (): number => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    };
    const startMs = usedMs();
    const endMs = performance.now() + patience * measureMillis;
    let [rate, nowMs] = [0, startMs];
    while (nowMs - startMs < measureMillis && (rate === 0 || performance.now() < endMs)) {
      const sliceMs = nowMs;
      let rounds = 0;
      do {
        for (const call of calls) call();
        rounds++;
        nowMs = usedMs();
      } while (nowMs - sliceMs < sliceMillis);
      rate = Math.max(rate, (rounds * nonces * 1000) / (nowMs - sliceMs));
    }
    this.#say({ kind: "rate", rate });
  }

  // ---- memory, as the miner has it: code never writable, buffers that end at a page that faults

  #map(bytes: number): number {
    const at = this.#libc.mmap(null, bytes, 3, this.#job.mapFlags, -1, 0);
    if (!at || at < 0 || at >= 2 ** 63) throw new Error(`mmap of ${bytes} bytes failed`);
    return at;
  }

  #protect(at: number, bytes: number, access: number): void {
    if (this.#libc.mprotect(at, bytes, access) !== 0) throw new Error("mprotect failed");
  }

  #view(at: number, bytes: number): ArrayBuffer {
    return this.#ffi.toArrayBuffer(at as FfiModule.Pointer, 0, bytes);
  }

  #mapCode([at, length]: Span): number {
    const bytes = Math.ceil(length / 16_384) * 16_384;
    const address = this.#map(bytes);
    new Uint8Array(this.#view(address, bytes)).set(this.#bytes.subarray(at, at + length));
    this.#protect(address, bytes, 5);
    return address;
  }

  #mapBlock(words: number): { readonly address: number; readonly words: Int32Array } {
    const bytes = Math.ceil(words / 16) * 64;
    const inner = Math.ceil(bytes / 16_384) * 16_384;
    const start = this.#map(inner + 2 * 16_384);
    this.#protect(start, 16_384, 0);
    this.#protect(start + 16_384 + inner, 16_384, 0);
    const address = start + 16_384 + inner - bytes;
    return { address, words: new Int32Array(this.#view(address, bytes)) };
  }

  #entry(address: number): Entry {
    const args = ["ptr", "ptr", "ptr", "i32", "i32", "u32"] as const;
    const options = { ptr: address as FfiModule.Pointer, args, returns: "i32" } as const;
    return this.#ffi.CFunction(options) as unknown as Entry;
  }
}

/** What Bun is given to run, behind `-e`. */
export function probeProgramText(): string {
  return `new (${String(ProbeProgram)})(require("bun:ffi"), require("node:fs")).run();`;
}
