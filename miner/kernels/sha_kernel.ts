/**
 * The hybrid: vector units work out the message schedules of a batch of nonces while the SHA units
 * do the rounds of the batch before, instruction by instruction interleaved. 256-bit vectors; their
 * words go through a small buffer in which they are transposed from lanes to pairs.
 *
 * Iteration n of the loop makes the schedules of batch n and the rounds of batch n - 1; for block
 * headers also the second schedules of batch n - 2 and the second rounds of batch n - 3. The
 * results of the first iterations are garbage and ignored.
 *
 * @module
 */
import { Assembler, R10, R11, R9, RAX, RDX, RSP } from "./assembler.ts";
import { emitBatchLoop } from "./batch_loop.ts";
import { TAIL_SHAPE } from "./engine.ts";
import { Graph, type NodeId, partition, POOL_INPUTS, type Program } from "./expression.ts";
import { type Dialect, Lowering, type Operand } from "./lowering.ts";
import type { AssembledShape, AssembleShape } from "./native_engine.ts";
import { allocate, type Allocation } from "./register_allocation.ts";
import {
  type RoundPair,
  schedulePairs,
  stateAfter,
  wordsOfBlock,
  wordsOfDigest,
} from "./sha256_graph.ts";
import {
  ACCUMULATOR,
  addCompared,
  FRAME,
  HALVES_ORDER,
  type PairPlace,
  POOL,
  RoundsWriter,
  type Step,
  swapBytes,
} from "./sha_rounds.ts";
import { INITIAL, INPUT_LAST, INPUT_STATE, type Shape, TABLE_STRIDE } from "./shapes.ts";
import { emitOp, emitPrologue } from "./vector_code.ts";

interface Variant {
  readonly dialect: Dialect;
  /** Lanes whose rounds take turns. */
  readonly streams: number;
  /** The vector registers of the schedules: hardware number of the first, and how many. */
  readonly firstRegister: number;
  readonly registers: number;
  /** Width of the vectors. */
  readonly width: 128 | 256;
  /** Lanes of a batch: two vectors. More make the loop too long for the caches of decoded code. */
  readonly lanes: number;
}

const AVX512VL: Variant = {
  dialect: "avx512",
  streams: 6,
  firstRegister: 16,
  registers: 16,
  width: 256,
  lanes: 16,
};
const AVX2: Variant = {
  dialect: "portable",
  streams: 3,
  firstRegister: 7,
  registers: 8,
  width: 256,
  lanes: 16,
};

/** Block headers have twice the code, and want half the lanes for the same reason. */
const HEADER_LANES = 8;

/** Assembles for AVX-512VL and the SHA extensions. */
export const assembleShaAvx512: AssembleShape = (shape, asm) => assembleSha(shape, AVX512VL, asm);
/** Assembles for AVX2 and the SHA extensions. */
export const assembleShaAvx2: AssembleShape = (shape, asm) => assembleSha(shape, AVX2, asm);
/**
 * The same with 128-bit vectors, for Intel: there every change between 256-bit AVX and the SHA
 * instructions, which have no VEX form, costs 110 ns (seen on Sapphire Rapids).
 */
export const assembleShaAvx2Narrow: AssembleShape = (shape, asm) =>
  assembleSha(shape, { ...AVX2, width: 128, lanes: 8 }, asm);

/** One block's schedule, lowered: code for one vector, and where the rounds find their pairs. */
interface Schedule {
  readonly allocation: Allocation;
  readonly places: readonly PairPlace[];
  /** Bytes before this schedule's pairs in a vector's part of the buffer. */
  readonly offset: number;
}

interface Plan {
  readonly program: Program;
  readonly pairs: readonly (readonly RoundPair[])[];
  /** First node of the second block's graph. */
  readonly second: number;
}

function fixedState(nodes: readonly NodeId[], slot: number): { node: NodeId; slot: number }[] {
  return HALVES_ORDER.map((word, i) => ({ node: nodes[word]!, slot: slot + i }));
}

