/**
 * The hybrid: vector units work out the message schedules of a batch of nonces while the SHA units
 * do the rounds of the batch before, instruction by instruction interleaved. 256-bit vectors; their
 * words go through a small buffer in which they are transposed from lanes to pairs: see
 * sha_schedule.ts and sha_rounds.ts.
 *
 * Iteration n of the loop makes the schedules of batch n and the rounds of batch n - 1; for block
 * headers also the second schedules of batch n - 2 and the second rounds of batch n - 3. The
 * results of the first iterations are garbage and ignored.
 *
 * @module
 */
import { type Assembler, R10, R11, R9, RAX, RDX, RSP } from "./assembler.ts";
import { emitBatchLoop } from "./batch_loop.ts";
import { TAIL_SHAPE } from "./engine.ts";
import type { AssembledShape, AssembleShape } from "./engine_native.ts";
import { POOL_INPUTS } from "./expression.ts";
import {
  ACCUMULATOR,
  addCompared,
  FRAME,
  POOL,
  RoundsWriter,
  type Step,
  swapBytes,
} from "./sha_rounds.ts";
import {
  type BufferLayout,
  layoutBuffer,
  planShape,
  scheduleBatch,
  scheduleFrame,
  type Vectors,
} from "./sha_schedule.ts";
import { INPUT_LAST, type Shape } from "./shapes.ts";
import { emitOp, emitPrologue } from "./vector_code.ts";

/** How a hybrid is laid out. */
export interface HybridVariant extends Vectors {
  /** Lanes whose rounds take turns. */
  readonly streams: number;
}

/** Two vectors a batch. More make the loop too long for the caches of decoded code. */
const AVX512VL: HybridVariant = {
  dialect: "avx512-sha",
  streams: 6,
  firstRegister: 16,
  registers: 16,
  width: 256,
  lanes: 16,
  braided: true,
};
const AVX2: HybridVariant = {
  dialect: "portable",
  streams: 3,
  firstRegister: 7,
  registers: 8,
  width: 256,
  lanes: 16,
  braided: false,
};

/** Block headers have twice the code, and want half the lanes for the same reason. */
const HEADER_LANES = 8;

/** Assembles for AVX-512VL and the SHA extensions. */
export const assembleShaAvx512: AssembleShape = hybridAvx512();
/** Assembles for AVX2 and the SHA extensions. */
export const assembleShaAvx2: AssembleShape = (shape, asm) => assembleSha(shape, AVX2, asm);
/**
 * The same with 128-bit vectors, for processors on which every change between 256-bit AVX and the
 * SHA instructions, which have no VEX form, costs about 100 ns (seen on Sapphire Rapids and Zen 3).
 */
export const assembleShaAvx2Narrow: AssembleShape = (shape, asm) =>
  assembleSha(shape, { ...AVX2, width: 128, lanes: 8 }, asm);

/** The AVX-512 hybrid with some things laid out otherwise: see bench/hybrid.ts. */
export function hybridAvx512(changes: Partial<HybridVariant> = {}): AssembleShape {
  return (shape, asm) => assembleSha(shape, { ...AVX512VL, ...changes }, asm);
}

function assembleSha(shape: Shape, variant: HybridVariant, asm: Assembler): AssembledShape {
  if (shape.kind === "header" && variant.lanes !== HEADER_LANES) {
    return assembleSha(shape, { ...variant, lanes: HEADER_LANES }, asm);
  }
  if (shape.kind === "tail") return assembleTail(asm, variant);
  const plan = planShape(shape);
  const buffer = layoutBuffer(plan, variant);
  const frame = scheduleFrame(variant, buffer);
  const schedules = scheduleBatch(plan, variant, buffer);
  const vectors = schedules.code.map(
    (op): Step =>
      (a) =>
        emitOp(a, op, frame),
  );
  const rounds = roundSteps(shape, variant, buffer);
  const { lanes, width } = variant;
  emitLoop(asm, shape, interleave(vectors, rounds), {
    lanes,
    frameBytes: frame.spills + (width / 8) * schedules.spillSlots,
    bufferBytes: buffer.bytes,
    depth: 2 * plan.pairs.length - 1,
  });
  asm.align(64);
  const prologue = asm.size;
  emitPrologue(asm, plan.program, variant.dialect, width);
  return { code: asm.finish(), lanes, scan: 0, prologue, literals: plan.program.literals };
}

/** The rounds of all lanes, as steps. */
function roundSteps(
  shape: Shape,
  variant: HybridVariant,
  { places, vectorBytes, states }: BufferLayout,
): readonly Step[] {
  const writer = new RoundsWriter(variant, vectorBytes);
  writer.step((asm) => asm.three("vpxor", 128, ACCUMULATOR, ACCUMULATOR, ACCUMULATOR));
  const last = Array.from({ length: 32 }, (_, p) => ({ slot: POOL_INPUTS + INPUT_LAST + 2 * p }));
  writer.forGroups((streams) => {
    writer.startFromPool(streams, POOL.start);
    writer.rounds(streams, places[0]!);
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
      writer.rounds(streams, places[1]!);
      writer.compare(streams, "F", (register) => [
        ...addCompared(register),
        ...swapBytes(register),
      ]);
    });
  }
  return writer.finish();
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
function assembleTail(asm: Assembler, variant: HybridVariant): AssembledShape {
  const writer = new RoundsWriter(variant, 0);
  writer.step((a) => a.three("vpxor", 128, ACCUMULATOR, ACCUMULATOR, ACCUMULATOR));
  const pairs = Array.from({ length: 32 }, (_, p) => ({ slot: 2 * p }));
  writer.forGroups((streams) => {
    writer.startFromStates(streams);
    writer.rounds(streams, pairs);
    writer.addFromStates(streams);
    writer.compare(streams, "A", () => []);
  });
  emitLoop(asm, TAIL_SHAPE, writer.finish(), {
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
