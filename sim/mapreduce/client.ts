/**
 * A simulated client: the real core, with splits and outputs in memory.
 *
 * @module
 */
import { sha256 } from "../../base/sha256.ts";
import { ClientCore, type ClientEffect, type ClientInput } from "../../mapreduce/client_core.ts";
import { Computer } from "../engine/computer.ts";
import type { Line } from "../engine/lines.ts";
import type { Loop } from "../engine/loop.ts";
import { Process } from "../engine/process.ts";
import { splitName } from "./answer.ts";
import type { PeerInput } from "../../mapreduce/peer_types.ts";
import { withRoom } from "../../mapreduce/piece_frame.ts";
import type { PeerNet } from "./peer_net.ts";
import type { ClientPlan } from "./plan.ts";

/** How a client's job came to its end. */
export type JobEnd = "done" | { readonly failed: string };

/** What the shared directory is called. */
const SHARE = "5a".repeat(32);
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** See the module. */
export class ClientMachine {
  readonly plan: ClientPlan;
  end: JobEnd | undefined;
  /** The number of its connection. */
  connection = 0;
  /** Called when it wants a new connection. */
  onRedial: () => void = () => {};
  /** Called when it says that its job is done. */
  onDone: () => void = () => {};
  readonly #process: Process<ClientInput, ClientEffect>;
  readonly #net: PeerNet;
  readonly #splits: readonly Uint8Array[];
  readonly #outputs = new Map<number, Uint8Array>();
  #line: Line | undefined;

  constructor(plan: ClientPlan, loop: Loop, net: PeerNet) {
    this.plan = plan;
    this.#net = net;
    this.#splits = plan.splits.map((text) => encoder.encode(text));
    const { application, reducers } = plan;
    const core = new ClientCore({
      terms: {
        application,
        reducers,
        skipBad: false,
        asRecords: false,
        sortMib: 1,
        timeoutMs: 600_000,
        memoryMib: 100,
        share: plan.isShared ? SHARE : "",
        out: "",
        keep: false,
      },
      key: sha256(encoder.encode(plan.name)).toHex(),
      splits: this.#splits.map((bytes, i) => {
        const about = { name: splitName(plan.name, i), firstLine: 1, bytes: bytes.length };
        if (!plan.isShared) return about;
        const shared = { path: `${plan.name}/${i}`, from: 0, fileBytes: bytes.length };
        return { ...about, shared: { ...shared, modifiedMs: 0 } };
      }),
    });
    this.#process = new Process({
      computer: new Computer({ name: plan.name, loop }),
      core,
      carryOut: (effect) => this.#do(effect),
    });
  }

  /** The outputs that it has, in order. */
  get outputs(): string[] {
    const { reducers } = this.plan;
    return Array.from({ length: reducers }, (_, r) => decoder.decode(this.#outputs.get(r)));
  }

  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  connect(line: Line): void {
    this.#line = line;
    this.#process.tell({ kind: "listening", port: this.plan.port });
    this.#process.tell({ kind: "connected" });
  }

  payload(payload: Uint8Array): void {
    this.#process.tell({ kind: "payload", payload });
  }

  gone(): void {
    if (this.end !== undefined) return;
    this.#line = undefined;
    this.#process.tell({ kind: "gone", reason: "the connection was lost" });
  }

  /** Its connection breaks: it notices at once, and the server later. */
  breakLink(): void {
    if (this.end !== undefined || this.#line === undefined) return;
    this.#line.drop();
    this.gone();
  }

  /** Something from peer to peer. */
  peer(input: PeerInput): void {
    this.#process.tell(input);
  }

  /** The bytes of a split. */
  split(index: number): Uint8Array {
    return this.#splits[index]!;
  }

  /** Gives up, or is gone without a word. */
  leave(): void {
    if (this.end !== undefined) return;
    if (this.plan.cancels) this.#process.tell({ kind: "cancel" });
    else this.#line?.drop();
    this.#net.crash(this);
    this.#process.crash();
  }

  #do(effect: ClientEffect): void {
    switch (effect.kind) {
      case "dial":
      case "peer-write":
      case "hang-up":
      case "answer":
        return this.#net.carryOut(this, effect);
      case "redial":
        return this.onRedial();
      case "attached":
        return;
      case "adopt":
        return this.#process.tell({ kind: "absent", reduce: effect.reduce });
      case "write":
        return this.#line?.say(effect.payload);
      case "read": {
        const { id, split, offset, length, room } = effect;
        const bytes = withRoom(this.#splits[split]!.subarray(offset, offset + length), room);
        return this.#process.tell({ kind: "read", id, bytes });
      }
      case "put": {
        const { reduce, offset, bytes } = effect;
        const known = this.#outputs.get(reduce) ?? new Uint8Array();
        const larger = new Uint8Array(Math.max(known.length, offset + bytes.length));
        larger.set(known);
        larger.set(bytes, offset);
        this.#outputs.set(reduce, larger);
        return;
      }
      case "verify": {
        const { reduce, bytes, hash } = effect;
        const output = (this.#outputs.get(reduce) ?? new Uint8Array()).slice(0, bytes);
        this.#outputs.set(reduce, output);
        const good = output.length === bytes && sha256(output).toHex() === hash;
        return this.#process.tell({ kind: "verified", reduce, good });
      }
      case "done":
        this.end = "done";
        this.onDone();
        this.#net.crash(this);
        return this.#line?.hangUp();
      case "failed":
        this.end = { failed: effect.reason };
        this.#net.crash(this);
        return this.#line?.hangUp();
      case "status":
      case "note":
        return;
    }
  }
}
