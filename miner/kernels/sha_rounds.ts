/**
 * The rounds of SHA-256 by the SHA instructions, several lanes (streams) in turn, so that the
 * latency of one hides behind the others.
 *
 * `sha256rnds2 cdgh, abef` does two rounds: it takes W + K of both from xmm0 and leaves the new
 * ABEF in its first operand, whereupon the two registers swap roles (Intel SDM, volume 2). In
 * memory the two halves of a state are the words F E B A and H G D C.
 *
 * @module
 */
import { type Assembler, type Memory, R10, R11, RDI, RDX, RSI, RSP } from "./assembler.ts";

/** State words in the order of the two halves in memory. */
export const HALVES_ORDER: readonly number[] = [5, 4, 1, 0, 7, 6, 3, 2];

/** A few instructions, emitted when their turn comes. */
export type Step = (asm: Assembler) => void;

/** Where W + K of two rounds comes from: the pool (all lanes), or the transposing buffer. */
export type PairPlace = { readonly slot: number } | { readonly buffer: number };

/** Slots of the constant pool that the rounds use; nodes for them come from the kernel. */
export const POOL = {
  /** The state that the rounds start from, in halves. */
  start: 0,
  /** The state to add after the rounds, in halves. */
  add: 8,
  /** The word to add to the compared word, four times. */
  compared: 16,
  /** The initial hash value, in halves (header). */
  initial: 20,
  /** The shuffle that reverses the bytes of every word (header). */
  swap: 28,
  /** Constant round pairs from here on. */
  pairs: 32,
} as const;

/** Offsets from rsp in the frame of a SHA kernel. */
export const FRAME = { threshold: 0, saved: 64, buffers: 192 } as const;
/** Collects what failed the threshold. */
export const ACCUMULATOR = 15;
const PAIR = 0;

interface Stream {
  readonly lane: number;
  abef: number;
  cdgh: number;
}

const pool = (slot: number): Memory => ({ base: RDI, displacement: 4 * slot });
/** Place in the frame where stream `i` keeps half a state. */
const saved = (i: number): Memory => ({ base: RSP, displacement: FRAME.saved + 16 * i });

/** Lanes of a batch, and how they are worked on. */
export interface Batch {
  readonly lanes: number;
  /** Lanes whose rounds take turns. */
  readonly streams: number;
  /** Width of the vectors that made the pairs. */
  readonly width: 128 | 256;
}

/**
 * Byte offset of a lane's pair from where the first vector has it; see `flush` in sha_schedule.ts.
 */
function laneOffset(lane: number, width: number, vectorBytes: number): number {
  const lanes = width / 32;
  const within = lane % lanes;
  const row = (within & 2 ? width / 8 : 0) + (within >> 2) * 16 + (within & 1) * 8;
  return Math.trunc(lane / lanes) * vectorBytes + row;
}

/** Writes the steps of all lanes of a batch, group after group. */
export class RoundsWriter {
  readonly #beats: Step[] = [];
  /** What goes before the next rounds. */
  #waiting: Step[] = [];
  readonly #groups: number[][] = [];
  readonly #width: number;
  readonly #vectorBytes: number;

