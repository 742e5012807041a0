/**
 * A job on a server's fleet, from this machine's files.
 *
 * @module
 */
import { closeSync, openSync, renameSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { ServerRing } from "../base/server_ring.ts";
import { Failure } from "../run/errors.ts";
import type { Params } from "../lsp/mod.ts";
import { type ServerChoice, serversOf, targetOf } from "../peer/targets.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import { Drive } from "../run/drive.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { writeAll } from "../run/write_all.ts";
import { type JobTerms, type MrAttached, SHARE_BYTES } from "../work/mapreduce_messages.ts";
import { MESSAGES_VERSION } from "../work/messages.ts";
import {
  ClientCore,
  type ClientEffect,
  type ClientInput,
  type ClientJob,
  type JobWish,
} from "./client_core.ts";
import { codeName } from "./code_name.ts";
import { readPiece } from "./files_adapter.ts";
import { hashOfPart } from "./hash_adapter.ts";
import { checkUnchanged, type InputSplit } from "./inputs_adapter.ts";
import { TASK_BYTES, TASK_TIMEOUT_MS } from "./limits.ts";
import type { JobOptions, JobProgress } from "./local_adapter.ts";
import { isOfPeerSockets, PeerSockets } from "./peers_adapter.ts";
import { type Share, sharedOutputName } from "./share_adapter.ts";

/** Where the server is, or those of a cluster. */
export interface ServerAt extends ServerChoice {
  readonly params?: Params | undefined;
  readonly signal?: AbortSignal;
}

/** A job for a fleet. */
export interface FleetOptions extends JobOptions, ServerAt {
  readonly signal?: AbortSignal;
  /** The address on which workers can fetch splits; left out: through the server alone. */
  readonly peerHost?: string | undefined;
  /** A directory that workers share. */
  readonly share?: Share | undefined;
  /** The directory of the outputs, if that is shared too. */
  readonly out?: string | undefined;
  /** Outputs stay in the fleet, for those who ask by the job's id. */
  readonly keep?: boolean;
  /** Resolves when the fleet has read the input: nothing is fetched. */
  readonly detach?: boolean;
  /** The server has the job. */
  readonly onAttached?: (attached: MrAttached) => void;
}

/** A job that is there, and what is wanted of it. */
export interface ExistingOptions extends ServerAt {
  readonly id: number;
  readonly wish: JobWish;
  /** Where output `r` is to be written, if it is fetched. */
  readonly outputPath?: (r: number) => string;
  readonly onAttached?: (attached: MrAttached) => void;
  readonly onProgress: (progress: JobProgress) => void;
  readonly log: (text: string) => void;
}

/** What both are to the machinery. */
interface Asked extends Omit<ExistingOptions, "id" | "wish"> {
  readonly job: ClientJob;
  readonly peerHost?: string | undefined;
  readonly splits: readonly InputSplit[];
  readonly out?: string | undefined;
  readonly share?: Share | undefined;
}

const MIB = 2 ** 20;

/** Has the fleet do the job. Rejects with a {@link Failure} that says why it failed. */
export async function runOnFleet(options: FleetOptions): Promise<void> {
  await new FleetJob({ ...options, job: jobOf(options) }).over;
}

/** Asks for a job that is there. Rejects with a {@link Failure}. */
export async function askForJob({ id, wish, ...options }: ExistingOptions): Promise<void> {
  const job = { terms: NO_TERMS, splits: [], key: "", existing: { id, wish } };
  await new FleetJob({ ...options, job, splits: [] }).over;
}

class FleetJob {
  readonly over: Promise<void>;
  readonly #options: Asked;
  readonly #drive: Drive<ClientInput, ClientEffect>;
  readonly #link: Uplink;
  readonly #end = Promise.withResolvers<void>();
  readonly #bytes: number;
  #attached: MrAttached | undefined;
  readonly #peers: PeerSockets;
  /** Files that are open: splits' by path, outputs by number. */
  readonly #inputs = new Map<string, number>();
  readonly #outputs = new Map<number, number>();

  constructor(options: Asked) {
    this.#options = options;
    this.#bytes = options.splits.reduce((sum, { from, to }) => sum + to - from, 0);
    const { params, signal } = options;
    const servers = serversOf(options);
    const ring = new ServerRing(servers, freshRandom());
    this.#drive = new Drive(new ClientCore(options.job, ring), (effect) => this.#do(effect));
    this.#link = new Uplink(
      { ...targetOf(servers[0]!, ring.isCluster, params), appVersion: MESSAGES_VERSION },
      {
        onConnected: () => this.#drive.tell({ kind: "connected" }),
        onPayload: (payload) => this.#drive.tell({ kind: "payload", payload }),
        onGone: (reason) => this.#drive.tell({ kind: "gone", reason }),
      },
    );
    this.#peers = new PeerSockets((input) => this.#drive.tell(input));
    const cancel = (): void => this.#drive.tell({ kind: "cancel" });
    signal?.addEventListener("abort", cancel, { once: true });
    this.over = this.#end.promise.finally(async () => {
      signal?.removeEventListener("abort", cancel);
      this.#drive.stop();
      for (const fd of [...this.#inputs.values(), ...this.#outputs.values()]) closeSync(fd);
      this.#removeShared();
      await Promise.all([this.#link.close(), this.#peers.close()]);
    });
    if (signal?.aborted) cancel();
    else void this.#begin();
  }

  /** Removes what miners that were lost left in the shared directory. */
  #removeShared(): void {
    const { share, job } = this.#options;
    const stays = job.detach === true || job.terms.keep;
    if (share === undefined || this.#attached === undefined || stays) return;
    rmSync(share.jobDirectory(this.#attached.id), { recursive: true, force: true });
  }

  async #begin(): Promise<void> {
    const { peerHost, log } = this.#options;
    try {
      if (peerHost !== undefined) await this.#peers.listen(peerHost);
    } catch (error) {
      log(`the input goes through the server: ${(error as Error).message}`);
    }
    if (!this.#drive.isStopped) this.#link.dial();
  }

  #do(effect: ClientEffect): void {
    if (isOfPeerSockets(effect)) return this.#peers.carryOut(effect);
    switch (effect.kind) {
      case "write":
        return this.#link.write(effect.payload);
      case "read":
        return this.#read(effect);
      case "put":
        return this.#attempt(() => {
          const { reduce, offset, bytes } = effect;
          writeAll(this.#output(reduce), bytes, offset);
        });
      case "attached":
        this.#attached = effect.attached;
        return this.#options.onAttached?.(effect.attached);
      case "redial":
        return this.#link.dial(targetOf(effect.server, effect.isCluster, this.#options.params));
      case "adopt":
        return this.#attempt(() => this.#adopt(effect));
      case "verify":
        return this.#attempt(() => this.#verify(effect));
      case "status":
        return this.#tellStatus(effect.status);
      case "note":
        return this.#options.log(effect.text);
      case "done":
        return this.#end.resolve();
      case "failed":
        return this.#end.reject(new Failure(effect.reason));
    }
  }

  /** Does something with files; if that cannot be done, the job is over. */
  #attempt(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#drive.tell({ kind: "cancel" });
      const why = error instanceof Failure ? error : new Failure((error as Error).message);
      this.#end.reject(why);
    }
  }

  #read({ id, split, offset, length, room }: Extract<ClientEffect, { kind: "read" }>): void {
    this.#attempt(() => {
      const { file, from } = this.#options.splits[split]!;
      const fd = this.#input(file.path);
      const bytes = readPiece(fd, from + offset, length, room);
      if (offset === 0 || bytes.length < room + length) checkUnchanged(file);
      this.#drive.tell({ kind: "read", id, bytes });
    });
  }

  #input(path: string): number {
    const known = this.#inputs.get(path);
    if (known !== undefined) return known;
    // Few are read at a time: each worker reads one.
    const [oldest] = this.#inputs;
    if (this.#inputs.size >= INPUTS_MAX && oldest !== undefined) {
      this.#inputs.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    const fd = openSync(path, "r");
    this.#inputs.set(path, fd);
    return fd;
  }

  #output(reduce: number): number {
    const known = this.#outputs.get(reduce);
    if (known !== undefined) return known;
    const fd = openSync(this.#options.outputPath!(reduce), "w+");
    this.#outputs.set(reduce, fd);
    return fd;
  }

  /** Takes over an output that a worker wrote where it can be seen. */
  #adopt({ reduce, bytes, hash }: Extract<ClientEffect, { kind: "adopt" }>): void {
    const { out, outputPath } = this.#options;
    const path = join(out!, sharedOutputName(reduce, hash));
    const isThere = statSync(path, { throwIfNoEntry: false })?.size === bytes;
    if (!isThere || hashOfPart(path, 0, bytes) !== hash) {
      return this.#drive.tell({ kind: "absent", reduce });
    }
    renameSync(path, outputPath!(reduce));
    this.#drive.tell({ kind: "verified", reduce, good: true });
  }

  #verify({ reduce, bytes, hash }: Extract<ClientEffect, { kind: "verify" }>): void {
    const fd = this.#output(reduce);
    const path = this.#options.outputPath!(reduce);
    const good = hashOfPart(path, 0, bytes) === hash;
    if (good) truncateSync(path, bytes);
    closeSync(fd);
    this.#outputs.delete(reduce);
    this.#drive.tell({ kind: "verified", reduce, good });
  }

  #tellStatus(status: Extract<ClientEffect, { kind: "status" }>["status"]): void {
    const { mapsDone, reducesDone, bytesDone, failures } = status;
    this.#options.onProgress({
      maps: this.#attached?.maps ?? 0,
      mapsDone,
      reduces: this.#attached?.reducers ?? 0,
      reducesDone,
      bytes: this.#bytes,
      bytesDone,
      failures,
    });
  }
}

