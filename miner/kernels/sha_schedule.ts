/**
 * The vector half of the hybrid: message schedules of a batch of lanes, as machine operations that
 * leave W + K in a buffer, transposed from lanes to the pairs that the SHA units take.
 *
 * @module
 */
import { R10, R11 } from "./assembler.ts";
import { Graph, type NodeId, partition, type Program } from "./expression.ts";
import { type Dialect, Lowering, type MicroOp, type Operand } from "./lowering.ts";
import { allocate, type MachineOp } from "./register_allocation.ts";
import {
  type RoundPair,
  schedulePairs,
  stateAfter,
  wordsOfBlock,
  wordsOfDigest,
} from "./sha256_graph.ts";
import { FRAME, HALVES_ORDER, type PairPlace, POOL } from "./sha_rounds.ts";
import { INITIAL, INPUT_STATE, type Shape, TABLE_STRIDE } from "./shapes.ts";
import type { Frame } from "./vector_code.ts";

/** The vectors that a batch's schedules are made with. */
export interface Vectors {
  readonly dialect: Dialect;
  /** Hardware number of the first register, and how many there are. */
  readonly firstRegister: number;
  readonly registers: number;
  /** Width of the vectors. */
  readonly width: 128 | 256;
  /** Lanes of a batch. */
  readonly lanes: number;
  /** Whether schedules are braided by twos: with few registers it costs more than it gains. */
  readonly braided: boolean;
}

/** What a shape's lanes compute: a graph, and its schedules, one a block that varies. */
export interface Plan {
  readonly program: Program;
  readonly pairs: readonly (readonly RoundPair[])[];
  /** First node of the second block's graph. */
  readonly second: number;
}

/** A buffer: the pairs, a part for each vector; then, for headers, 32 bytes of state a lane. */
export interface BufferLayout {
  /** Where the rounds of each block find their pairs in the first vector's part. */
  readonly places: readonly (readonly PairPlace[])[];
  /** Bytes of a vector's part. */
  readonly vectorBytes: number;
  /** Offset of the lanes' states. */
  readonly states: number;
  readonly bytes: number;
}

/** All schedules of a batch. */
export interface ScheduleCode {
  readonly code: readonly MachineOp[];
  readonly spillSlots: number;
}

/** There are so few registers that a value needed this many operations later had better stay. */
const SOON = 12;
/** Operations that a strand of a braid has in a row. Measured: 1 to 13, on Zen 4. */
const BRAID_RUN = 6;

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

