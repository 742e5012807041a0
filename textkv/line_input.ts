/**
 * What a client has sent and the server has not handled yet, cut into lines.
 *
 * @module
 */
const NEWLINE = 0x0a;
const EMPTY: Buffer = Buffer.alloc(0);
/** Bytes of the first buffer for the beginning of a line. */
const ROOM_BYTES_MIN = 256;

/**
 * Bytes in, lines out. A line is named by its place in `bytes`, from `from` to before `to`, so that
 * nothing is copied that came whole.
 */
export class LineInput {
  /** Where the line that `next` found is. */
  bytes: Buffer = EMPTY;
  from = 0;
  to = 0;
  /** Bytes of the buffer that hold something are `#start` to before `#end`. */
  #start = 0;
  #end = 0;
  /** No newline is before this. */
  #scanned = 0;
  /** Whether `bytes` is lent by the caller of `lend`. */
  #isLent = false;

  /** Bytes that were not handled: whole lines and the beginning of one. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Whether what is left is only the beginning of a line, and `next` has seen it. */
  get isUnfinished(): boolean {
    return this.length > 0 && this.#scanned === this.#end;
  }

  /** Adds bytes, which may be the caller's again after `keep`. */
  lend(bytes: Buffer): void {
    if (this.length > 0) return this.#append(bytes);
    this.bytes = bytes;
    this.#isLent = true;
    this.#start = this.#scanned = 0;
    this.#end = bytes.length;
  }

  /** Makes a copy of what is left of bytes that were lent; gives back a buffer that is empty. */
  keep(): void {
    if (this.length === 0) return this.clear();
    if (!this.#isLent) return;
    const rest = this.bytes.subarray(this.#start, this.#end);
    this.#scanned -= this.#start;
    this.#isLent = false;
    this.bytes = Buffer.from(rest);
    this.#start = 0;
    this.#end = rest.length;
  }

  /** Finds the next line; whether there is a whole one. */
  next(): boolean {
    const newline = this.#scanned < this.#end ? this.#find() : -1;
    if (newline < 0) {
      this.#scanned = this.#end;
      return false;
    }
    this.from = this.#start;
    this.to = newline;
    this.#start = this.#scanned = newline + 1;
    return true;
  }

  /** The line that `next` just found is to be found again. */
  putBack(): void {
    this.#start = this.#scanned = this.from;
  }

  /** Forgets everything that was not handled. */
  clear(): void {
    this.bytes = EMPTY;
    this.#isLent = false;
    this.#start = this.#end = this.#scanned = 0;
  }

  #find(): number {
    // Behind the end a buffer of ours has whatever was there before.
    const filled = this.#isLent ? this.bytes : this.bytes.subarray(0, this.#end);
    return filled.indexOf(NEWLINE, this.#scanned);
  }

  #append(bytes: Buffer): void {
    const length = this.length;
    const needed = length + bytes.length;
    if (this.#isLent || this.#end + bytes.length > this.bytes.length) {
      // Twice the room, so that a line that comes byte by byte is copied a few times only.
      const isRoomy = !this.#isLent && needed <= this.bytes.length / 2;
      const room = isRoomy ? this.bytes : Buffer.allocUnsafe(Math.max(ROOM_BYTES_MIN, 2 * needed));
      this.bytes.copy(room, 0, this.#start, this.#end);
      this.bytes = room;
      this.#isLent = false;
      this.#scanned -= this.#start;
      this.#start = 0;
      this.#end = length;
    }
    bytes.copy(this.bytes, this.#end);
    this.#end += bytes.length;
  }
}
