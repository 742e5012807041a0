/**
 * Whether partitions have the SHA-256 that they are to have: small ones are hashed at once, large
 * ones by a thread, which begins while they arrive.
 *
 * @module
 */
import { hashOfPart } from "./hash_adapter.ts";
import type { HashNews, HashOrder } from "./hash_orders.ts";
import { Pending } from "./pending.ts";
import { startHashThread } from "./runner_worker.ts";

/** What is smaller is hashed at once: that takes less than a thread does to begin. */
const LARGE_BYTES = 4 << 20;
/** The thread is told of so many more bytes at a time. */
const AHEAD_BYTES = 4 << 20;
/** Files that are hashed while they arrive; more are hashed when they are there. */
const AHEAD_MAX = 64;

interface Arriving {
  /** Bytes from the beginning that are there, and of how many the thread was told. */
  bytes: number;
  told: number;
}

/** See the module. */
export class Hashes {
  readonly #arriving = new Map<string, Arriving>();
  readonly #verifying = new Pending<boolean>();
  #thread: Worker | undefined;

  /** A piece of a file was put. */
  put(path: string, offset: number, bytes: number): void {
    if (offset === 0) this.#begin(path);
    const file = this.#arriving.get(path);
    if (file === undefined) return;
    // Most pieces come in order; what comes behind one that does not is hashed at the end.
    if (file.bytes !== offset) return offset < file.told ? this.forget(path) : undefined;
    file.bytes += bytes;
    if (file.bytes < file.told + AHEAD_BYTES) return;
    file.told = file.bytes;
    this.#order({ kind: "ahead", path, to: file.bytes });
  }

  #begin(path: string): void {
    this.forget(path);
    if (this.#arriving.size < AHEAD_MAX) this.#arriving.set(path, { bytes: 0, told: 0 });
  }

  /** Says whether the bytes `from..to-1` of the file, which is whole now, have that SHA-256. */
  verify(
    path: string,
    from: number,
    to: number,
    hash: string,
    then: (good: boolean) => void,
  ): void {
    this.#arriving.delete(path);
    if (to - from < LARGE_BYTES) return then(hashOfPart(path, from, to) === hash);
    this.#order({ kind: "verify", id: this.#verifying.ask(then), path, from, to, hash });
  }

  /** The file is removed, or arrives anew. */
  forget(path: string): void {
    const file = this.#arriving.get(path);
    this.#arriving.delete(path);
    if (file !== undefined && file.told > 0) this.#order({ kind: "forget", path });
  }

  forgetThose(isOf: (path: string) => boolean): void {
    for (const path of this.#arriving.keys()) if (isOf(path)) this.forget(path);
  }

  /** Ends the thread: what it was to verify is not good. */
  end(): void {
    this.#thread?.terminate();
    this.#thread = undefined;
    this.#arriving.clear();
    this.#verifying.answerAll(false);
  }

  #order(order: HashOrder): void {
    this.#thread ??= this.#started();
    this.#thread.postMessage(order);
  }

  #started(): Worker {
    const thread = startHashThread();
    thread.onmessage = ({ data }: MessageEvent<HashNews>) => {
      this.#verifying.answer(data.id, data.good);
    };
    thread.onerror = () => {
      if (thread === this.#thread) this.end();
    };
    return thread;
  }
}
