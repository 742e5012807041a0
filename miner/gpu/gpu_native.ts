/**
 * A graphics processor through WebGPU, by the optional package `bun-webgpu` (0.1.7; 20 MB with its
 * library), which is looked for where it may be installed and never fetched.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { isCompiled } from "../../run/invocation.ts";
import {
  type GpuShape,
  gpuShapeKey,
  HITS_MAX,
  JOB_HEAD,
  RESULT_HEAD,
  type Shader,
  shaderFor,
  WORKGROUP,
} from "./shader.ts";

/** Names a directory whose node_modules are looked into first. */
export const GPU_DIRECTORY_VARIABLE = "MOTHERLODE_GPU_DIR";
/** Workgroups of a dispatch at most; their invocations stride over larger batches. */
const WORKGROUPS_MAX = 16_384;
const NO_INDEX = 0xffff_ffff;

/** The graphics processor cannot be used; the message says why, in one line. */
export class GpuError extends Error {
  override name = "GpuError";
}

/** A batch of nonces of one tile. */
export interface Batch {
  /** The constants that {@link Shader.fill} worked out. */
  readonly constants: Int32Array;
  /** The tile's first index to search, and how many; together at most 2^32. */
  readonly first: number;
  readonly count: number;
  /** Only words at most this are of interest. */
  readonly least: number;
  /** Also of interest: the lowest index whose word is at most this. */
  readonly target?: number;
}

/** What a batch brought; all indices count from the batch's first. */
export interface BatchResult {
  /** Every index whose word is the batch's least, if that is at most `least`; and others. */
  readonly hits: Uint32Array;
  /** There were more hits than fit: `hits` is not complete. */
  readonly overflow: boolean;
  /** The lowest index whose word is at most the target's. */
  readonly lowest?: number;
  readonly tookMillis: number;
}

/** Runs batches, one at a time. */
export interface Gpu {
  /** The device in a few words. */
  readonly label: string;
  /** Makes the shader for a shape, or gives the one that was made before. */
  shader(shape: GpuShape): Promise<Shader>;
  /** Runs a batch; whether it is done is looked at after `restMillis` only. */
  run(shape: GpuShape, batch: Batch, restMillis: number): Promise<BatchResult>;
  /** Gives the device back. */
  close(): void;
}

// ---- the little of WebGPU (W3C) that is used here; the package's own types are optional, too

/** What an adapter says of itself; `backendType` (1: none), `adapterType` (3: CPU) are Dawn's. */
export interface AdapterInfo {
  readonly vendor: string;
  readonly device: string;
  readonly description: string;
  readonly backendType?: number;
  readonly adapterType?: number;
}
interface WebGpuBuffer {
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
}
interface Pipeline {
  getBindGroupLayout(index: number): unknown;
}
interface Pass {
  setPipeline(pipeline: Pipeline): void;
  setBindGroup(index: number, group: unknown): void;
  dispatchWorkgroups(count: number): void;
  end(): void;
}
interface Encoder {
  beginComputePass(): Pass;
  copyBufferToBuffer(a: WebGpuBuffer, at: 0, b: WebGpuBuffer, to: 0, bytes: number): void;
  finish(): unknown;
}
interface Device {
  readonly queue: {
    writeBuffer(buffer: WebGpuBuffer, at: number, data: Uint32Array): void;
    submit(commands: unknown[]): void;
  };
  readonly lost: Promise<{ readonly message: string }>;
  createBuffer(descriptor: { size: number; usage: number }): WebGpuBuffer;
  createShaderModule(descriptor: { code: string }): unknown;
  createComputePipelineAsync(descriptor: object): Promise<Pipeline>;
  createBindGroup(descriptor: object): unknown;
  createCommandEncoder(): Encoder;
  pushErrorScope(filter: string): void;
  popErrorScope(): Promise<{ readonly message: string } | null>;
  destroy(): void;
}
interface Adapter {
  readonly info: AdapterInfo;
  requestDevice(): Promise<Device>;
}
interface WebGpuPackage {
  createGPUInstance(): {
    requestAdapter(options: { powerPreference: string }): Promise<Adapter | null>;
  };
}
/** GPUBufferUsage and GPUMapMode (W3C WebGPU, sections 5.1.2 and 5.2). */
const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;
const UNIFORM = 64;
const STORAGE = 128;
const MODE_READ = 1;
/** Dawn's values. */
const BACKEND_NULL = 1;
const ADAPTER_CPU = 3;

/**
 * Where `bun-webgpu` is installed, or `undefined`: beside the program, or in the directory that the
 * environment names. Never has Bun install it by itself, and never looks into the directory that
 * the program is started in, or above: what lies there may be a stranger's.
 */
export function findWebGpu(): string | undefined {
  const named = process.env[GPU_DIRECTORY_VARIABLE];
  const { dir, path } = import.meta;
  const source = path.endsWith(".ts") ? join(dir, "..", "..") : dir;
  const home = isCompiled(path) ? dirname(process.execPath) : source;
  for (const directory of [named, home]) {
    if (directory === undefined || directory === "") continue;
    const file = join(directory, "node_modules", "bun-webgpu", "index.js");
    if (existsSync(file)) return file;
  }
  return undefined;
}

/**
 * Why this adapter must not be used, in one line; `undefined` when it may. Without a usable driver
 * `bun-webgpu` gives a null adapter, on which everything "works" at once and nothing is computed.
 */
export function whyRefused(info: AdapterInfo): string | undefined {
  const none = info.backendType === BACKEND_NULL || /null.?backend/i.test(info.device);
  return none ? "there is no usable Vulkan, Metal or Direct3D driver (null adapter)" : undefined;
}

