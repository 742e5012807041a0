/**
 * Those who work: miners that come and go, what they say of themselves, and who is not trusted.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { oneLine } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type { Hashing, Join, Message } from "../work/messages.ts";
import { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { called, described } from "./called.ts";
import type { ServerLimits } from "./limits.ts";
import type { Topic } from "./log_limiter.ts";
import type { Share, Shares } from "./shares.ts";

/** A native or classic miner of the fleet. */
type Miner = Worker<Task>;

/** What the miners' desk needs of the core. */
export interface MinerDesk {
  write(connId: number, message: Message): void;
  /** Hangs up. */
  close(connId: number): void;
  tell(level: "info" | "warn", text: string, topic?: Topic): void;
  /** Where a connection comes from, as `HOST:PORT`, as far as that is known. */
  addressOf(connId: number): string | undefined;
  /** Counts a message that makes no sense. */
  reject(reason: string): void;
  /** The miner is gone; the fleet does not know yet. */
  left(connId: number, why: string): void;
}

/** See the module. */
export class Miners {
  readonly #limits: ServerLimits;
  readonly #fleet: Fleet;
  readonly #shares: Shares;
  readonly #desk: MinerDesk;

  constructor(limits: ServerLimits, fleet: Fleet, shares: Shares, desk: MinerDesk) {
    this.#limits = limits;
    this.#fleet = fleet;
    this.#shares = shares;
    this.#desk = desk;
  }

  /** Takes a miner in, if there is room. */
  join(connId: number, wire: Wire, join: Omit<Join, "kind">, nowMs: Millis): void {
    const address = this.#desk.addressOf(connId);
    const share = this.#shares.of(connId, address);
    const reason = this.#whyFull(share);
    if (reason !== undefined) {
      if (wire === "cbor") this.#desk.write(connId, { kind: "refused", job: 0, reason });
      this.#desk.tell("warn", `miner ${connId} refused: ${reason}`, "stranger");
      return this.#desk.close(connId);
    }
    const [label, name] = [oneLine(join.label), oneLine(join.name)];
    const { threads, rate } = join;
    const steerable = wire === "cbor";
    const miner: Miner = new Worker({ connId, steerable, threads, label, name, rate }, nowMs);
    this.#shares.enter(connId, share, "miners");
    const from = address === undefined ? "" : ` from ${address}`;
    this.#desk.tell("info", `${called(miner)} joined${from}: ${described({ ...join, label })}`);
    this.#fleet.join(miner, nowMs);
  }

  #whyFull(share: Share): string | undefined {
    const { maxMiners, maxMinersPerAddress } = this.#limits;
    if (this.#fleet.roster.workers.size >= maxMiners) {
      return `the server has reached its limit of ${maxMiners} miners`;
    }
    if (share.miners < maxMinersPerAddress) return undefined;
    return `this address has reached its limit of ${maxMinersPerAddress} miners`;
  }

  /** A miner has measured its kernels, or lost a thread. */
  learn(miner: Miner, { threads, rate, label, reason }: Hashing): void {
    miner.threads = threads;
    miner.label = oneLine(label);
    miner.declared = rate;
    miner.believe(this.#limits);
    this.#fleet.roster.refresh(miner);
    const does = described({ threads, rate, label: miner.label });
    this.#desk.tell("info", `${called(miner)} hashes with ${does}: ${oneLine(reason)}`);
  }

  /** Counts what was not believed, and parts with miners that were at fault too often. */
  judge(reason: string | undefined, nowMs: Millis): void {
    if (reason !== undefined) this.#desk.reject(reason);
    const { roster, doubts } = this.#fleet;
    const { maxStrikes } = this.#limits;
    for (let next = doubts.strikes.shift(); next !== undefined; next = doubts.strikes.shift()) {
      const { worker: miner, reason: fault, count } = next;
      const { connId } = miner;
      if (!roster.workers.has(connId)) continue;
      const strike = `strike ${count} of ${maxStrikes}`;
      this.#desk.tell("warn", `${called(miner)}: ${fault} (${strike})`, "standing");
      if (count < maxStrikes) continue;
      this.dismiss(miner, `not trusted any more: ${fault}`, nowMs);
    }
  }

  /** Parts with a miner, and says why; the classic wire has no words for it but to hang up. */
  dismiss(miner: Miner, reason: string, nowMs: Millis): void {
    const { connId, steerable } = miner;
    if (steerable) this.#desk.write(connId, { kind: "refused", job: 0, reason });
    this.part(miner, reason, nowMs, "standing");
    this.#desk.close(connId);
  }

  /** The miner is gone, or is to be. */
  part(miner: Miner, why: string, nowMs: Millis, topic: Topic = "usual"): void {
    this.#desk.tell("info", `${called(miner)} left: ${why}`, topic);
    this.#shares.leave(miner.connId);
    this.#desk.left(miner.connId, why);
    this.#fleet.leave(miner, nowMs);
  }
}
