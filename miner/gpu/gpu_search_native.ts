/**
 * A search on a graphics processor, batch after batch: each short enough that a stop or a shrink is
 * soon honoured, and each with enough hits to prove that the device does compute.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import type { Candidate } from "../../work/candidate.ts";
import { Best } from "../kernels/best.ts";
import { GENESIS, GENESIS_BEST, KNOWN } from "../kernels/known_answers.ts";
import { type Batch, type BatchResult, type Gpu, GpuError } from "./gpu_native.ts";
import { HITS_MAX, type Shader } from "./shader.ts";
import { headerSubject, messageSubject, type Subject, type Tile } from "./tiles.ts";

/** A batch takes about this long. */
const BATCH_MS = 20;
const BATCH_NONCES_MIN = 2 ** 12;
const BATCH_NONCES_MAX = 2 ** 30;
/** For this part of a batch's expected time nobody looks whether it is done. */
const REST = 0.75;
/**
 * Hits that a full batch has on average if it is computed at all: that there is none by chance
 * happens once in e^40 batches.
 */
const PROOF_HITS = 40;
/** Ranges with fewer nonces, and nonces below this, are hashed on the host ... */
const HOST_NONCES = 10_000n;
/** ... so many at once, which takes some milliseconds. */
const HOST_BATCH = 2_500n;
/** Too few to list more hits than fit. */
const SURE_NONCES = HITS_MAX;

/** How fast a device was lately; shared by its searches. */
export interface Pace {
  /** Nonces that take about {@link BATCH_MS}. */
  wanted: number;
  /** Nonces a millisecond, 0 before the first batch. */
  rate: number;
}

/** The pace to begin with. */
export const firstPace = (): Pace => ({ wanted: BATCH_NONCES_MIN, rate: 0 });

/** How a search is made, beyond its range. */
export interface GpuSearchOptions {
  /** Stop at the lowest nonce whose hash is at most this. */
  readonly target?: bigint | undefined;
  readonly pace?: Pace;
  /** Have all nonces hashed by the device, however few. */
  readonly hostless?: boolean;
}

/** A running search over `[lower, upper]`; {@link step} until {@link finished}. */
export class GpuSearch {
  /** All in [lower, next - 1] is searched. */
  next: bigint;
  #standing: { readonly next: bigint; readonly best?: Candidate };
  readonly #gpu: Gpu;
  readonly #subject: Subject;
  readonly #options: GpuSearchOptions;
  readonly #pace: Pace;
  #best: Best | undefined;
  /** The first nonce that no batch has, not even one that runs. */
  #claimed: bigint;
  #upper: bigint;
  #tile: Tile | undefined;
  #constants = new Int32Array();

  constructor(
    gpu: Gpu,
    subject: Subject,
    lower: bigint,
    upper: bigint,
    options: GpuSearchOptions = {},
  ) {
    this.next = lower;
    this.#standing = { next: lower };
    this.#gpu = gpu;
    this.#subject = subject;
    this.#options = options;
    this.#pace = options.pace ?? firstPace();
    this.#claimed = lower;
    this.#upper = upper;
  }

  /** The best nonce known; the answer once the search is finished. */
  get best(): Candidate | undefined {
    return this.#best?.candidate;
  }

  /** A searched prefix, and the best nonce of it. */
  get standing(): { readonly next: bigint; readonly best?: Candidate } {
    return this.#standing;
  }

  get finished(): boolean {
    return this.#best !== undefined && (this.#best.met || this.next > this.#upper);
  }