/** Input files that are open at a time. */
const INPUTS_MAX = 64;

/** Of a job that is there the terms are not this client's. */
const NO_TERMS: JobTerms = {
  application: "",
  reducers: 0,
  skipBad: false,
  asRecords: false,
  sortMib: 0,
  timeoutMs: 0,
  memoryMib: 0,
  share: "",
  out: "",
  keep: false,
};

function jobOf({ chosen, splits, reducers, ...options }: FleetOptions): ClientJob {
  const { choice } = chosen;
  const { share, out } = options;
  const code = chosen.code === undefined ? undefined : new TextEncoder().encode(chosen.code);
  const hash = code === undefined ? "" : new Bun.CryptoHasher("sha256").update(code).digest("hex");
  return {
    terms: {
      application: "builtin" in choice ? choice.builtin : codeName(hash),
      reducers,
      skipBad: options.skipBad,
      asRecords: options.asRecords,
      sortMib: Math.round(options.sortBytes / MIB),
      timeoutMs: options.timeoutMs ?? TASK_TIMEOUT_MS,
      memoryMib: Math.round((options.memoryBytes ?? TASK_BYTES) / MIB),
      share: share?.id ?? "",
      out: out === undefined ? "" : (share?.pathOf(out) ?? ""),
      keep: options.keep ?? false,
    },
    detach: options.detach ?? false,
    key: Buffer.from(crypto.getRandomValues(new Uint8Array(SHARE_BYTES))).toString("hex"),
    splits: splits.map(({ file, from, to, firstLine }) => {
      const about = { name: file.path, firstLine, bytes: to - from };
      const path = share?.pathOf(file.path) ?? "";
      if (path === "") return about;
      const modifiedMs = Math.round(file.modifiedMs);
      return { ...about, shared: { path, from, fileBytes: file.bytes, modifiedMs } };
    }),
    ...(code !== undefined && { code }),
  };
}
