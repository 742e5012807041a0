/**
 * The miner on real sockets and threads: feeds the core from LSP and from the pool, and carries out
 * what it asks for.
 *
 * @module
 */
import { hostname } from "node:os";
import { checkBy, checkInteger, checkOneOf, checkText } from "../base/options.ts";
import { readablePlural } from "../base/text.ts";
import { fullParams, type Params, type Wire } from "../lsp/mod.ts";
import { isServerThere } from "../peer/endings.ts";
import { type ServerChoice, serversOf, targetOf } from "../peer/targets.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { usableCores } from "../run/machine_limits.ts";
import { MESSAGES_VERSION } from "../work/messages.ts";
import { readableRate } from "../work/readable.ts";
import { MinerCore } from "./core.ts";
import { GpuPool } from "./gpu/gpu_pool_adapter.ts";
import type { MinerGuest } from "./guest_adapter.ts";
import { KERNEL_NAMES } from "./kernel_choice.ts";
import { checkOwnWorker } from "./own_worker_adapter.ts";
import { Pool } from "./pool_adapter.ts";
import { startableThreads } from "./thread_count_adapter.ts";
import type { MinerEffect, MinerInput, MinerRejection, Niceness } from "./types.ts";

/** What a miner is started with. */
export interface MineOptions extends ServerChoice {
  readonly wire?: Wire;
  readonly params?: Params;
  /** Hashing threads; by default as many as this process may use cores. */
  readonly threads?: number;
  /** Name of the kernel; by default the fastest here, found by measuring while work goes on. */
  readonly kernel?: string;
  /**
   * Where it is kept which kernels were proved on this machine, so that the next start knows: see
   * {@link userCacheDirectory}. In memory only, if left out.
   */
  readonly cacheDirectory?: string;
  /** Whether the hashing threads step back for other programs (`low`, the default). */
  readonly niceness?: Niceness;
  /**
   * Hash on a graphics processor instead of the processor's threads (which take over when there is
   * no usable one). Needs the package `bun-webgpu`.
   */
  readonly gpu?: boolean;
  /** Another kind of work that it does as well; closed with the miner. */
  readonly guest?: MinerGuest;
  /** For people: what the server calls this miner; the name of the machine if left out. */
  readonly name?: string;
  /** Give up when the server is lost or does not answer, instead of trying again for ever. */
  readonly once?: boolean;
  /** Says goodbye to the server and ends when aborted. */
  readonly signal?: AbortSignal;
  /** Told one line for people at a time. */
  readonly log?: (text: string, level: "info" | "warn") => void;
}

/** How a miner stands. */
export interface MinerStatus {
  readonly connected: boolean;
  /** Nonces searched since the start. */
  readonly searched: bigint;
  readonly threads: number;
  /** Messages of the server that were ignored, by reason. */
  readonly rejected: ReadonlyMap<MinerRejection, number>;
}

/** A running miner. */
export interface Miner extends AsyncDisposable {
  /** Resolves with the reason when the miner is done for good and everything is shut down. */
  readonly ended: Promise<string>;
  status(): MinerStatus;
  /** Says goodbye to the server and ends the threads. */
  close(): Promise<void>;
}

/**
 * Starts a miner; it works until it is closed (or, with `once`, until the server is lost). Throws,
 * before anything is done, an OptionError for an option that cannot work, a BundledError where
 * threads would run the program's main module again, and a Failure where the system allows too few
 * threads for one that hashes. Where it allows fewer than `threads`, it goes on with those.
 */
export function mine(options: MineOptions): Miner {
  checkOptions(options);
  checkOwnWorker(import.meta.url, "adapter.ts");
  const wanted = options.threads ?? usableCores();
  const threads = startableThreads(wanted, (text) => options.log?.(text, "warn"));
  return new RunningMiner({ ...options, threads });
}

/** More threads than any machine has cores. */
const THREADS_MAX = 1024;
/** How long nothing is heard from the server before that is said. */
const SILENT_MS = 1000;

function checkOptions(options: MineOptions): void {
  const { threads, kernel, niceness, wire, params, name } = options;
  serversOf(options);
  checkText("name", name);
  checkInteger("threads", threads, 1, THREADS_MAX);
  checkOneOf("niceness", niceness, ["low", "normal"]);
  checkOneOf("kernel", kernel, KERNEL_NAMES);
  checkOneOf("wire", wire, ["cbor", "json"]);
  checkBy("params", () => fullParams(wire ?? "cbor", params));
}

class RunningMiner implements Miner {
  readonly ended: Promise<string>;
  readonly #options: MineOptions;
  readonly #core: MinerCore;
  readonly #drive: Drive<MinerInput, MinerEffect>;
  #pool: Pool | GpuPool;
  readonly #end = Promise.withResolvers<string>();
  readonly #link: Uplink;
  /** Waits to say what may be wrong when nobody answers the first dial. */
  #hint: ReturnType<typeof setTimeout> | undefined;
  #hasDialled = false;
  #closing: Promise<void> | undefined;

