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

  /** Lines that the socket has not taken whole. */
  get lines(): number {
    return this.#keys.length;
  }

  push(key: string, value: string): void {
    this.#keys.push(key);
    this.#values.push(value);
    this.bytes += key.length + value.length + LINE_EXTRA;
  }

  /**
   * Copies the first of the `lines` first lines into `into`, as many bytes as fit; how many. Lines
   * are cut only where one does not fit alone. Nothing leaves the queue.
   */
  copy(into: ByteBuffer, lines: number = this.lines): number {
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
    invariant(bytes <= this.bytes, `a socket took ${bytes} bytes of ${this.bytes}`);
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
