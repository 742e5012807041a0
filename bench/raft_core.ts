/**
 * What Raft's core costs alone: three nodes in one thread, messages handed over in memory, disks
 * that are done at once: `bun run bench/raft_core.ts`. Prints entries committed and applied on all
 * three a second, with one proposal at a time and with batches; on a busy machine the second
 * figure, by the processor's time, says more.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import { seededRandom } from "../base/random.ts";
import {
  type Config,
  type Message,
  type NodeId,
  RaftCore,
  type RaftEffect,
  raftParams,
} from "../raft/mod.ts";
import { median } from "./median.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

/** Bytes of a command. */
const COMMAND_BYTES = 128;
const ENTRIES = 200_000;
const ROUNDS = 7;
/** Entries between two snapshots, so that the log does not grow without end. */
const SNAPSHOT_EVERY = 10_000;

interface Delivery {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

/** Three cores and nothing else. */
class Trio {
  readonly #cores: RaftCore[];
  readonly #deliveries = new Queue<Delivery>();
  #nowMs = 0;
  #ids = 0;
  readonly #applied: [number, number, number, number] = [0, 0, 0, 0];

  constructor() {
    const config: Config = { voters: [1, 2, 3], outgoing: [], learners: [] };
    const snapshot = { index: 0, term: 0, config, size: 0 };
    const hard = { term: 0, vote: 0 };
    const persisted = { hard, snapshot, base: { index: 0, term: 0 }, entries: [] };
    const params = raftParams({ trailingEntries: 100 });
    this.#cores = [1, 2, 3].map((id) => {
      return new RaftCore({ id, params, persisted, random: seededRandom(id), nowMs: 0 });
    });
    while (this.#leader === undefined) {
      this.#nowMs += 10;
      for (const core of this.#cores) {
        core.handle({ kind: "wake" }, this.#nowMs);
        this.#drain(core);
      }
      this.#deliver();
    }
  }

  get #leader(): RaftCore | undefined {
    return this.#cores.find(({ node }) => node.role === "leader");
  }

  /** Proposes `commands` and runs until nothing more happens. */
  propose(commands: readonly Uint8Array[]): void {
    const leader = this.#leader!;
    leader.handle({ kind: "propose", id: ++this.#ids, commands }, this.#nowMs);
    this.#drain(leader);
    this.#deliver();
  }

  /** Lets followers hear of the last commit, which no command has taken along. */
  settle(): void {
    const leader = this.#leader!;
    this.#nowMs += leader.node.params.commitDelayMs;
    leader.handle({ kind: "wake" }, this.#nowMs);
    this.#drain(leader);
    this.#deliver();
  }

  /** How far all three have applied. */
  get applied(): number {
    return Math.min(this.#applied[1], this.#applied[2], this.#applied[3]);
  }

  #deliver(): void {
    for (let next = this.#deliveries.shift(); next; next = this.#deliveries.shift()) {
      const core = this.#cores[next.to - 1]!;
      core.handle({ kind: "message", from: next.from, message: next.message }, this.#nowMs);
      this.#drain(core);
    }
  }

  #drain(core: RaftCore): void {
    for (let effect = core.poll(); effect; effect = core.poll()) this.#carryOut(core, effect);
  }

  #carryOut(core: RaftCore, effect: RaftEffect): void {
    const { id, snapshot } = core.node;
    if (effect.kind === "send") {
      this.#deliveries.push({ from: id, to: effect.to, message: effect.message });
    } else if (effect.kind === "store") {
      core.handle({ kind: "stored", token: effect.token }, this.#nowMs);
    } else if (effect.kind === "apply") {
      const { index } = effect.entries.at(-1)!;
      this.#applied[id as 1 | 2 | 3] = index;
      core.handle({ kind: "applied", index }, this.#nowMs);
      if (index - snapshot.index >= SNAPSHOT_EVERY) {
        core.handle({ kind: "snapshotTaken", index, size: 0 }, this.#nowMs);
      }
    }
  }
}

/** Entries a second with `batch` commands a proposal: by the clock, and by the processor's time. */
function rate(batch: number): { clock: number; processor: number } {
  const trio = new Trio();
  const commands = Array.from({ length: batch }, () => new Uint8Array(COMMAND_BYTES));
  trio.settle();
  const start = trio.applied;
  const startedMs = performance.now();
  const startedAt = process.cpuUsage();
  for (let done = 0; done < ENTRIES; done += batch) trio.propose(commands);
  trio.settle();
  const seconds = (performance.now() - startedMs) / 1000;
  const { user, system } = process.cpuUsage(startedAt);
  const applied = trio.applied - start;
  if (applied < ENTRIES) throw new Error(`only ${applied} of ${ENTRIES} entries were applied`);
  return { clock: applied / seconds, processor: applied / ((user + system) / 1e6) };
}

for (const batch of [1, 64]) {
  rate(batch);
  const rates = Array.from({ length: ROUNDS }, () => rate(batch));
  const clock = rates.map((one) => one.clock);
  const middle = median(rates.map((one) => one.processor));
  const values = [median(clock), Math.min(...clock), Math.max(...clock), middle];
  const [half, low, high, processor] = values.map((value) =>
    Math.round(value).toLocaleString("en"),
  );
  console.log(
    `batches of ${batch}: ${half} entries/s (${low} to ${high}), ` +
      `${processor} a second of the processor's time`,
  );
}
