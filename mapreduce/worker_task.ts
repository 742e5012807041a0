/**
 * A task at a worker: what it still needs before it can run, and how it stands.
 *
 * @module
 */
import type { JobTerms, MrMap, MrReduce, WireSource } from "../work/mapreduce_messages.ts";
import type { JobFile, JobFilePart, RunOrder, SharedPart } from "./worker_types.ts";

/** Where a partition that was fetched, or is this worker's own, lies. */
export interface Fetched {
  readonly part: JobFilePart;
  readonly hash: string;
}

/** See the module. */
export class WorkerTask {
  /** This worker's number for it, never used twice. */
  readonly run: number;
  readonly order: MrMap | MrReduce;
  /** The server's number for it: another one after the server was away. */
  number: number;
  /** Bytes that the application has read. */
  bytes = 0;
  state: "fetching" | "ready" | "running" = "fetching";
  /** Ends its fetches. */
  readonly cancels: (() => void)[] = [];
  // ---- of a map
  name: string | undefined;
  firstLine = 0;
  hasInput = false;
  /** Where its split lies, if it need not be fetched. */
  shared: SharedPart | undefined;
  // ---- of a reduce
  readonly sources: WireSource[] = [];
  /** Where their holders can be asked directly. */
  readonly peers: Map<number, string> = new Map();
  readonly parts: JobFilePart[] = [];
  /** How many of these are there. */
  fetched = 0;
  /** Sources that are being fetched, and the next that is not yet. */
  fetching = 0;
  nextSource = 0;

  constructor(run: number, order: MrMap | MrReduce) {
    this.run = run;
    this.order = order;
    this.number = order.task;
  }

  get isMap(): boolean {
    return this.order.kind === "mr-map";
  }

  get uid(): number {
    return this.order.uid;
  }

  get terms(): JobTerms {
    return this.order.terms;
  }

  /** Whether all that it reads is there; the code is another matter. */
  get hasAll(): boolean {
    if (this.order.kind === "mr-map") return this.hasInput && this.name !== undefined;
    return this.fetched === this.order.maps;
  }

  /** Where its input is put. */
  get split(): JobFile {
    return { uid: this.uid, kind: "split", number: this.run };
  }

  /** Where its result goes. */
  get output(): JobFile {
    const kind = this.order.kind === "mr-map" ? "map" : "output";
    return { uid: this.uid, kind, number: this.run };
  }

  /** The order to run it. */
  runOrder(code: JobFile | undefined): RunOrder {
    const { uid, terms, output } = this;
    const common = { uid, terms, code, output };
    if (this.order.kind === "mr-reduce") {
      return { kind: "reduce", ...common, index: this.order.index, inputs: this.parts };
    }
    const input = this.shared ?? { file: this.split, from: 0, to: this.order.bytes };
    const { index } = this.order;
    return { kind: "map", ...common, index, name: this.name!, firstLine: this.firstLine, input };
  }
}
