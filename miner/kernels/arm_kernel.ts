/**
 * SHA-256 by the SHA-2 instructions of AArch64, schedule included, two lanes in turn.
 *
 * `sha256h` and `sha256h2` do four rounds: they take W + K of all four, and the two halves of the
 * state, A B C D and E F G H (Arm ARM, C7.2).
 *
 * @module
 */
import type { ArmAssembler } from "./arm_assembler.ts";
import { firstGroup, prepareShaPool, SHA_POOL, shaLiterals } from "./constants.ts";
import type { AssembledShape } from "./engine_native.ts";
import { POOL_INPUTS } from "./expression.ts";
import { INPUT_LAST, INPUT_WORDS, type Shape, TABLE_STRIDE } from "./shapes.ts";

/** Lanes of a batch: as many as one comparison takes. */
const LANES = 4;
/** Arguments (AAPCS64): pool, lane inputs, hits or outputs, first lane, end, threshold. */
const [POOL, INPUTS, HITS, FROM, TO, LIMIT] = [0, 1, 2, 3, 4, 5];
/** General registers: pointers to the two lane inputs, and scratch. */
const [FIRST_INPUT, SECOND_INPUT, SCRATCH] = [9, 10, 11];
/** Vector registers; v8 to v15 belong to the caller. */
const [PAIR, OLD_ABCD, DIGITS, WORDS, THRESHOLD] = [20, 21, 22, 24, 30];

interface Stream {
  readonly lane: number;
  readonly abcd: number;
  readonly efgh: number;
  /** Sixteen words of the schedule, four a register. */
  readonly words: readonly number[];
}

const STREAMS: readonly Omit<Stream, "lane">[] = [
  { abcd: 0, efgh: 1, words: [2, 3, 4, 5] },
  { abcd: 6, efgh: 7, words: [16, 17, 18, 19] },
];
const ORDER = [0, 1, 2, 3, 4, 5, 6, 7];

/** Assembles for AArch64 with FEAT_SHA256. */
export function assembleArm(shape: Shape, asm: ArmAssembler): AssembledShape {
  emitLoop(asm, shape);
  return {
    code: asm.finish(),
    lanes: LANES,
    scan: 0,
    literals: shaLiterals(shape, ORDER),
    prepare: (words) => prepareShaPool(words, shape, ORDER),
  };
}

const slot = (index: number): number => 4 * index;
const input = (index: number): number => slot(POOL_INPUTS + index);

function emitLoop(asm: ArmAssembler, shape: Shape): void {
  const { kind } = shape;
  asm.two("sxtw", FROM, FROM);
  asm.two("sxtw", TO, TO);
  asm.two("dup", THRESHOLD, LIMIT);
  // Lane inputs are one word a lane; states, which `tail` reads and `states` writes, 32 bytes.
  asm.addShifted(FIRST_INPUT, INPUTS, FROM, kind === "tail" ? 5 : 2);
  asm.addImmediate(SECOND_INPUT, FIRST_INPUT, (4 * TABLE_STRIDE) >> 12, 1);
  asm.addImmediate(SECOND_INPUT, SECOND_INPUT, (4 * TABLE_STRIDE) & 4095);
  if (kind === "states") asm.addShifted(HITS, HITS, FROM, 5);
  const again = asm.label();
  const end = asm.label();
  asm.place(again);
  if (kind === "tail") emitTail(asm);
  else for (const lane of [0, 2]) emitPair(asm, shape, lane);
  if (kind !== "states") {
    emitCompare(asm, kind);
    asm.jumpIfNotZero(SCRATCH, end);
  }
  if (kind === "tail") asm.addImmediate(FIRST_INPUT, FIRST_INPUT, 32 * LANES);
  if (kind === "states") asm.addImmediate(HITS, HITS, 32 * LANES);
  asm.addImmediate(FROM, FROM, LANES);
  asm.compare(FROM, TO);
  asm.jumpIfLess(again);
  asm.place(end);
  asm.move(0, FROM);
  asm.ret();
}

/** Two lanes, from digits to words to compare (or states to store). */
function emitPair(asm: ArmAssembler, shape: Shape, lane: number): void {
  const streams = STREAMS.map((stream, i): Stream => ({ ...stream, lane: lane + i }));
  for (const stream of streams) loadWords(asm, shape, stream);
  for (const stream of streams) loadState(asm, stream, SHA_POOL.start);
  emitRounds(asm, streams, firstGroup(shape));
  if (shape.kind === "single") return gather(asm, streams, "abcd", 0);
  for (const { abcd, efgh } of streams) {
    addFrom(asm, abcd, slot(SHA_POOL.add));
    addFrom(asm, efgh, slot(SHA_POOL.add + 4));
  }
  if (shape.kind === "states") {
    for (const stream of streams) {
      asm.storeVector(stream.abcd, HITS, 32 * stream.lane);
      asm.storeVector(stream.efgh, HITS, 32 * stream.lane + 16);
    }
    return;
  }
  if (shape.kind === "header") return emitSecondHash(asm, streams);
  for (const { abcd, words } of streams) asm.moveVector(words[0]!, abcd);
  for (let group = 0; group < 16; group++) {
    asm.loadVector(PAIR, POOL, input(INPUT_LAST + 4 * group));
    for (const stream of streams) fourRounds(asm, stream);
  }
  for (const { abcd, words } of streams) asm.three("add", abcd, abcd, words[0]!);
  gather(asm, streams, "abcd", 0);
}

