/**
 * Finds out which kernels this machine can run and how fast they are: has child processes run their
 * code (probe_adapter.ts), keeps what came of it, and tells those who listen of every
 * better kernel that is proved. All pools of a process that keep their records in the same place
 * share one prover.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";
import { detect, KernelError, machineCodeOf } from "./kernels/mod.ts";
import { type Probe, type ProbeOptions, startProbe } from "./kernels/probe_adapter.ts";
import { ProvedCode } from "./kernels/proved_code.ts";
import { RecordStore } from "./kernels/record_store_adapter.ts";
import {
  isProved,
  type KernelRecord,
  type KernelRecords,
  type KernelVerdict,
  nextTrial,
  type Trial,
  verdictOf,
  type Wish,
} from "./kernels/selection.ts";
import { type Planner, PORTABLE_MS, threadPlanner } from "./planner_worker.ts";

/** Hears what a prover finds out. */
export interface ProverListener {
  /** The best kernel so far; perhaps the same as before. */
  readonly onBetter?: (verdict: KernelVerdict) => void;
  /** All is found out that was wished for. */
  readonly onDone: (verdict: KernelVerdict) => void;
  /** One line for people: a kernel is struck off, or nothing can be proved. */
  readonly onWarning?: (text: string) => void;
}

/** How a prover works. */
export interface ProverOptions {
  /** Where records are kept; in memory only, if left out. */
  readonly directory?: string;
  /** What tests put in place of the real thing. */
  readonly planner?: Planner;
  readonly probe?: ProbeOptions;
}

/** What came of a trial. */
type Outcome = KernelRecord | { readonly kind: "unjudged"; readonly why: string };

interface Subscription {
  readonly wish: Wish;
  readonly listener: ProverListener;
}

const shared = new Map<string, Prover>();

/** See the module's comment. */
export class Prover {
  /** Machine code that may be run. */
  readonly proved: ProvedCode = ProvedCode.create();
  readonly #records = new Map<string, KernelRecord>();
  readonly #store: RecordStore | undefined;
  readonly #planner: Planner;
  readonly #probeOptions: ProbeOptions;
  readonly #subscriptions = new Set<Subscription>();
  #probe: Probe | undefined;
  #running = false;
  /** Counts how often all was called off: what comes of a trial from before means nothing. */
  #turn = 0;
  /** Why nothing can be proved at the moment. */
  #obstacle: string | undefined;
  /** Whether records that other processes make meanwhile are taken over. */
  #rereads = true;

  constructor({ directory, planner = threadPlanner(), probe = {} }: ProverOptions = {}) {
    this.#store = directory === undefined ? undefined : new RecordStore(directory);
    this.#planner = planner;
    this.#probeOptions = probe;
    this.#reread();
  }

  /** The prover of this process for records in `directory`, or in memory. */
  static at(directory?: string): Prover {
    const key = directory ?? "";
    const made = shared.get(key) ?? new Prover(directory === undefined ? {} : { directory });
    shared.set(key, made);
    return made;
  }

  /** What is known of kernels. */
  get records(): KernelRecords {
    return this.#records;
  }

  /** Why nothing can be proved at the moment, if that is so. */
  get obstacle(): string | undefined {
    return this.#obstacle;
  }

  /** The answer to a wish, if there is nothing more to find out. */
  known(wish: Wish): KernelVerdict | undefined {
    return this.#next(wish) === undefined ? this.#verdict(wish) : undefined;
  }

  /** Forgets what is known: it is found out anew. */
  forget(): void {
    this.#records.clear();
    this.#rereads = false;
  }

