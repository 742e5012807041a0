/**
 * Mistakes put into the store on purpose, to prove that the simulator sees them. None is known to
 * the cores.
 *
 * @module
 */
import { placesIn } from "../../base/byte_fields.ts";
import type { Millis } from "../../base/machine.ts";
import { ChangeLog } from "../../kv/change_log.ts";
import { Keeper } from "../../kv/keeper.ts";
import { Store } from "../../kv/store.ts";
import { GroupState } from "../../raft/group_state.ts";
import type { SessionAnswer } from "../../raft/mod.ts";
import { type NodePlant, nodePlantOf } from "../raft/plants.ts";

/** Mistakes, and what each breaks. */
export const KV_PLANTS = {
  "kv-stale-read": "a deposed leader answers reads",
  "kv-lost-sessions": "a snapshot leaves the sessions out",
  "kv-early-answer": "a write is answered before it is applied",
  "kv-double-apply": "a write that is sent again is done again",
  "kv-watch-gap": "a watch skips what came by a snapshot",
  "kv-lasting-lease": "a lease lives on for much more than its time when the leader changes",
} as const;

export type KvPlant = keyof typeof KV_PLANTS;

/** What the nodes of a run are made of. */
export interface KvParts {
  readonly raft: NodePlant;
  readonly createStore: () => Store;
  /** The same store behind sessions. */
  readonly createState: (store: Store) => GroupState;
  readonly createKeeper: (store: Store) => Keeper;
  readonly answersEarly: boolean;
}

/** The parts, one of them wrong if a mistake is planted. */
export function kvParts(plant: KvPlant | undefined): KvParts {
  return {
    raft: nodePlantOf(plant === "kv-stale-read" ? "raft-stale-read" : undefined),
    createStore: () => (plant === "kv-watch-gap" ? new GappyStore() : new Store()),
    createState: (store) => {
      if (plant === "kv-lost-sessions") return new ForgetfulState(store);
      return plant === "kv-double-apply" ? new EagerState(store) : new GroupState(store);
    },
    createKeeper: (store) => {
      return plant === "kv-lasting-lease" ? new LastingKeeper(store) : new Keeper(store);
    },
    answersEarly: plant === "kv-early-answer",
  };
}

/** Its snapshots have no sessions. */
class ForgetfulState extends GroupState {
  readonly #store: Store;

  constructor(store: Store) {
    super(store);
    this.#store = store;
  }

  override snapshot(): Uint8Array {
    return new GroupState(this.#store).snapshot();
  }
}

/** Kind, session, number of a request or a run, and how many before it. */
const HEAD_BYTES = 15;

/** Does again what is sent again. */
class EagerState extends GroupState {
  readonly #store: Store;

  constructor(store: Store) {
    super(store);
    this.#store = store;
  }

  override apply(command: Uint8Array, index: number): SessionAnswer {
    const answer = super.apply(command, index);
    const isRepeated = answer.kind === "done" && answer.isRepeated;
    if (isRepeated) this.#store.apply(command.subarray(HEAD_BYTES), index);
    const repeated = answer.kind === "ran" ? answer.repeated : 0;
    const places = repeated > 0 ? placesIn(command, HEAD_BYTES)! : [];
    for (let at = 0; at < 2 * repeated; at += 2) {
      this.#store.applyPart(command, places[at]!, places[at + 1]!, index);
    }
    return answer;
  }
}

/** Pretends to know what came by a snapshot. */
class GappyLog extends ChangeLog {
  #revision = 0;

  override restart(revision: number): void {
    while (this.#revision < revision) {
      const gap = { key: "\0", value: undefined, version: 0 };
      this.push({ revision: this.#revision + 1, ...gap });
    }
  }

  override push(event: Parameters<ChangeLog["push"]>[0]): void {
    this.#revision = event.revision;
    super.push(event);
  }
}

class GappyStore extends Store {
  override readonly changes: ChangeLog = new GappyLog();
}

/** A new leader gives leases many times their time. */
class LastingKeeper extends Keeper {
  override start(nowMs: Millis): void {
    super.start(nowMs);
    for (const lease of this.leases) super.renew(lease, nowMs + 60_000);
  }
}
