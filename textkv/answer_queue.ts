/**
 * The lines of answers that wait for one reader, and how the socket takes them.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { Queue } from "../base/queue.ts";

/** A Buffer, with the method that writes a string of bytes fastest; the types leave it out. */
export type ByteBuffer = Buffer & {
  latin1Write(text: string, at: number): number;
};

const COLON = 0x3a;
const NEWLINE = 0x0a;
/** A line beyond its key and value: the colon and the newline. */
export const LINE_EXTRA = 2;

/** Lines `key:value` in order. A line leaves when the socket has taken its last byte. */
export class AnswerQueue {
  /** Bytes that the socket has not taken. */
  bytes = 0;
  readonly #keys = new Queue<string>();
  readonly #values = new Queue<string>();
  /** Bytes of the first line that the socket has taken. */
  #sent = 0;
  /** Lines that ever were in the queue. */
  #pushed = 0;
  /** Lines that show what is not durable yet: from which on, and what has to be. */
  readonly #gates = new Queue<{ readonly line: number; readonly needs: number }>();

  /** Lines that the socket has not taken whole. */
  get lines(): number {
    return this.#keys.length;
  }

  /** Lines that may be written: those before the first that waits for `open`. */
  get open(): number {
    const gate = this.#gates.at(0);
    return gate === undefined ? this.lines : this.lines - (this.#pushed - gate.line);
  }

  /** Whether a line waits until something is durable. */
  get isGated(): boolean {
    return this.#gates.length > 0;
  }

  /** Adds a line. It may be written when everything up to `needs` is durable; 0: at once. */
  push(key: string, value: string, needs = 0): void {
    const isNew = needs > (this.#gates.at(this.#gates.length - 1)?.needs ?? 0);
    if (isNew) this.#gates.push({ line: this.#pushed, needs });
    this.#pushed++;
    this.#keys.push(key);
    this.#values.push(value);
    this.bytes += key.length + value.length + LINE_EXTRA;
  }

  /** Everything up to `index` is durable. */
  release(index: number): void {
    for (let gate = this.#gates.at(0); gate && gate.needs <= index; gate = this.#gates.at(0)) {
      this.#gates.shift();
    }
  }

  /**
   * Copies the first lines that may be written into `into`, as many bytes as fit; how many. Lines
   * are cut only where one does not fit alone. Nothing leaves the queue.
   */
  copy(into: ByteBuffer): number {
    const lines = this.open;
    let at = 0;
    let skip = this.#sent;
    for (let i = 0; i < lines; i++) {
      const key = this.#keys.at(i)!;
      const value = this.#values.at(i)!;
      const length = key.length + value.length + LINE_EXTRA - skip;
      if (length > into.length - at) {
        return at > 0 ? at : into.latin1Write(`${key}:${value}\n`.slice(skip), 0);
      }
      if (skip > 0) at += into.latin1Write(`${key}:${value}\n`.slice(skip), at);
      else {
        at += into.latin1Write(key, at);
        into[at++] = COLON;
        at += into.latin1Write(value, at);
        into[at++] = NEWLINE;
      }
      skip = 0;
    }
    return at;
  }

  /** The socket took `bytes` bytes of what `copy` gave. Gives how many lines left. */
  take(bytes: number): number {
    invariant(bytes <= this.bytes, () => `a socket took ${bytes} bytes of ${this.bytes}`);
    this.bytes -= bytes;
    let rest = bytes + this.#sent;
    let left = 0;
    while (this.lines > 0) {
      const length = this.#keys.at(0)!.length + this.#values.at(0)!.length + LINE_EXTRA;
      if (length > rest) break;
      rest -= length;
      this.#keys.shift();
      this.#values.shift();
      left++;
    }
    this.#sent = rest;
    return left;
  }
}