  /**
   * Finds out what is wished for; `listener` hears of it, never before this returns. The function
   * returned ends that: with the last listener the child process ends too.
   */
  learn(wish: Wish, listener: ProverListener): () => void {
    const subscription = { wish, listener };
    this.#subscriptions.add(subscription);
    if (!this.#running) {
      this.#running = true;
      this.#obstacle = undefined;
      void this.#run();
    }
    return () => {
      this.#subscriptions.delete(subscription);
      if (this.#subscriptions.size === 0) this.#rest();
    };
  }

  async #run(): Promise<void> {
    await Promise.resolve();
    for (;;) {
      this.#reread();
      for (const subscription of this.#subscriptions) {
        const { wish, listener } = subscription;
        const verdict = this.known(wish);
        if (verdict === undefined) continue;
        this.#subscriptions.delete(subscription);
        listener.onDone(verdict);
      }
      const [first] = this.#subscriptions;
      if (first === undefined) break;
      await this.#try(this.#next(first.wish)!);
      for (const { wish, listener } of this.#subscriptions) {
        listener.onBetter?.(this.#verdict(wish));
      }
    }
    this.#running = false;
    this.#rest();
  }

  /** Takes over what was kept, by this process or by another that proves kernels as well. */
  #reread(): void {
    if (!this.#rereads || this.#store === undefined) return;
    for (const [name, record] of this.#store.load()) {
      const known = this.#records.get(name);
      if (known !== undefined && (isProved(known) || !isProved(record))) continue;
      this.#records.set(name, record);
      if (record.kind === "works") this.proved.add(record.digests);
    }
  }

  /** Ends the child and the thread that plans. */
  #rest(): void {
    this.#turn++;
    this.#probe?.stop();
    this.#planner.close();
  }

  #next(wish: Wish): Trial | undefined {
    return nextTrial(detect(), this.#records, wish, this.#obstacle === undefined);
  }

  #verdict(wish: Wish): KernelVerdict {
    return verdictOf(detect(), this.#records, wish, this.#obstacle);
  }

  /** Tries a kernel; what it learns is kept, unless all was called off meanwhile. */
  async #try(trial: Trial): Promise<void> {
    const { kernel } = trial;
    const turn = this.#turn;
    const isNative = machineCodeOf(kernel) !== undefined;
    let outcome: Outcome;
    try {
      outcome = isNative ? await this.#prove(trial) : await this.#measure(kernel);
    } catch (error) {
      const why = oneLine((error as Error).message);
      const isItsFault = error instanceof KernelError || !isNative;
      outcome = { kind: isItsFault ? "struck" : "unjudged", why };
    }
    if (turn !== this.#turn) return;
    if (outcome.kind === "unjudged") {
      this.#obstacle = outcome.why;
      return this.#warn(`no machine code can be proved: ${outcome.why}; hashing with what is safe`);
    }
    this.#records.set(kernel, outcome);
    this.#reread();
    this.#store?.save(this.#records);
    if (outcome.kind === "works") this.proved.add(outcome.digests);
    else if (isNative) {
      this.#warn(
        `kernel ${kernel} is struck off: ${outcome.why}; the miner goes on without it. Please ` +
          "report this line with what `miner.ts bench` prints (that also tries it again)",
      );
    }
  }

  async #measure(kernel: string): Promise<Outcome> {
    const { measureMillis = PORTABLE_MS } = this.#probeOptions;
    const rate = await this.#planner.measure(kernel, measureMillis);
    return { kind: "works", rate: Math.round(rate), whole: true, digests: [] };
  }

  /** What a child makes of a kernel. */
  async #prove({ kernel, whole }: Trial): Promise<Outcome> {
    const turn = this.#turn;
    const plan = await this.#planner.plan({ kernel, whole });
    if (turn !== this.#turn) return { kind: "unjudged", why: "called off" };
    this.#probe = startProbe(plan, this.#probeOptions);
    const probed = await this.#probe.result;
    this.#probe = undefined;
    if (probed.kind !== "passed") return probed;
    const before = this.#records.get(kernel);
    const rate = Math.max(probed.rate, before?.kind === "works" ? before.rate : 0);
    return { kind: "works", rate: Math.round(rate), whole, digests: plan.digests };
  }

  #warn(text: string): void {
    for (const { listener } of this.#subscriptions) listener.onWarning?.(text);
  }
}
