/**
 * Bytes on their way to a sink, which gets many of them at a time.
 *
 * @module
 */

/** Where bytes go, in order; they are the caller's again when it returns. */
export type Sink = (bytes: Uint8Array) => void;

/** Most that is written is short: room grows when it is needed. */
const FIRST_BYTES = 4096;
/** Shorter parts are copied byte by byte: a call costs more. */
const SHORT_BYTES = 32;

/** See the module. */
export class SinkBuffer {
  readonly #sink: Sink;
  readonly #mostBytes: number;
  #buffer: Uint8Array;
  #used = 0;
  /** Bytes that the sink has. */
  #sunk = 0;

  constructor(sink: Sink, bufferBytes: number = 1 << 18) {
    this.#sink = sink;
    this.#mostBytes = Math.max(1, bufferBytes);
    this.#buffer = new Uint8Array(Math.min(FIRST_BYTES, this.#mostBytes));
  }

  /** Bytes put in so far. */
  get bytes(): number {
    return this.#sunk + this.#used;
  }

  byte(byte: number): void {
    if (this.#used === this.#buffer.length) this.#makeRoom(1);
    this.#buffer[this.#used++] = byte;
  }

  /** Puts in `from..to-1` of `bytes`. */
  put(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.#used + length > this.#buffer.length && !this.#makeRoom(length)) {
      return this.#handOn(bytes.subarray(from, to));
    }
    const buffer = this.#buffer;
    const used = this.#used;
    if (length > SHORT_BYTES) buffer.set(bytes.subarray(from, to), used);
    else for (let i = 0; i < length; i++) buffer[used + i] = bytes[from + i]!;
    this.#used = used + length;
  }

  /** Makes room for `length` more bytes; false if they are too many to be buffered at all. */
  #makeRoom(length: number): boolean {
    const needed = this.#used + length;
    if (needed > this.#mostBytes) {
      this.flush();
      if (length > this.#mostBytes) return false;
    }
    if (this.#used + length <= this.#buffer.length) return true;
    const buffer = new Uint8Array(
      Math.min(this.#mostBytes, Math.max(needed, 4 * this.#buffer.length)),
    );
    buffer.set(this.#buffer.subarray(0, this.#used));
    this.#buffer = buffer;
    return true;
  }

  /** Hands on what is buffered. */
  flush(): void {
    const used = this.#used;
    this.#used = 0;
    if (used > 0) this.#handOn(this.#buffer.subarray(0, used));
  }

  #handOn(bytes: Uint8Array): void {
    this.#sunk += bytes.length;
    this.#sink(bytes);
  }
}
