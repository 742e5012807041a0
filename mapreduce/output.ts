/**
 * The lines of an output file.
 *
 * @module
 */
import { type Slice, viewOf, whole } from "./bytes.ts";
import type { SortedRun } from "./merge.ts";
import { RecordWriter } from "./records.ts";
import { type Sink, SinkBuffer } from "./sink_buffer.ts";

const NEWLINE = 10;
const BACKSLASH = 92;
const BLANK = 32;
const LETTER_N = 110;

/** Where a reduce writes. */
export interface Output {
  /** The line `key value`, or `key` alone if there is no value. */
  write(key: Slice, value?: Slice): void;
}

/**
 * Writes lines of keys and values. A newline inside of either is written as `\n`, a backslash as
 * two, so that each line is one line and can be read back.
 */
export class LineWriter implements Output {
  /** Lines so far. */
  lines = 0;
  readonly #out: SinkBuffer;

  constructor(sink: Sink, bufferBytes?: number) {
    this.#out = new SinkBuffer(sink, bufferBytes);
  }

  /** Bytes so far. */
  get bytes(): number {
    return this.#out.bytes;
  }

  write(key: Slice, value?: Slice): void {
    this.#escaped(key);
    if (value !== undefined) {
      this.#out.byte(BLANK);
      this.#escaped(value);
    }
    this.#out.byte(NEWLINE);
    this.lines++;
  }

  flush(): void {
    this.#out.flush();
  }

  #escaped({ bytes, from, to }: Slice): void {
    const out = this.#out;
    for (let i = from; i < to; i++) {
      const byte = bytes[i]!;
      if (byte === NEWLINE || byte === BACKSLASH) {
        out.byte(BACKSLASH);
        out.byte(byte === NEWLINE ? LETTER_N : BACKSLASH);
      } else out.byte(byte);
    }
  }
}

const NO_VALUE = whole(new Uint8Array());
/** In front of a value that is there, so that an empty one differs from none. */
const MARK = Uint8Array.of(1);

/** Writes the same as records of a run: for outputs that are to be merged before they are lines. */
export class RecordOutput implements Output {
  lines = 0;
  readonly #writer: RecordWriter;

  constructor(sink: Sink) {
    this.#writer = new RecordWriter(sink);
  }

  get bytes(): number {
    return this.#writer.bytes;
  }

  write(key: Slice, value?: Slice): void {
    this.lines++;
    if (value === undefined) return this.#writer.write(key, NO_VALUE);
    const marked = new Uint8Array(1 + value.to - value.from);
    marked.set(MARK);
    marked.set(viewOf(value), 1);
    this.#writer.write(key, whole(marked));
  }

  flush(): void {
    this.#writer.flush();
  }
}

/**
 * Writes as lines what {@link RecordOutput} wrote, until at least `mostBytes` more are written;
 * whether there may be more.
 */
export function writeLines(
  run: SortedRun,
  lines: LineWriter,
  mostBytes: number = Infinity,
): boolean {
  const end = lines.bytes + mostBytes;
  while (run.advance()) {
    const { bytes, from, to } = run.value;
    lines.write(run.key, to > from ? { bytes, from: from + MARK.length, to } : undefined);
    if (lines.bytes >= end) return true;
  }
  return false;
}