/** Pairs that do not vary, at their slots. */
function fixedPairs(pairs: readonly RoundPair[], slot: number): { node: NodeId; slot: number }[] {
  return pairs
    .filter((pair) => !pair.varies)
    .flatMap(({ first, second }, i) => [
      { node: first, slot: slot + 2 * i },
      { node: second, slot: slot + 2 * i + 1 },
    ]);
}

function planShape(shape: Shape): Plan {
  const graph = new Graph();
  const words = wordsOfBlock(graph, shape);
  const state = Array.from({ length: 8 }, (_, i) => graph.tileInput(INPUT_STATE + i));
  // Rounds before the first varying word are the same for all lanes.
  const skipped = shape.varying[0]! & ~1;
  const pairs = [schedulePairs(graph, words, skipped, 64)];
  const second = graph.nodes.length;
  const fixed = [
    ...fixedState(stateAfter(graph, state, words, skipped), POOL.start),
    ...fixedState(state, POOL.add),
  ];
  const header = shape.kind === "header";
  if (header) {
    const digest = Array.from({ length: 8 }, (_, i) => graph.laneInput(8 + i));
    pairs.push(schedulePairs(graph, wordsOfDigest(graph, digest), 0, 62));
    const initial = INITIAL.map((word) => graph.literal(word));
    fixed.push(...fixedState(initial, POOL.initial));
    for (let i = 0; i < 4; i++) {
      fixed.push({ node: graph.literal(0x00010203 + 0x04040404 * i), slot: POOL.swap + i });
    }
  }
  const compared = header ? graph.literal(INITIAL[7]!) : state[0]!;
  for (let i = 0; i < 4; i++) fixed.push({ node: compared, slot: POOL.compared + i });
  let slot: number = POOL.pairs;
  for (const block of pairs) {
    const more = fixedPairs(block, slot);
    fixed.push(...more);
    slot += more.length;
  }
  const varying = pairs.flat().filter((pair) => pair.varies);
  const outputs = varying.flatMap(({ first, second: other }) => [first, other]);
  return { program: partition(graph, outputs, fixed, slot), pairs, second };
}

/** Lowers the schedule of one block for one vector; `slot` is where its constant pairs begin. */
function lowerSchedule(
  plan: Plan,
  block: number,
  variant: Variant,
  slot: number,
  offset: number,
): Schedule {
  const { program, second } = plan;
  const pairBytes = variant.width / 4;
  const lowering = new Lowering(program, variant.dialect);
  if (block === 1) loadDigest(lowering, program.graph, variant.width);
  const places: PairPlace[] = [];
  const waiting: RoundPair[] = [];
  let bytes = offset;
  let constant = slot;
  for (const pair of plan.pairs[block]!) {
    if (pair.varies) {
      places.push({ buffer: bytes });
      waiting.push(pair);
      bytes += pairBytes;
    } else {
      places.push({ slot: constant });
      constant += 2;
    }
  }
  let next = offset;
  const flush = (): void => {
    for (let pair = waiting[0]; pair !== undefined; pair = waiting[0]) {
      if (!lowering.has(pair.first) || !lowering.has(pair.second)) return;
      waiting.shift();
      const both: Operand[] = [lowering.register(pair.first), lowering.register(pair.second)];
      // Of each 128 bits: low has lanes 0 and 1 as (first, second) pairs, high has lanes 2 and 3.
      lowering.effect("storeBuffer", [lowering.emit("unpackLow", both)], next);
      lowering.effect("storeBuffer", [lowering.emit("unpackHigh", both)], next + pairBytes / 2);
      next += pairBytes;
    }
  };
  for (const node of program.body) {
    if (node < second !== (block === 0)) continue;
    lowering.compute(node);
    flush();
  }
  flush();
  const allocation = allocate(lowering.ops, lowering.registers, variant.registers, 12);
  return { allocation, places, offset };
}

