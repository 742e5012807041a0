/**
 * The thread that hashes large partitions, while the owner's goes on with LSP: a SHA-256 takes half
 * as long as LSP does for the same bytes.
 *
 * @module
 */
import { FileHash, hashOfPart } from "./hash_adapter.ts";
import type { HashNews, HashOrder } from "./hash_orders.ts";

/** See the module. */
export class HashThread {
  readonly #say: (news: HashNews) => void;
  /** Files that are hashed from their beginning while they grow. */
  readonly #ahead = new Map<string, FileHash>();

  constructor(say: (news: HashNews) => void) {
    this.#say = say;
  }

  carryOut(order: HashOrder): void {
    switch (order.kind) {
      case "ahead":
        return this.#goAhead(order.path, order.to);
      case "verify":
        return this.#say({ id: order.id, good: this.#isGood(order) });
      case "forget":
        return this.#forget(order.path);
    }
  }

  #goAhead(path: string, to: number): void {
    try {
      let file = this.#ahead.get(path);
      if (file === undefined) this.#ahead.set(path, (file = new FileHash(path, 0)));
      file.read(to);
    } catch {
      // It is gone; or its disk fails, as will be seen when it is verified.
      this.#forget(path);
    }
  }

  #isGood({ path, from, to, hash }: Extract<HashOrder, { kind: "verify" }>): boolean {
    try {
      const file = this.#ahead.get(path);
      if (file === undefined || from > 0) return hashOfPart(path, from, to) === hash;
      file.read(to);
      return file.digest(to) === hash;
    } catch {
      return false;
    } finally {
      this.#forget(path);
    }
  }

  #forget(path: string): void {
    this.#ahead.get(path)?.close();
    this.#ahead.delete(path);
  }
}