  /** Ends the range at `upper`, or as soon after as is possible; tells where. */
  shrink(upper: bigint): bigint {
    const possible = upper > this.#claimed - 1n ? upper : this.#claimed - 1n;
    if (possible < this.#upper) this.#upper = possible;
    return this.#upper;
  }

  /**
   * Searches one batch.
   *
   * @throws {GpuError} when the device fails or computes something wrong.
   */
  async step(): Promise<void> {
    await this.#batch();
    const best = this.best!;
    // What was found beyond the prefix, in a batch that is done again, is not told yet.
    if (best.nonce < this.next) this.#standing = { next: this.next, best };
  }

  async #batch(): Promise<void> {
    const { target, hostless } = this.#options;
    this.#best ??= new Best(this.#subject.hash(this.next), this.next, target, this.#subject.bits);
    if (this.finished) return;
    const left = this.#upper - this.next + 1n;
    if (hostless !== true && (left < HOST_NONCES || this.next < HOST_NONCES)) {
      this.#stepOnHost(left);
      // Orders are read between batches.
      return await Bun.sleep(0);
    }
    const shader = await this.#enter();
    const tile = this.#tile!;
    const inTile = Number((this.#upper < tile.last ? this.#upper : tile.last) - this.next) + 1;
    // A shrink may have come while the shader was made.
    if (inTile < 1) return;
    const count = Math.min(inTile, this.#pace.wanted);
    const batch: Batch = {
      constants: this.#constants,
      first: Number(this.next - tile.start),
      count,
      least: Math.max(this.#best.threshold, Math.min(0xffff_ffff, wordOfHits(count))),
      ...(target !== undefined && { target: upperWord(target, this.#subject.bits) }),
    };
    invariant(shader.constants === batch.constants.length, "constants of another shader");
    this.#claimed = this.next + BigInt(count);
    const { rate } = this.#pace;
    const expectedMs = rate > 0 ? Math.min(BATCH_MS, count / rate) : 0;
    // A guess that is too long must not come true: what remains of it shows how fast it was.
    const restMs = expectedMs > BATCH_MS / 2 ? expectedMs * REST : 0;
    this.#take(batch, await this.#gpu.run(tile.shape, batch, restMs));
  }

  /** The shader for the next nonce's tile, its constants worked out. */
  async #enter(): Promise<Shader> {
    const tile = this.#tile;
    if (tile === undefined || this.next < tile.start || this.next > tile.last) {
      this.#tile = this.#subject.tileAt(this.next);
      const shader = await this.#gpu.shader(this.#tile.shape);
      this.#constants = new Int32Array(shader.constants);
      shader.fill(this.#constants, this.#tile.state, this.#tile.words);
      return shader;
    }
    return await this.#gpu.shader(tile.shape);
  }

  #stepOnHost(left: bigint): void {
    const end = this.next + (left < HOST_BATCH ? left : HOST_BATCH);
    const best = this.#best!;
    while (this.next < end && !best.met) {
      best.offer(this.#subject.hash(this.next), this.next);
      this.next++;
    }
    this.#claimed = this.next;
  }

  #take(batch: Batch, result: BatchResult): void {
    const { count, least } = batch;
    const from = this.next;
    const { hits, overflow, lowest, tookMillis } = result;
    const offer = (offset: number, limit: number): boolean => {
      const nonce = from + BigInt(offset);
      const hash = this.#subject.hash(nonce);
      if (offset >= count || upperWord(hash, this.#subject.bits) > limit) {
        throw new GpuError(`the device computed a wrong hash for nonce ${nonce}`);
      }
      this.#best!.offer(hash, nonce);
      return this.#best!.met;
    };
    if (hits.length === 0 && (count * (least + 1)) / 2 ** 32 >= PROOF_HITS / 2) {
      throw new GpuError("the device computed nothing");
    }
    if (lowest !== undefined) {
      if (offer(lowest, batch.target!)) return;
      // Its upper word is the target's, its lower part is not. All before it have greater words.
      this.next += BigInt(lowest) + 1n;
    } else {
      for (const offset of hits) offer(offset, least);
      this.#adjust(count, tookMillis, overflow);
      if (!overflow) this.next = this.#claimed;
    }
    this.#claimed = this.next;
  }

  /** Learns from a batch's time how large the next one should be. */
  #adjust(count: number, tookMillis: number, overflow: boolean): void {
    const pace = this.#pace;
    if (overflow) return void (pace.wanted = Math.max(SURE_NONCES, count >> 1));
    // Short batches, as at a range's end, say little about the time of a full one.
    if (count * 4 < pace.wanted) return;
    pace.rate = count / Math.max(tookMillis, 0.001);
    const fitting = count * Math.min(4, Math.max(0.25, BATCH_MS / Math.max(tookMillis, 0.001)));
    pace.wanted = Math.round(Math.min(BATCH_NONCES_MAX, Math.max(BATCH_NONCES_MIN, fitting)));
  }
}

/** The word below which a batch of `count` has the wanted number of hits. */
const wordOfHits = (count: number): number => Math.ceil((PROOF_HITS * 2 ** 32) / count);

function upperWord(hash: bigint, bits: number): number {
  const word = hash >> BigInt(bits - 32);
  return word > 0xffff_ffffn ? 0xffff_ffff : Number(word);
}

/** The least hash over `[lower, upper]`, or the lowest nonce that meets the target, if any. */
export async function searchOnGpu(
  gpu: Gpu,
  subject: Subject,
  lower: bigint,
  upper: bigint,
  options: GpuSearchOptions = {},
): Promise<Candidate> {
  const search = new GpuSearch(gpu, subject, lower, upper, options);
  while (!search.finished) await search.step();
  return search.best!;
}

/** Why the device must not be used, in one line; `undefined` when its answers are right. */
export async function selfTestGpu(gpu: Gpu): Promise<string | undefined> {
  const { nonce } = GENESIS_BEST;
  const cases = [
    ...KNOWN.map(({ length, lower, upper, best }) => {
      const subject = messageSubject(new Uint8Array(length).fill(0x6b));
      return { what: `a message of ${length} bytes`, subject, lower, upper, best };
    }),
    {
      what: "a block header",
      subject: headerSubject(Uint8Array.fromHex(GENESIS)),
      lower: nonce - 100n,
      upper: nonce + 100n,
      best: GENESIS_BEST,
    },
  ];
  try {
    for (const { what, subject, lower, upper, best } of cases) {
      const got = await searchOnGpu(gpu, subject, lower, upper, { hostless: true });
      if (got.hash === best.hash && got.nonce === best.nonce) continue;
      return `${what}: got ${got.hash} at ${got.nonce}, expected ${best.hash} at ${best.nonce}`;
    }
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  return undefined;
}