  /** Groups of at most `streams` lanes, about equally long. A vector has `vectorBytes` of pairs. */
  constructor({ lanes, streams, width }: Batch, vectorBytes: number) {
    this.#width = width;
    this.#vectorBytes = vectorBytes;
    const count = Math.ceil(lanes / streams);
    for (let lane = 0; this.#groups.length < count;) {
      const size = Math.ceil((lanes - lane) / (count - this.#groups.length));
      this.#groups.push(Array.from({ length: size }, (_, i) => lane + i));
      lane += size;
    }
  }

  /** For every group: start, rounds and so on, as `write` says. */
  forGroups(write: (streams: Stream[]) => void): void {
    for (const lanes of this.#groups) {
      write(lanes.map((lane, i) => ({ lane, abef: 1 + 2 * i, cdgh: 2 + 2 * i })));
    }
  }

  step(...steps: Step[]): void {
    this.#waiting.push(...steps);
  }

  /**
   * All steps: each ends in a `sha256rnds2` (but the last one), so that code that spreads the steps
   * evenly spreads those evenly. They set the pace; loads and comparisons would put them off beat.
   */
  finish(): readonly Step[] {
    return [...this.#beats, this.#take()];
  }

  #take(): Step {
    const steps = this.#waiting;
    this.#waiting = [];
    return (asm) => steps.forEach((step) => step(asm));
  }

  /** Every stream starts from the state at pool slot `slot`. */
  startFromPool(streams: readonly Stream[], slot: number): void {
    for (const { abef, cdgh } of streams) {
      this.step((asm) => asm.load(128, abef, pool(slot)));
      this.step((asm) => asm.load(128, cdgh, pool(slot + 4)));
    }
  }

  /** Every stream starts from its lane's stored state; rsi points to the batch's first. */
  startFromStates(streams: readonly Stream[]): void {
    for (const { abef, cdgh, lane } of streams) {
      const at = 32 * lane;
      this.step((asm) => asm.load(128, abef, { base: RSI, displacement: at }));
      this.step((asm) => asm.load(128, cdgh, { base: RSI, displacement: at + 16 }));
    }
  }

  /** Two rounds a pair. */
  rounds(streams: readonly Stream[], pairs: readonly PairPlace[]): void {
    const turns = pairs.flatMap((pair) =>
      streams.map((stream, i) => {
        // A pair from the pool serves all streams.
        const place = "slot" in pair && i > 0 ? undefined : this.#place(pair, stream.lane);
        return { stream, place };
      }),
    );
    const load = (asm: Assembler, turn: number): void => {
      const place = turns[turn]?.place;
      if (place !== undefined) asm.loadQuad(PAIR, place);
    };
    this.step((asm) => load(asm, 0));
    turns.forEach(({ stream }, turn) => {
      const { abef, cdgh } = stream;
      // The next pair's load behind these rounds, not before its own: up to 2 % faster on Zen 4.
      this.step((asm) => {
        asm.sse("sha256rnds2", cdgh, abef);
        load(asm, turn + 1);
      });
      this.#beats.push(this.#take());
      [stream.abef, stream.cdgh] = [cdgh, abef];
    });
  }

  #place(pair: PairPlace, lane: number): Memory {
    if ("slot" in pair) return pool(pair.slot);
    const offset = laneOffset(lane, this.#width, this.#vectorBytes);
    return { base: R11, displacement: pair.buffer + offset };
  }

  /**
   * Adds the state at pool slot `slot`: the end of a block whose start is the same for all lanes.
   */
  addFromPool(streams: readonly Stream[], slot: number): void {
    for (const { abef, cdgh } of streams) {
      this.step((asm) => asm.three("vpaddd", 128, abef, abef, pool(slot)));
      this.step((asm) => asm.three("vpaddd", 128, cdgh, cdgh, pool(slot + 4)));
    }
  }

  /** Keeps ABEF in the frame, to be added after another block. */
  save(streams: readonly Stream[]): void {
    streams.forEach(({ abef }, i) => this.step((asm) => asm.store(128, saved(i), abef)));
  }

  /** Adds what `save` kept: only the word A matters. */
  addSaved(streams: readonly Stream[]): void {
    streams.forEach(({ abef }, i) =>
      this.step((asm) => asm.three("vpaddd", 128, abef, abef, saved(i))),
    );
  }

  /** Adds ABEF of the lane's stored state. */
  addFromStates(streams: readonly Stream[]): void {
    for (const { abef, lane } of streams) {
      const memory = { base: RSI, displacement: 32 * lane };
      this.step((asm) => asm.three("vpaddd", 128, abef, abef, memory));
    }
  }

  /** Stores the states to `base`, 32 bytes a lane. */
  store(streams: readonly Stream[], base: typeof RDX | typeof R10, offset: number): void {
    for (const { abef, cdgh, lane } of streams) {
      const at = offset + 32 * lane;
      this.step((asm) => asm.store(128, { base, displacement: at }, abef));
      this.step((asm) => asm.store(128, { base, displacement: at + 16 }, cdgh));
    }
  }

  /**
   * Gathers word A (or F, a state's last word two rounds later) of up to four streams into one
   * register, finishes it by `finish`, stores it to the hits and compares it with the threshold.
   */
  compare(streams: readonly Stream[], word: "A" | "F", finish: (register: number) => Step[]): void {
    const [one, two] = (
      { A: ["vpunpckhdq", "vpunpckhqdq"], F: ["vpunpckldq", "vpunpcklqdq"] } as const
    )[word];
    for (let from = 0; from < streams.length; from += 4) {
      const four = streams.slice(from, from + 4);
      const at = (i: number): Stream => four[Math.min(i, four.length - 1)]!;
      // The other halves are dead by now and serve as scratch registers.
      const into = at(0).cdgh;
      this.step((asm) => asm.three(one, 128, into, at(0).abef, at(1).abef));
      let upper = into;
      if (four.length > 2) {
        upper = at(2).cdgh;
        const [third, fourth] = [at(2).abef, at(3).abef];
        this.step((asm) => asm.three(one, 128, upper, third, fourth));
      }
      this.step((asm) => asm.three(two, 128, into, into, upper));
      this.step(...finish(into), ...judge(into, at(0).lane));
    }
  }
}

/** Stores four words to the hits from `lane` on, and notes whether one is at most the threshold. */
function judge(register: number, lane: number): Step[] {
  return [
    (asm) => asm.store(128, { base: RDX, displacement: 4 * lane }, register),
    (asm) =>
      asm.three("vpminud", 128, PAIR, register, { base: RSP, displacement: FRAME.threshold }),
    (asm) => asm.three("vpcmpeqd", 128, PAIR, PAIR, register),
    (asm) => asm.three("vpor", 128, ACCUMULATOR, ACCUMULATOR, PAIR),
  ];
}

/** Adds the pool's compared word. */
export const addCompared = (register: number): Step[] => [
  (asm) => asm.three("vpaddd", 128, register, register, pool(POOL.compared)),
];

/** Reverses the bytes of every word. */
export const swapBytes = (register: number): Step[] => [
  (asm) => asm.three("vpshufb", 128, register, register, pool(POOL.swap)),
];
