/**
 * SHA-256 by the SHA instructions alone, schedule included, two lanes in turn: for processors whose
 * vector units have no AVX2. Legacy SSE instructions only.
 *
 * @module
 */
import { type Assembler, type Memory, R9, RAX, RCX, RDI, RDX, RSI, RSP } from "./assembler.ts";
import { emitBatchLoop } from "./batch_loop.ts";
import { firstGroup, prepareShaPool, SHA_POOL, shaLiterals } from "./constants.ts";
import type { AssembleShape } from "./engine_native.ts";
import { POOL_INPUTS } from "./expression.ts";
import { HALVES_ORDER } from "./sha_rounds.ts";
import { INPUT_LAST, INPUT_WORDS, type Shape, TABLE_STRIDE } from "./shapes.ts";

/** Lanes of a batch: as many as one comparison takes. */
const LANES = 4;
/** W + K (xmm0), scratch, and the words of the first two lanes. */
const PAIR = 0;
const SCRATCH = 13;
const FIRST_WORDS = 14;

interface Stream {
  readonly lane: number;
  /** The two halves of the state (see sha_rounds.ts). */
  readonly abef: number;
  readonly cdgh: number;
  /** Sixteen words of the schedule, four a register. */
  readonly words: readonly number[];
}

const pool = (slot: number): Memory => ({ base: RDI, displacement: 4 * slot });
const input = (index: number): Memory => pool(POOL_INPUTS + index);

/** Assembles for the SHA extensions with SSE4.1. */
export const assembleShaAlone: AssembleShape = (shape, asm) => {
  emitLoop(asm, shape);
  return {
    code: asm.finish(),
    lanes: LANES,
    scan: 0,
    literals: shaLiterals(shape, HALVES_ORDER),
    prepare: (words) => prepareShaPool(words, shape, HALVES_ORDER),
  };
};

function emitLoop(asm: Assembler, shape: Shape): void {
  const { kind } = shape;
  emitBatchLoop(asm, {
    lanes: LANES,
    depth: 0,
    kind,
    stateBytes: kind === "tail" || kind === "states" ? 32 : 0,
    frameBytes: 64,
    avx: false,
    setUp: () => {
      for (let i = 0; i < 4; i++) asm.store32({ base: RSP, displacement: 4 * i }, R9);
    },
    body: () => {
      if (kind === "tail") emitTail(asm);
      else for (const lane of [0, 2]) emitPair(asm, shape, lane);
    },
    judge: () => emitCompare(asm, kind),
  });
}

/** Two lanes, from digits to words to compare (or states to store). */
function emitPair(asm: Assembler, shape: Shape, lane: number): void {
  const streams = [0, 1].map((i): Stream => {
    const base = 1 + 6 * i;
    const words = [base + 2, base + 3, base + 4, base + 5];
    return { lane: lane + i, abef: base, cdgh: base + 1, words };
  });
  for (const stream of streams) loadWords(asm, shape, stream);
  for (const { abef, cdgh } of streams) loadState(asm, abef, cdgh, pool(SHA_POOL.start));
  emitRounds(asm, streams, firstGroup(shape), 64);
  if (shape.kind === "single") return gather(asm, streams, "A");
  for (const { abef, cdgh } of streams) {
    asm.sse("paddd", abef, pool(SHA_POOL.add));
    asm.sse("paddd", cdgh, pool(SHA_POOL.add + 4));
  }
  if (shape.kind === "states") return storeStates(asm, streams);
  if (shape.kind === "header") return emitSecondHash(asm, streams);
  for (const { abef, words } of streams) asm.sse("movdqa", words[0]!, abef);
  constantRounds(asm, streams, (group) => input(INPUT_LAST + 4 * group));
  for (const { abef, words } of streams) asm.sse("paddd", abef, words[0]!);
  gather(asm, streams, "A");
}

/** The hash of the digest that the streams' states are. */
function emitSecondHash(asm: Assembler, streams: readonly Stream[]): void {
  for (const { abef, cdgh, words } of streams) {
    // F E B A and H G D C: the upper quads are B A, D C, the lower ones F E, H G.
    const [first, second, third, fourth] = words as [number, number, number, number];
    asm.sse("movdqa", first, abef);
    asm.sse("punpckhqdq", first, cdgh);
    asm.sseImmediate("pshufd", first, first, 0xb1);
    asm.sse("movdqa", second, abef);
    asm.sse("punpcklqdq", second, cdgh);
    asm.sseImmediate("pshufd", second, second, 0xb1);
    asm.sse("movdqa", third, pool(SHA_POOL.padding));
    asm.sse("movdqa", fourth, pool(SHA_POOL.padding + 4));
    loadState(asm, abef, cdgh, pool(SHA_POOL.initial));
  }
  emitRounds(asm, streams, 0, 62);
  gather(asm, streams, "F");
}

function loadState(asm: Assembler, abef: number, cdgh: number, from: Memory): void {
  asm.sse("movdqa", abef, from);
  asm.sse("movdqa", cdgh, { ...from, displacement: from.displacement! + 16 });
}