/** An adapter in a few words. */
export function adapterLabel({ vendor, device, description, adapterType }: AdapterInfo): string {
  const name = description || device || vendor || "unnamed adapter";
  return adapterType === ADAPTER_CPU ? `software ${name}` : name;
}

/**
 * Opens the preferred graphics processor.
 *
 * @throws {GpuError} when the package is not installed or there is no usable processor.
 */
export async function openGpu(): Promise<Gpu> {
  const file = findWebGpu();
  if (file === undefined) {
    throw new GpuError("bun-webgpu is not installed (bun add bun-webgpu@0.1.7 beside the program)");
  }
  try {
    // By a variable, so that no bundle ever contains it.
    const webGpu = (await import(file)) as WebGpuPackage;
    const instance = webGpu.createGPUInstance();
    const adapter = await instance.requestAdapter({ powerPreference: "high-performance" });
    if (adapter === null) throw new GpuError("WebGPU finds no graphics processor");
    const { info } = adapter;
    const refusal = whyRefused(info);
    if (refusal !== undefined) throw new GpuError(refusal);
    return new WebGpu(adapterLabel(info), await adapter.requestDevice());
  } catch (error) {
    if (error instanceof GpuError) throw error;
    throw new GpuError(`WebGPU does not work here: ${String(error)}`);
  }
}

/** A shader made for the device, with a buffer for its job. */
interface Prepared {
  readonly shader: Shader;
  readonly pipeline: Pipeline;
  readonly job: WebGpuBuffer;
  readonly group: unknown;
}

class WebGpu implements Gpu {
  readonly label: string;
  readonly #device: Device;
  readonly #prepared = new Map<string, Promise<Prepared>>();
  readonly #head: WebGpuBuffer;
  readonly #found: WebGpuBuffer;
  readonly #readable: WebGpuBuffer;
  #lost: string | undefined;

  constructor(label: string, device: Device) {
    this.label = label;
    this.#device = device;
    const size = 4 * (RESULT_HEAD + HITS_MAX);
    this.#head = device.createBuffer({ size: 4 * RESULT_HEAD, usage: COPY_SRC | COPY_DST });
    this.#found = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    this.#readable = device.createBuffer({ size, usage: MAP_READ | COPY_DST });
    void device.lost.then(({ message }) => (this.#lost = message));
  }

  async shader(shape: GpuShape): Promise<Shader> {
    return (await this.#prepare(shape)).shader;
  }

  async run(shape: GpuShape, batch: Batch, restMillis: number): Promise<BatchResult> {
    return await this.#run(await this.#prepare(shape), batch, restMillis);
  }

  async #run(prepared: Prepared, batch: Batch, restMillis: number): Promise<BatchResult> {
    const { shader, pipeline, job, group } = prepared;
    const startMs = performance.now();
    const { first, count, least, target } = batch;
    const workgroups = Math.min(WORKGROUPS_MAX, Math.ceil(count / WORKGROUP));
    const words = new Uint32Array(JOB_HEAD + shader.constants);
    const aimed = Number(target !== undefined);
    words.set([first, count, workgroups * WORKGROUP, least, aimed, target ?? 0]);
    words.set(batch.constants, JOB_HEAD);
    this.#device.queue.writeBuffer(job, 0, words);
    this.#device.queue.writeBuffer(this.#head, 0, Uint32Array.of(least, 0, NO_INDEX, 0));
    const encoder = this.#device.createCommandEncoder();
    encoder.copyBufferToBuffer(this.#head, 0, this.#found, 0, 4 * RESULT_HEAD);
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(workgroups);
    pass.end();
    const size = 4 * (RESULT_HEAD + HITS_MAX);
    encoder.copyBufferToBuffer(this.#found, 0, this.#readable, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    // While something is mapped, bun-webgpu polls without pause and takes a whole core.
    if (restMillis > 0) await Bun.sleep(restMillis);
    if (this.#lost !== undefined) throw new GpuError(`the device was lost: ${this.#lost}`);
    await this.#readable.mapAsync(MODE_READ);
    const found = new Uint32Array(this.#readable.getMappedRange().slice(0));
    this.#readable.unmap();
    const hits = found[1]!;
    const lowest = found[2]!;
    return {
      hits: found.slice(RESULT_HEAD, RESULT_HEAD + Math.min(hits, HITS_MAX)),
      overflow: hits > HITS_MAX,
      ...(lowest !== NO_INDEX && { lowest }),
      tookMillis: performance.now() - startMs,
    };
  }

  close(): void {
    this.#device.destroy();
  }

  #prepare(shape: GpuShape): Promise<Prepared> {
    const key = gpuShapeKey(shape);
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const made = this.#make(shaderFor(shape));
    this.#prepared.set(key, made);
    return made;
  }

  async #make(shader: Shader): Promise<Prepared> {
    const device = this.#device;
    device.pushErrorScope("validation");
    const module = device.createShaderModule({ code: shader.source });
    const pipeline = await device.createComputePipelineAsync({
      layout: "auto",
      compute: { module, entryPoint: "search" },
    });
    const size = 4 * (JOB_HEAD + shader.constants);
    const job = device.createBuffer({ size, usage: UNIFORM | COPY_DST });
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [
        { binding: 0, resource: { buffer: job } },
        { binding: 1, resource: { buffer: this.#found } },
      ],
    });
    const error = await device.popErrorScope();
    if (error !== null) throw new GpuError(`the shader is refused: ${error.message}`);
    const prepared = { shader, pipeline, job, group };
    // Some drivers compile when a shader is first run: that is no measure of a batch.
    const constants = new Int32Array(shader.constants);
    await this.#run(prepared, { constants, first: 0, count: 1, least: 0 }, 0);
    return prepared;
  }
}