/** The hash of the digest that the streams' states are; only its last word, H, is wanted. */
function emitSecondHash(asm: ArmAssembler, streams: readonly Stream[]): void {
  for (const stream of streams) {
    const [first, second, third, fourth] = stream.words as [number, number, number, number];
    asm.moveVector(first, stream.abcd);
    asm.moveVector(second, stream.efgh);
    asm.loadVector(third, POOL, slot(SHA_POOL.padding));
    asm.loadVector(fourth, POOL, slot(SHA_POOL.padding + 4));
    loadState(asm, stream, SHA_POOL.initial);
  }
  emitRounds(asm, streams, 0);
  gather(asm, streams, "efgh", 3);
}

function loadState(asm: ArmAssembler, { abcd, efgh }: Stream, from: number): void {
  asm.loadVector(abcd, POOL, slot(from));
  asm.loadVector(efgh, POOL, slot(from + 4));
}

function addFrom(asm: ArmAssembler, register: number, offset: number): void {
  asm.loadVector(DIGITS, POOL, offset);
  asm.three("add", register, register, DIGITS);
}

/** The tile's words, and the digits of the next lane. */
function loadWords(asm: ArmAssembler, shape: Shape, { words }: Stream): void {
  words.forEach((register, quad) => {
    asm.loadVector(register, POOL, input(INPUT_WORDS + 4 * quad));
  });
  shape.varying.forEach((word, i) => {
    asm.zeroVector(DIGITS);
    asm.loadWord(DIGITS, word & 3, i === 0 ? FIRST_INPUT : SECOND_INPUT);
    asm.three("add", words[word >> 2]!, words[word >> 2]!, DIGITS);
  });
}

/** Rounds from group `from` of four on, with the schedule worked out on the way. */
function emitRounds(asm: ArmAssembler, streams: readonly Stream[], from: number): void {
  for (let group = from; group < 16; group++) {
    for (const { words } of streams) {
      if (group < 4) continue;
      const before = (n: number): number => words[(group - n) & 3]!;
      asm.two("sha256su0", before(4), before(3));
      asm.three("sha256su1", before(4), before(2), before(1));
    }
    for (const stream of streams) {
      asm.loadVector(PAIR, POOL, slot(SHA_POOL.roundConstants + 4 * group));
      asm.three("add", PAIR, PAIR, stream.words[group & 3]!);
      fourRounds(asm, stream);
    }
  }
}

/** Four rounds with W + K in PAIR. */
function fourRounds(asm: ArmAssembler, { abcd, efgh }: Pick<Stream, "abcd" | "efgh">): void {
  asm.moveVector(OLD_ABCD, abcd);
  asm.three("sha256h", abcd, efgh, PAIR);
  asm.three("sha256h2", efgh, OLD_ABCD, PAIR);
}

/** One word of every stream's state to its lane of WORDS. */
function gather(
  asm: ArmAssembler,
  streams: readonly Stream[],
  half: "abcd" | "efgh",
  word: number,
): void {
  for (const stream of streams) asm.moveWord(WORDS, stream.lane, stream[half], word);
}

/** Four lanes from their stored states through one last block: W + K in the row at x0. */
function emitTail(asm: ArmAssembler): void {
  const streams = [0, 1, 2, 3].map((lane) => ({ lane, abcd: 2 * lane, efgh: 2 * lane + 1 }));
  for (const { abcd, efgh, lane } of streams) {
    asm.loadVector(abcd, FIRST_INPUT, 32 * lane);
    asm.loadVector(efgh, FIRST_INPUT, 32 * lane + 16);
  }
  for (let group = 0; group < 16; group++) {
    asm.loadVector(PAIR, POOL, 16 * group);
    for (const stream of streams) fourRounds(asm, stream);
  }
  for (const { abcd, lane } of streams) {
    asm.loadVector(DIGITS, FIRST_INPUT, 32 * lane);
    asm.three("add", abcd, abcd, DIGITS);
    asm.moveWord(WORDS, lane, abcd, 0);
  }
}

/** Finishes and stores the four words; SCRATCH is not zero when one is at most the threshold. */
function emitCompare(asm: ArmAssembler, kind: Shape["kind"]): void {
  if (kind === "single" || kind === "header") addFrom(asm, WORDS, slot(SHA_POOL.compared));
  if (kind === "header") asm.two("rev32", WORDS, WORDS);
  asm.storeVector(WORDS, HITS, 0);
  asm.three("cmhs", PAIR, THRESHOLD, WORDS);
  asm.two("umaxv", PAIR, PAIR);
  asm.two("fmov", SCRATCH, PAIR);
}