  constructor(options: MineOptions) {
    this.#options = options;
    this.ended = this.#end.promise;
    const servers = serversOf(options);
    const { wire, params } = options;
    this.#core = new MinerCore({
      servers,
      random: freshRandom(),
      once: options.once ?? false,
      name: options.name ?? hostname(),
    });
    this.#drive = new Drive(this.#core, (effect) => this.#do(effect));
    const first = targetOf(servers[0]!, servers.length > 1, params);
    this.#link = new Uplink(
      { ...first, wire, appVersion: MESSAGES_VERSION },
      {
        onConnected: (spoken) => {
          clearTimeout(this.#hint);
          this.#tell({ kind: "connected", wire: spoken });
        },
        onPayload: (payload) => {
          if (options.guest?.payload(payload) === true) return;
          this.#tell({ kind: "payload", payload });
        },
        onGone: (reason, error) => {
          clearTimeout(this.#hint);
          options.guest?.gone();
          this.#tell({ kind: "gone", reason, isThere: isServerThere(error) });
        },
      },
    );
    this.#pool = options.gpu === true ? this.#gpuPool() : this.#threadPool();
    const stop = (): void => void this.close();
    options.signal?.addEventListener("abort", stop, { once: true });
    if (options.signal?.aborted) stop();
    else this.#tell({ kind: "wake" });
  }

  #threadPool(): Pool {
    const options = this.#options;
    return new Pool({
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(options.kernel !== undefined && { kernel: options.kernel }),
      ...(options.niceness !== undefined && { niceness: options.niceness }),
      ...(options.cacheDirectory !== undefined && { cacheDirectory: options.cacheDirectory }),
      onEvent: (event) => this.#tell(event),
      onLog: (text) => this.#log(text, "warn"),
      onKernel: ({ name, rate, reason }) => {
        this.#log(`kernel ${name}: ${readableRate(rate)} a thread, ${reason}`);
        this.#tell({ kind: "kernel", name, rate, reason });
      },
      onDead: () => void this.#shutDown("no hashing thread is left"),
    });
  }

  #gpuPool(): GpuPool {
    return new GpuPool({
      onEvent: (event) => this.#tell(event),
      onFailed: (reason, ready) => {
        if (this.#closing !== undefined) return;
        // The server gives to others what a device leaves undone that failed at work.
        if (ready) return void this.#shutDown(`the graphics processor failed: ${reason}`);
        this.#log(`no graphics processor: ${reason}; hashing on the processor`, "warn");
        this.#pool = this.#threadPool();
      },
    });
  }

  status(): MinerStatus {
    return {
      connected: this.#link.isConnected,
      searched: this.#pool.searched,
      threads: this.#pool.threads,
      rejected: this.#core.rejected,
    };
  }

  close(): Promise<void> {
    return this.#shutDown("closed");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #shutDown(reason: string): Promise<void> {
    this.#closing ??= this.#release().then(() => this.#end.resolve(reason));
    return this.#closing;
  }

  async #release(): Promise<void> {
    this.#drive.stop();
    clearTimeout(this.#hint);
    const guest = this.#options.guest?.close();
    await Promise.all([this.#link.close(), this.#pool.close(), guest]);
  }

  /** Feeds the core, unless the miner shuts down; the kernel in use gets a line for people. */
  #tell(input: MinerInput | { kind: "wake" }): void {
    if (this.#closing !== undefined) return;
    if (input.kind === "pool") {
      const threads = readablePlural(input.threads, "thread");
      this.#log(
        `hashing with ${threads}, kernel ${input.label}, about ${readableRate(input.rate)}`,
      );
    }
    this.#drive.tell(input);
  }

  #do(effect: MinerEffect): void {
    switch (effect.kind) {
      case "dial":
        return this.#dial(effect.server, effect.isCluster);
      case "write":
        return this.#link.write(effect.payload);
      case "joined":
        return this.#options.guest?.joined((payload) => this.#link.write(payload));
      case "exit":
        void this.#shutDown(effect.reason);
        return;
      case "log":
        return this.#log(effect.text, effect.level);
      default:
        return this.#pool.command(effect);
    }
  }

  /** The first time it says where it goes, and what may be wrong when nobody answers. */
  #dial(server = this.#link.where, isCluster = false): void {
    this.#options.guest?.gone();
    const target = targetOf(server, isCluster, this.#options.params);
    if (!this.#hasDialled) {
      this.#hasDialled = true;
      const where = serversOf(this.#options).join(", ");
      this.#log(`connecting to ${where}`);
      const still = `still no answer from ${where}: is a server running there? does a firewall`;
      this.#hint = setTimeout(() => this.#log(`${still} let UDP through?`), SILENT_MS);
    }
    this.#link.dial(target);
  }

  #log(text: string, level: "info" | "warn" = "info"): void {
    this.#options.log?.(text, level);
  }
}
