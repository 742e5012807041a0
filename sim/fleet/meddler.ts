/**
 * A stranger who connects and says what it should not: what belongs to others, what nobody asked
 * for, what it has overheard from another connection, and what nobody can read. Nothing of that may
 * change anything for anybody else.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { LspNotice, Wire } from "../../lsp/mod.ts";
import { encodeClassicMessage } from "../../work/classic.ts";
import { UINT64_MAX } from "../../work/hash.ts";
import type { Message } from "../../work/messages.ts";
import { encodeMessage } from "../../work/wire.ts";
import type { Dice } from "../engine/dice.ts";
import { PLAIN } from "../engine/computer.ts";
import type { Host, Program } from "../lsp/host.ts";
import type { FleetWorld } from "./world.ts";

/** Where a meddler is, and when. */
export interface MeddlerPlan {
  readonly wire: "native" | "classic";
  /**
   * Whether it joins, or else repeats what it has overheard. Both together could be a claim about
   * its own chunk that nobody can refute.
   */
  readonly joins: boolean;
  /** Mean time between two of its messages. */
  readonly paceMs: Millis;
}

/** It comes again so soon after it was hung up on. */
const RETRY_MS = 200;
const NUMBER_MAX = 6;
/** No simulated hash is so large. */
const NO_HASH = UINT64_MAX;

/** See the module. */
export class Meddler implements Program {
  host: Host;
  readonly #world: FleetWorld;
  readonly #name: string;
  readonly #plan: MeddlerPlan;
  readonly #dice: Dice;
  #connId: number | undefined;
  #dials = 0;
  #isOver = false;

  constructor(world: FleetWorld, name: string, plan: MeddlerPlan, dice: Dice) {
    this.#world = world;
    this.#name = name;
    this.#plan = plan;
    this.#dice = dice;
    world.addMeddler(name);
    this.host = this.#dial();
    this.#planNext();
  }

  /** It has said enough. */
  stop(): void {
    this.#isOver = true;
    this.host.kill();
  }

  onNotice(notice: LspNotice): void {
    if (notice.kind === "connected") this.#connId = notice.connId;
    else if (notice.kind === "refused") this.#redial();
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent({ kind }: { readonly kind: string }): void {
    if (kind !== "data") this.#redial();
  }

  #dial(): Host {
    const computer = this.#world.computer(this.#name, PLAIN);
    return this.#world.dial(`${this.#name}/${++this.#dials}`, this.#plan.wire, computer, this);
  }

  #redial(): void {
    this.#connId = undefined;
    this.host.kill();
    this.#world.loop.after(RETRY_MS, () => {
      if (!this.#isOver) this.host = this.#dial();
    });
  }

  #planNext(): void {
    this.#world.loop.after(this.#dice.real(0, 2 * this.#plan.paceMs), () => {
      if (this.#isOver) return;
      this.#speak(this.#plan.wire === "native" ? this.#native() : this.#classic());
      this.#planNext();
    });
  }

  #speak(payload: Uint8Array): void {
    const connId = this.#connId;
    if (connId === undefined) return;
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, payload, nowMs);
      } catch {
        // Too much waits already, or the connection is over and that is not read yet.
      }
    });
  }

  #native(): Uint8Array {
    const overheard = this.#overheard("cbor");
    if (overheard !== undefined && this.#dice.chance(0.4)) return overheard;
    if (this.#dice.chance(0.1)) return this.#noise();
    return encodeMessage(this.#madeUp());
  }

  #madeUp(): Message {
    const chunk = this.#dice.integer(1, NUMBER_MAX);
    const job = this.#dice.integer(1, NUMBER_MAX);
    const nonce = BigInt(this.#dice.integer(0, 1_000_000));
    const best = { hash: NO_HASH, nonce };
    const all: Message[] = [
      { kind: "result", chunk, best },
      { kind: "progress", chunk, next: nonce, best },
      { kind: "stopped", chunk, next: nonce, best },
      { kind: "shrunk", chunk, upper: nonce },
      { kind: "cancel", job },
      { kind: "answer", job, best, met: true },
      { kind: "refused", job, reason: "the stranger says so" },
      { kind: "stop", chunk },
      { kind: "hashing", threads: 1, rate: 1e15, label: "none", reason: "made up" },
      { kind: "submit", job, session: nonce, work: { subject: "", lower: 2n, upper: 1n } },
    ];
    if (this.#plan.joins && this.#dice.chance(0.2)) {
      return { kind: "join", threads: 64, rate: 1e15, label: "the stranger", name: "made up" };
    }
    return all[this.#dice.integer(0, all.length - 1)]!;
  }

  #classic(): Uint8Array {
    const overheard = this.#overheard("json");
    if (overheard !== undefined && this.#dice.chance(0.5)) return overheard;
    if (this.#dice.chance(0.2)) return this.#noise();
    const nothing = { data: "", lower: 0n, upper: 0n, hash: NO_HASH, nonce: 0n };
    const nonce = BigInt(this.#dice.integer(0, 1_000_000));
    const type = this.#plan.joins && this.#dice.chance(0.5) ? 0 : 2;
    return encodeClassicMessage({ ...nothing, type, nonce });
  }

  #overheard(wire: Wire): Uint8Array | undefined {
    if (this.#plan.joins) return undefined;
    const all = this.#world.overheard.filter((each) => each.wire === wire);
    return all.length === 0 ? undefined : all[this.#dice.integer(0, all.length - 1)]!.payload;
  }

  #noise(): Uint8Array {
    const length = this.#dice.integer(0, 40);
    return Uint8Array.from({ length }, () => this.#dice.integer(0, 255));
  }
}
