/**
 * How much a client has under way: more than its connection, or the server's, takes would end it.
 *
 * @module
 */

/** Bytes of writes under way, unless one is larger: less than a connection takes. */
const WRITE_BYTES_MAX: number = 2 << 20;
/** Reads under way, and the bytes of their answers as far as they can be guessed. */
const READS_MAX = 1024;
const READS_MIN = 8;
const READ_BYTES_MAX: number = 32 << 20;
/** Guessed of an answer at first; each one that is smaller makes the guess smaller. */
const ANSWER_BYTES_FIRST: number = 1 << 18;
const ANSWER_DECAY = 0.99;

/** Counts what is under way. A call is known by its command; a read has none. */
export class ClientWindow {
  #writeBytes = 0;
  #reads = 0;
  #answerBytes = ANSWER_BYTES_FIRST;

  /** Whether a call more may be sent. */
  hasRoomFor(command: Uint8Array | undefined): boolean {
    if (command !== undefined) {
      return this.#writeBytes === 0 || this.#writeBytes + command.length <= WRITE_BYTES_MAX;
    }
    const fitting = Math.floor(READ_BYTES_MAX / this.#answerBytes);
    return this.#reads < Math.max(READS_MIN, Math.min(READS_MAX, fitting));
  }

  sent(command: Uint8Array | undefined): void {
    if (command === undefined) this.#reads++;
    else this.#writeBytes += command.length;
  }

  /** It is not under way any more. */
  ended(command: Uint8Array | undefined): void {
    if (command === undefined) this.#reads--;
    else this.#writeBytes -= command.length;
  }

  /** A read was answered with so many bytes. */
  answered(bytes: number): void {
    this.#answerBytes = Math.max(bytes, this.#answerBytes * ANSWER_DECAY);
  }
}
