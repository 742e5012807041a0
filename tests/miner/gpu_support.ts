/**
 * The graphics processor of this machine, if there is one that can be used, and a double that
 * obeys the same rules without any.
 *
 * `MOTHERLODE_GPU_INSTALL=1` has `bun-webgpu` installed in a temporary directory first.
 *
 * @module
 */
import { afterAll } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type Batch,
  type BatchResult,
  findWebGpu,
  type Gpu,
  GPU_DIRECTORY_VARIABLE,
  openGpu,
} from "../../miner/gpu/gpu_native.ts";
import { HITS_MAX } from "../../miner/gpu/shader.ts";
import { messageSubject, type Subject } from "../../miner/gpu/tiles.ts";

if (process.env["MOTHERLODE_GPU_INSTALL"] === "1" && findWebGpu() === undefined) {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-gpu-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  await Bun.write(join(directory, "package.json"), "{}");
  const command = [process.execPath, "add", "bun-webgpu@0.1.7"];
  const child = Bun.spawn(command, { cwd: directory, stdout: "ignore", stderr: "inherit" });
  if ((await child.exited) === 0) process.env[GPU_DIRECTORY_VARIABLE] = directory;
}

/** The device, or why there is none. */
export const DEVICE: Gpu | string = await openGpu().catch((error: Error) => error.message);

/** What a {@link doubleOf} does wrong, for tests of who notices. */
export type Fault = "computes nothing" | "computes something else";

/**
 * A device that is none: it hashes on the host, by the subject's own hash, and lists hits in a
 * strange order, as a device may. To be used with the subject that comes with it.
 */
export function doubleOf(original: Subject, fault?: Fault): { gpu: Gpu; subject: Subject } {
  let start = 0n;
  const subject: Subject = {
    ...original,
    tileAt: (nonce) => {
      const tile = original.tileAt(nonce);
      start = tile.start;
      return tile;
    },
  };
  const wordAt = (index: number): number =>
    Number(original.hash(start + BigInt(index)) >> BigInt(original.bits - 32));
  const run = ({ first, count, least, target }: Batch): BatchResult => {
    let [limit, hits, lowest] = [least, 0, undefined as number | undefined];
    const list: number[] = [];
    // From the end and the middle in turn: no order that anybody should rely on.
    for (let i = 0; i < count && fault !== "computes nothing"; i++) {
      const offset = i % 2 === 0 ? count - 1 - (i >> 1) : i >> 1;
      const word = wordAt(first + offset);
      if (target !== undefined && word <= target && !(lowest! <= offset)) lowest = offset;
      if (word > limit) continue;
      limit = word;
      if (hits++ < HITS_MAX) list.push(fault === undefined ? offset : (offset + 1) % count);
    }
    const found = lowest === undefined ? {} : { lowest };
    return { hits: Uint32Array.from(list), overflow: hits > HITS_MAX, tookMillis: 5, ...found };
  };
  const gpu: Gpu = {
    label: "double",
    shader: async () => ({ source: "", constants: 0, fill: () => {} }),
    run: async (_shape, batch) => run(batch),
    close: () => {},
  };
  return { gpu, subject };
}

/** A subject in whose hashes ties abound: the upper word has `levels` values only, a power of 2. */
export function tiedSubject(seed: bigint, levels: bigint): Subject {
  const mixed = (nonce: bigint): bigint => ((nonce + seed) * 0x9e3779b97f4a7c15n) >> 7n;
  return {
    ...messageSubject(new Uint8Array()),
    hash: (nonce) =>
      ((mixed(nonce) & (levels - 1n)) * (2n ** 64n / levels)) | ((mixed(nonce) >> 9n) & 1023n),
  };
}