/** The second block's words: the states that the first rounds stored, transposed to vectors. */
function loadDigest(lowering: Lowering, graph: Graph, width: 128 | 256): void {
  const inputs = new Map<number, NodeId>();
  graph.nodes.forEach(({ op, value }, node) => {
    if (op === "laneInput" && value >= 8) inputs.set(value - 8, node);
  });
  for (const half of [0, 1]) {
    const rows = [0, 1, 2, 3].map((lane) => {
      const low = lowering.emit("loadStateLow", [], 32 * lane + 16 * half);
      if (width === 128) return low;
      return lowering.emit("insertStateHigh", [low], 32 * (lane + 4) + 16 * half);
    }) as [Operand, Operand, Operand, Operand];
    const low = [
      lowering.emit("unpackLow", rows.slice(0, 2)),
      lowering.emit("unpackLow", rows.slice(2)),
    ];
    const high = [
      lowering.emit("unpackHigh", rows.slice(0, 2)),
      lowering.emit("unpackHigh", rows.slice(2)),
    ];
    const words = [low, high].flatMap((both) => [
      lowering.emit("unpackLowPairs", both),
      lowering.emit("unpackHighPairs", both),
    ]);
    words.forEach((word, i) => lowering.define(inputs.get(HALVES_ORDER[4 * half + i]!)!, word));
  }
}

function assembleSha(
  shape: Shape,
  variant: Variant,
  asm: Assembler = new Assembler(),
): AssembledShape {
  if (shape.kind === "header" && variant.lanes !== HEADER_LANES) {
    return assembleSha(shape, { ...variant, lanes: HEADER_LANES }, asm);
  }
  if (shape.kind === "tail") return assembleTail(asm, variant);
  const plan = planShape(shape);
  const schedules: Schedule[] = [];
  let slot: number = POOL.pairs;
  let vectorBytes = 0;
  plan.pairs.forEach((pairs, block) => {
    schedules.push(lowerSchedule(plan, block, variant, slot, vectorBytes));
    const varying = pairs.filter((pair) => pair.varies).length;
    slot += 2 * (pairs.length - varying);
    vectorBytes += (variant.width / 4) * varying;
  });
  const { lanes, width } = variant;
  const states = (lanes / (width / 32)) * vectorBytes;
  const bufferBytes = states + (shape.kind === "header" ? 32 * lanes : 0);
  const layout: BufferLayout = { vectorBytes, states, bufferBytes };
  const vectors = vectorSteps(schedules, variant, layout);
  const rounds = roundSteps(shape, schedules, variant, layout);
  const spills = Math.max(...schedules.map((schedule) => schedule.allocation.spillSlots));
  const frameBytes = FRAME.buffers + 2 * bufferBytes + (width / 8) * spills;
  emitLoop(asm, shape, interleave(vectors, rounds), {
    lanes,
    frameBytes,
    bufferBytes,
    depth: 2 * schedules.length - 1,
  });
  asm.align(64);
  const prologue = asm.size;
  emitPrologue(asm, plan.program, variant.dialect, width);
  return { code: asm.finish(), lanes, scan: 0, prologue, literals: plan.program.literals };
}

/** A buffer: the pairs, a part for each vector; then, for headers, 32 bytes of state a lane. */
interface BufferLayout {
  readonly vectorBytes: number;
  readonly states: number;
  readonly bufferBytes: number;
}

/** The schedules of all lanes, as steps. */
function vectorSteps(
  schedules: readonly Schedule[],
  variant: Variant,
  { vectorBytes, states, bufferBytes }: BufferLayout,
): Step[] {
  const { width } = variant;
  const vectors = variant.lanes / (width / 32);
  return schedules.flatMap(({ allocation }) =>
    Array.from({ length: vectors }, (_, vector) => {
      const frame = {
        width,
        firstRegister: variant.firstRegister,
        spills: FRAME.buffers + 2 * bufferBytes,
        inputStride: 4 * TABLE_STRIDE,
        outputStride: 0,
        laneOffset: (width / 8) * vector,
        buffer: { base: R10, offset: vectorBytes * vector },
        states: { base: R11, offset: states + width * vector },
      } as const;
      return allocation.code.map(
        (op): Step =>
          (asm) =>
            emitOp(asm, op, frame),
      );
    }).flat(),
  );
}

