/**
 * SHA-256 of one nonce per vector lane: 16 lanes with AVX-512, 8 with AVX2.
 *
 * @module
 */
import { type Assembler, R9, RAX, RDX, RSP, type Width } from "./assembler.ts";
import { emitBatchLoop } from "./batch_loop.ts";
import type { AssembledShape, AssembleShape } from "./engine_native.ts";
import { partition, type Program } from "./expression.ts";
import { type Dialect, Lowering } from "./lowering.ts";
import { allocate } from "./register_allocation.ts";
import { laneGraph } from "./sha256_graph.ts";
import { laneStride, type Shape, STATE_STRIDE } from "./shapes.ts";
import { emitOp, emitPrologue, type Frame } from "./vector_code.ts";

interface Variant {
  readonly dialect: Dialect;
  readonly width: Width;
  /** Registers for values; AVX-512 keeps the threshold in the one that is left. */
  readonly registers: number;
}

/** The register that holds the threshold (AVX-512). */
const THRESHOLD = 31;
const MASK = 1;
/** Stack bytes before the spilled vectors: the threshold (AVX2). */
const SPILLS = 64;

/** Assembles for AVX-512F: 16 lanes. */
export const assembleAvx512: AssembleShape = (shape, asm) =>
  assembleVector(shape, { dialect: "avx512", width: 512, registers: 31 }, asm);

/** Assembles for AVX2: 8 lanes. */
export const assembleAvx2: AssembleShape = (shape, asm) =>
  assembleVector(shape, { dialect: "portable", width: 256, registers: 16 }, asm);

function assembleVector(shape: Shape, variant: Variant, asm: Assembler): AssembledShape {
  const { graph, outputs } = laneGraph(shape);
  const program = partition(graph, outputs, tailSlots(shape, graph.nodes));
  emitScan(asm, shape, program, outputs, variant);
  asm.align(64);
  const prologue = asm.size;
  emitPrologue(asm, program, variant.dialect, variant.width);
  return {
    code: asm.finish(),
    lanes: variant.width / 32,
    scan: 0,
    prologue,
    literals: program.literals,
  };
}

/** A tail scan's constants are a row of W + K, not a pool: word t is at slot t. */
function tailSlots(
  shape: Shape,
  nodes: readonly { readonly op: string; readonly value: number }[],
): { node: number; slot: number }[] {
  if (shape.kind !== "tail") return [];
  return nodes.flatMap(({ op, value }, node) =>
    op === "tileInput" ? [{ node, slot: value }] : [],
  );
}

function emitScan(
  asm: Assembler,
  shape: Shape,
  program: Program,
  outputs: readonly number[],
  variant: Variant,
): void {
  const { dialect, width, registers } = variant;
  const lowering = new Lowering(program, dialect);
  for (const node of program.body) lowering.compute(node);
  if (shape.kind === "states") {
    outputs.forEach((node, i) => lowering.effect("storeOutput", [lowering.register(node)], i));
  } else lowering.effect("result", [lowering.register(outputs[0]!)]);
  const { code, spillSlots } = allocate(lowering.ops, lowering.registers, registers);
  const frame: Frame = {
    width,
    firstRegister: 0,
    spills: SPILLS,
    inputStride: 4 * laneStride(shape.kind),
    outputStride: 4 * STATE_STRIDE,
  };
  let result = 0;
  emitBatchLoop(asm, {
    lanes: width / 32,
    depth: 0,
    kind: shape.kind,
    frameBytes: SPILLS + (spillSlots * width) / 8,
    avx: true,
    setUp: () => {
      asm.moveFromGeneral(0, R9);
      asm.broadcast(width, dialect === "avx512" ? THRESHOLD : 0, 0);
      if (dialect === "portable") asm.store(width, { base: RSP }, 0);
    },
    body: () => {
      for (const op of code) {
        if (op.op === "result") result = (op.from[0] as { register: number }).register;
        else emitOp(asm, op, frame);
      }
    },
    judge: () => emitCompare(asm, result, variant),
    onHit: () => asm.store(width, { base: RDX }, result),
  });
}

/** Sets "not equal" when a lane's word is at most the threshold. */
function emitCompare(asm: Assembler, register: number, variant: Variant): void {
  if (variant.dialect === "avx512") {
    asm.compareLessEqual(512, MASK, register, THRESHOLD);
    asm.testMask(MASK);
    return;
  }
  // All values are dead here, so any other register will do for the minimum.
  const minimum = register ^ 1;
  asm.three("vpminud", 256, minimum, register, { base: RSP });
  asm.three("vpcmpeqd", 256, minimum, minimum, register);
  asm.byteMask(256, RAX, minimum);
  asm.alu("test", RAX, RAX);
}