/** Plans a shape other than `tail`. */
export function planShape(shape: Shape): Plan {
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

/** Lays out the buffer of a batch; constant pairs are where `planShape` put them in the pool. */
export function layoutBuffer(plan: Plan, { width, lanes }: Vectors): BufferLayout {
  let slot: number = POOL.pairs;
  let vectorBytes = 0;
  const places = plan.pairs.map((pairs) =>
    pairs.map(({ varies }): PairPlace => {
      const place = varies ? { buffer: vectorBytes } : { slot };
      if (varies) vectorBytes += pairBytes(width);
      else slot += 2;
      return place;
    }),
  );
  const states = (lanes / (width / 32)) * vectorBytes;
  return { places, vectorBytes, states, bytes: states + (plan.pairs.length > 1 ? 32 * lanes : 0) };
}

/** Bytes of a pair of words of all lanes of a vector. */
const pairBytes = (width: number): number => width / 4;

/** Where the code of `scheduleBatch` finds things: all its immediates are bytes. */
export function scheduleFrame({ width, firstRegister }: Vectors, buffer: BufferLayout): Frame {
  return {
    width,
    firstRegister,
    spills: FRAME.buffers + 2 * buffer.bytes,
    inputStride: 1,
    outputStride: 0,
    buffer: R10,
    states: R11,
  };
}

/** The schedules of all lanes of a batch. */
export function scheduleBatch(plan: Plan, vectors: Vectors, buffer: BufferLayout): ScheduleCode {
  const strands = plan.pairs.flatMap((_, block) =>
    Array.from({ length: vectors.lanes / (vectors.width / 32) }, (_, vector) =>
      lowerSchedule(plan, block, vectors, buffer, vector),
    ),
  );
  const atOnce = vectors.braided ? 2 : 1;
  const code: MachineOp[] = [];
  let spillSlots = 0;
  for (let i = 0; i < strands.length; i += atOnce) {
    const { ops, values } = strands.slice(i, i + atOnce).reduce(braid);
    const allocation = allocate(ops, values, vectors.registers, SOON);
    code.push(...allocation.code);
    spillSlots = Math.max(spillSlots, allocation.spillSlots);
  }
  return { code, spillSlots };
}

/** Code without jumps, on virtual registers 0..`values`-1. */
interface Strand {
  readonly ops: readonly MicroOp[];
  readonly values: number;
}

/** Two strands as one: in turn, so that one can work while the other waits for its results. */
function braid(a: Strand, b: Strand): Strand {
  const move = (o: Operand): Operand => ("value" in o ? { value: o.value + a.values } : o);
  const moved = b.ops.map((op) => ({
    ...op,
    to: op.to < 0 ? op.to : op.to + a.values,
    from: op.from.map(move),
  }));
  const runs = Math.ceil(Math.max(a.ops.length, b.ops.length) / BRAID_RUN);
  const run = (ops: readonly MicroOp[], i: number): readonly MicroOp[] =>
    ops.slice(Math.round((i * ops.length) / runs), Math.round(((i + 1) * ops.length) / runs));
  const ops = Array.from({ length: runs }, (_, i) => [...run(a.ops, i), ...run(moved, i)]).flat();
  return { ops, values: a.values + b.values };
}

/** Lowers the schedule of one block for one vector of the batch. */
function lowerSchedule(
  { program, pairs, second }: Plan,
  block: number,
  { dialect, width }: Vectors,
  buffer: BufferLayout,
  vector: number,
): Strand {
  const lowering = new Lowering(program, dialect);
  const laneBytes = (width / 8) * vector;
  if (block === 1) loadDigest(lowering, program.graph, width, buffer.states + 8 * laneBytes);
  const waiting = pairs[block]!.flatMap((pair, i) => {
    const place = buffer.places[block]![i]!;
    return "buffer" in place ? [{ pair, at: place.buffer + buffer.vectorBytes * vector }] : [];
  });
  const flush = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      const { pair, at } = next;
      if (!lowering.has(pair.first) || !lowering.has(pair.second)) return;
      waiting.shift();
      const both: Operand[] = [lowering.register(pair.first), lowering.register(pair.second)];
      // Of each 128 bits: low has lanes 0 and 1 as (first, second) pairs, high has lanes 2 and 3.
      lowering.effect("storeBuffer", [lowering.emit("unpackLow", both)], at);
      const upper = at + pairBytes(width) / 2;
      lowering.effect("storeBuffer", [lowering.emit("unpackHigh", both)], upper);
    }
  };
  for (const id of program.body) {
    if (id < second !== (block === 0)) continue;
    const { op, value } = program.graph.nodes[id]!;
    if (op === "laneInput" && block === 0) {
      lowering.define(id, lowering.emit("load", [], 4 * TABLE_STRIDE * value + laneBytes));
    } else lowering.compute(id);
    flush();
  }
  flush();
  return { ops: lowering.ops, values: lowering.registers };
}

/**
 * The second block's words: the states that the first rounds stored at `offset`, transposed to
 * vectors.
 */
function loadDigest(lowering: Lowering, graph: Graph, width: 128 | 256, offset: number): void {
  const inputs = new Map<number, NodeId>();
  graph.nodes.forEach(({ op, value }, node) => {
    if (op === "laneInput" && value >= 8) inputs.set(value - 8, node);
  });
  for (const half of [0, 1]) {
    const rows = [0, 1, 2, 3].map((lane) => {
      const at = offset + 16 * half;
      const low = lowering.emit("loadStateLow", [], at + 32 * lane);
      if (width === 128) return low;
      return lowering.emit("insertStateHigh", [low], at + 32 * (lane + 4));
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
