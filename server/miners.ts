/**
 * Those who work: miners that come and go, what they say of themselves, and who is not trusted.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { oneLine } from "../base/text.ts";
import type { Wire } from "../lsp/mod.ts";
import type { Fleet } from "../work/fleet.ts";
import type { Hashing, Join } from "../work/messages.ts";
import { Worker } from "../work/roster.ts";
import type { Task } from "../work/task.ts";
import { called, described } from "./called.ts";
import type { ServerLimits } from "./limits.ts";
import type { Topic } from "./log_limiter.ts";
import type { Outlet } from "./outlet.ts";
import type { Share, Shares } from "./shares.ts";

/** A miner of the fleet, classic ones included. */
type Miner = Worker<Task>;

/** See the module. */
export class Miners {
  readonly #limits: ServerLimits;
  readonly #fleet: Fleet;
  readonly #shares: Shares;
  readonly #outlet: Outlet;
  readonly #left: (connId: number, why: string) => void;

  /** `left`: a miner is gone; the fleet does not know yet. */
  constructor(
    limits: ServerLimits,
    fleet: Fleet,
    shares: Shares,
    outlet: Outlet,
    left: (connId: number, why: string) => void,
  ) {
    this.#limits = limits;
    this.#fleet = fleet;
    this.#shares = shares;
    this.#outlet = outlet;
    this.#left = left;
  }

  /** Takes a miner in, if there is room. */
  join(connId: number, wire: Wire, join: Omit<Join, "kind">, nowMs: Millis): void {
    const address = this.#outlet.addressOf(connId);
    const share = this.#shares.of(connId, address);
    const reason = this.#whyFull(share);
    if (reason !== undefined) {
      if (wire === "cbor") this.#outlet.write(connId, { kind: "refused", job: 0, reason });
      this.#outlet.tell("warn", `miner ${connId} refused: ${reason}`, "stranger");
      return this.#outlet.close(connId);
    }
    const [label, name] = [oneLine(join.label), oneLine(join.name)];
    const { threads, rate } = join;
    const steerable = wire === "cbor";
    const miner: Miner = new Worker({ connId, steerable, threads, label, name, rate }, nowMs);
    this.#shares.enter(connId, share, "miners");
    const from = address === undefined ? "" : ` from ${address}`;
    this.#outlet.tell("info", `${called(miner)} joined${from}: ${described({ ...join, label })}`);
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
    this.#outlet.tell("info", `${called(miner)} hashes with ${does}: ${oneLine(reason)}`);
  }

  /** Counts what was not believed, and parts with miners that were at fault too often. */
  judge(reason: string | undefined, nowMs: Millis): void {
    if (reason !== undefined) this.#outlet.reject(reason);
    const { roster, doubts } = this.#fleet;
    const { maxStrikes } = this.#limits;
    for (let next = doubts.strikes.shift(); next !== undefined; next = doubts.strikes.shift()) {
      const { worker: miner, reason: fault, count } = next;
      const { connId } = miner;
      if (!roster.workers.has(connId)) continue;
      const strike = `strike ${count} of ${maxStrikes}`;
      this.#outlet.tell("warn", `${called(miner)}: ${fault} (${strike})`, "standing");
      if (count < maxStrikes) continue;
      this.dismiss(miner, `not trusted any more: ${fault}`, nowMs);
    }
  }

  /** Parts with a miner, and says why; the json wire has no words for it but to hang up. */
  dismiss(miner: Miner, reason: string, nowMs: Millis): void {
    const { connId, steerable } = miner;
    if (steerable) this.#outlet.write(connId, { kind: "refused", job: 0, reason });
    this.part(miner, reason, nowMs, "standing");
    this.#outlet.close(connId);
  }

  /** The miner is gone, or is to be. */
  part(miner: Miner, why: string, nowMs: Millis, topic: Topic = "usual"): void {
    this.#outlet.tell("info", `${called(miner)} left: ${why}`, topic);
    this.#shares.leave(miner.connId);
    this.#left(miner.connId, why);
    this.#fleet.leave(miner, nowMs);
  }
}