function loadWords(asm: Assembler, shape: Shape, { lane, words }: Stream): void {
  words.forEach((register, quad) => asm.sse("movdqa", register, input(INPUT_WORDS + 4 * quad)));
  shape.varying.forEach((word, i) => {
    const displacement = 4 * (TABLE_STRIDE * i + lane);
    asm.sse("movd", SCRATCH, { base: RSI, index: RCX, scale: 4, displacement });
    if (word & 3) asm.shiftBytesLeft(SCRATCH, 4 * (word & 3));
    asm.sse("paddd", words[word >> 2]!, SCRATCH);
  });
}

/**
 * Rounds from group `from` of four up to round `rounds`, with the schedule worked out on the way.
 */
function emitRounds(
  asm: Assembler,
  streams: readonly Stream[],
  from: number,
  rounds: 62 | 64,
): void {
  for (let group = from; group < 16; group++) {
    for (const { words } of streams) if (group >= 4) extendSchedule(asm, words, group);
    for (const { abef, cdgh, words } of streams) {
      asm.sse("movdqa", PAIR, words[group & 3]!);
      asm.sse("paddd", PAIR, pool(SHA_POOL.roundConstants + 4 * group));
      asm.sse("sha256rnds2", cdgh, abef);
      if (4 * group + 2 === rounds) continue;
      asm.sseImmediate("pshufd", PAIR, PAIR, 0x0e);
      asm.sse("sha256rnds2", abef, cdgh);
    }
  }
}

/** The words of `group` take the place of those of four groups before. */
function extendSchedule(asm: Assembler, words: readonly number[], group: number): void {
  const before = (n: number): number => words[(group - n) & 3]!;
  const target = before(4);
  asm.sse("sha256msg1", target, before(3));
  asm.sse("movdqa", SCRATCH, before(1));
  asm.sseImmediate("palignr", SCRATCH, before(2), 4);
  asm.sse("paddd", target, SCRATCH);
  asm.sse("sha256msg2", target, before(1));
}

/** 64 rounds whose W + K are the same for all streams. */
function constantRounds(
  asm: Assembler,
  streams: readonly Pick<Stream, "abef" | "cdgh">[],
  at: (group: number) => Memory,
): void {
  for (let group = 0; group < 16; group++) {
    asm.sse("movdqa", PAIR, at(group));
    for (const { abef, cdgh } of streams) asm.sse("sha256rnds2", cdgh, abef);
    asm.sseImmediate("pshufd", PAIR, PAIR, 0x0e);
    for (const { abef, cdgh } of streams) asm.sse("sha256rnds2", abef, cdgh);
  }
}

function storeStates(asm: Assembler, streams: readonly Stream[]): void {
  for (const { abef, cdgh, lane } of streams) {
    asm.sseStore({ base: RDX, displacement: 32 * lane }, abef);
    asm.sseStore({ base: RDX, displacement: 32 * lane + 16 }, cdgh);
  }
}

/** Two words to compare: the first pair of lanes' to FIRST_WORDS, with the second's all four. */
function gather(asm: Assembler, streams: readonly Stream[], word: "A" | "F"): void {
  const [first, second] = streams as [Stream, Stream];
  if (word === "A") {
    asm.sse("punpckhdq", first.abef, second.abef);
    asm.sse("punpckhqdq", first.abef, first.abef);
  } else {
    // 62 rounds leave the newest half in the other register.
    asm.sse("movdqa", first.abef, first.cdgh);
    asm.sse("punpckldq", first.abef, second.cdgh);
  }
  if (first.lane === 0) asm.sse("movdqa", FIRST_WORDS, first.abef);
  else asm.sse("punpcklqdq", FIRST_WORDS, first.abef);
}

/** Four lanes from their stored states through one last block: W + K in the row at rdi. */
function emitTail(asm: Assembler): void {
  const streams = [0, 1, 2, 3].map((i) => ({ abef: 1 + 2 * i, cdgh: 2 + 2 * i }));
  streams.forEach(({ abef, cdgh }, lane) => {
    asm.sse("movdqu", abef, { base: RSI, displacement: 32 * lane });
    asm.sse("movdqu", cdgh, { base: RSI, displacement: 32 * lane + 16 });
  });
  constantRounds(asm, streams, (group) => pool(4 * group));
  streams.forEach(({ abef, cdgh }, lane) => {
    asm.sse("movdqu", cdgh, { base: RSI, displacement: 32 * lane });
    asm.sse("paddd", abef, cdgh);
  });
  const [a, b, c, d] = streams.map(({ abef }) => abef) as [number, number, number, number];
  asm.sse("punpckhdq", a, b);
  asm.sse("punpckhdq", c, d);
  asm.sse("punpckhqdq", a, c);
  asm.sse("movdqa", FIRST_WORDS, a);
}

/** Finishes and stores the four words; "not equal" when one is at most the threshold. */
function emitCompare(asm: Assembler, kind: Shape["kind"]): void {
  if (kind === "single" || kind === "header")
    asm.sse("paddd", FIRST_WORDS, pool(SHA_POOL.compared));
  if (kind === "header") asm.sse("pshufb", FIRST_WORDS, pool(SHA_POOL.swap));
  asm.sseStore({ base: RDX }, FIRST_WORDS);
  asm.sse("movdqa", SCRATCH, { base: RSP });
  asm.sse("pminud", SCRATCH, FIRST_WORDS);
  asm.sse("pcmpeqd", SCRATCH, FIRST_WORDS);
  asm.sseByteMask(RAX, SCRATCH);
  asm.alu("test", RAX, RAX);
}
