/**
 * The loop around every scan: batch after batch of lanes until one has a hit or the range ends.
 *
 * @module
 */
import { type Assembler, R8, R9, RAX, RCX, RDX, RSI } from "./assembler.ts";
import type { ShapeKind } from "./shapes.ts";
import { closeFrame, openFrame } from "./vector_code.ts";

/** What a kernel puts into the loop. Free for its use: rax, and r10 and r11. */
export interface BatchLoop {
  /** Lanes of a batch. */
  readonly lanes: number;
  /** Iterations between a batch's first instruction and its result; those before are ignored. */
  readonly depth: number;
  /** A `tail` scan reads, and `states` writes, one state a lane: that pointer moves along. */
  readonly stateBytes?: number;
  readonly kind: ShapeKind;
  readonly frameBytes: number;
  /** Before the loop: the threshold is in r9. */
  setUp(): void;
  body(): void;
  /** Sets "not equal" when a lane is at most the threshold. Not asked of `states`. */
  judge(): void;
  /** After the loop, on a hit: stores the hits where that has not been done. */
  onHit?(): void;
  /** Whether the code has touched AVX registers. */
  readonly avx: boolean;
}

/** Emits a whole scan; see `NativeScan` for its arguments and `TileCode.scan` for its result. */
export function emitBatchLoop(asm: Assembler, loop: BatchLoop): void {
  const { lanes, depth, kind, stateBytes = 0 } = loop;
  openFrame(asm, loop.frameBytes);
  asm.signExtend(RCX, RCX);
  asm.signExtend(R8, R8);
  const moving = kind === "tail" ? RSI : RDX;
  if (stateBytes > 0) {
    // 32 bytes a lane.
    asm.alu("mov", RAX, RCX);
    asm.shiftLeft(RAX, 5);
    asm.alu("add", moving, RAX);
  }
  loop.setUp();
  if (depth > 0) asm.address(R9, { base: RCX, displacement: depth * lanes });
  const again = asm.label();
  const hit = asm.label();
  const end = asm.label();
  asm.align(64);
  asm.place(again);
  loop.body();
  asm.aluImmediate("add", RCX, lanes);
  if (depth > 0) {
    asm.alu("cmp", RCX, R9);
    asm.jump(again, "le");
  }
  if (kind !== "states") {
    loop.judge();
    asm.jump(hit, "ne");
  }
  if (stateBytes > 0) asm.aluImmediate("add", moving, stateBytes * lanes);
  asm.address(RAX, { base: RCX, displacement: -depth * lanes });
  asm.alu("cmp", RAX, R8);
  asm.jump(again, "l");
  asm.jump(end);
  asm.place(hit);
  loop.onHit?.();
  asm.address(RAX, { base: RCX, displacement: -(depth + 1) * lanes });
  asm.place(end);
  closeFrame(asm, loop.avx);
}