/** The rounds of all lanes, as steps. */
function roundSteps(
  shape: Shape,
  schedules: readonly Schedule[],
  variant: Variant,
  { vectorBytes, states }: BufferLayout,
): Step[] {
  const writer = new RoundsWriter(variant, vectorBytes);
  writer.step((asm) => asm.three("vpxor", 128, ACCUMULATOR, ACCUMULATOR, ACCUMULATOR));
  const last = Array.from({ length: 32 }, (_, p) => ({ slot: POOL_INPUTS + INPUT_LAST + 2 * p }));
  writer.forGroups((streams) => {
    writer.startFromPool(streams, POOL.start);
    writer.rounds(streams, schedules[0]!.places);
    if (shape.kind === "single") return writer.compare(streams, "A", addCompared);
    writer.addFromPool(streams, POOL.add);
    if (shape.kind === "states") return writer.store(streams, RDX, 0);
    if (shape.kind === "header") return writer.store(streams, R10, states);
    writer.save(streams);
    writer.rounds(streams, last);
    writer.addSaved(streams);
    writer.compare(streams, "A", () => []);
  });
  if (shape.kind === "header") {
    writer.forGroups((streams) => {
      writer.startFromPool(streams, POOL.initial);
      writer.rounds(streams, schedules[1]!.places);
      writer.compare(streams, "F", (register) => [
        ...addCompared(register),
        ...swapBytes(register),
      ]);
    });
  }
  return writer.steps;
}

/** Merges two instruction sequences evenly. */
function interleave(a: readonly Step[], b: readonly Step[]): Step[] {
  const merged: Step[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length;) {
    const turnOfA = j >= b.length || (i < a.length && i * b.length <= j * a.length);
    merged.push(turnOfA ? a[i++]! : b[j++]!);
  }
  return merged;
}

/** The last block the same for all lanes, from stored states: rounds alone. */
function assembleTail(asm: Assembler, variant: Variant): AssembledShape {
  const writer = new RoundsWriter(variant, 0);
  writer.step((a) => a.three("vpxor", 128, ACCUMULATOR, ACCUMULATOR, ACCUMULATOR));
  const pairs = Array.from({ length: 32 }, (_, p) => ({ slot: 2 * p }));
  writer.forGroups((streams) => {
    writer.startFromStates(streams);
    writer.rounds(streams, pairs);
    writer.addFromStates(streams);
    writer.compare(streams, "A", () => []);
  });
  emitLoop(asm, TAIL_SHAPE, writer.steps, {
    lanes: variant.lanes,
    frameBytes: FRAME.buffers,
    bufferBytes: 0,
    depth: 0,
  });
  return { code: asm.finish(), lanes: variant.lanes, scan: 0, literals: [] };
}

function emitLoop(
  asm: Assembler,
  { kind }: Shape,
  steps: readonly Step[],
  sizes: { lanes: number; frameBytes: number; bufferBytes: number; depth: number },
): void {
  const stateBytes = kind === "tail" || kind === "states" ? 32 : 0;
  emitBatchLoop(asm, {
    ...sizes,
    kind,
    stateBytes,
    avx: true,
    setUp: () => {
      for (let i = 0; i < 4; i++) {
        asm.store32({ base: RSP, displacement: FRAME.threshold + 4 * i }, R9);
      }
      asm.address(R10, { base: RSP, displacement: FRAME.buffers });
      asm.address(R11, { base: RSP, displacement: FRAME.buffers + sizes.bufferBytes });
    },
    body: () => {
      for (const step of steps) step(asm);
      asm.exchange(R10, R11);
    },
    judge: () => {
      asm.byteMask(128, RAX, ACCUMULATOR);
      asm.alu("test", RAX, RAX);
    },
  });
}
