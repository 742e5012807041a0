/**
 * Bytes on their way to a sink, which gets many of them at a time.
 *
 * @module
 */

/** Where bytes go, in order; they are the caller's again when it returns. */
export type Sink = (bytes: Uint8Array) => void;

/** Shorter parts are copied byte by byte: a call costs more. */
const SHORT_BYTES = 32;

/** See the module. */
export class SinkBuffer {
  readonly #sink: Sink;
  readonly #buffer: Uint8Array;
  #used = 0;
  /** Bytes that the sink has. */
  #sunk = 0;

  constructor(sink: Sink, bufferBytes: number = 1 << 18) {
    this.#sink = sink;
    this.#buffer = new Uint8Array(Math.max(1, bufferBytes));
  }

  /** Bytes put in so far. */
  get bytes(): number {
    return this.#sunk + this.#used;
  }

  byte(byte: number): void {
    if (this.#used === this.#buffer.length) this.flush();
    this.#buffer[this.#used++] = byte;
  }

  /** Puts in `from..to-1` of `bytes`. */
  put(bytes: Uint8Array, from: number, to: number): void {
    const length = to - from;
    const buffer = this.#buffer;
    if (this.#used + length > buffer.length) {
      this.flush();
      if (length > buffer.length) return this.#handOn(bytes.subarray(from, to));
    }
    const used = this.#used;
    if (length > SHORT_BYTES) buffer.set(bytes.subarray(from, to), used);
    else for (let i = 0; i < length; i++) buffer[used + i] = bytes[from + i]!;
    this.#used = used + length;
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
