/**
 * One life of the server: its core, and the node that keeps its table on a simulated disk.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { plainCommand, raftParams, ReplicaCore } from "../../raft/mod.ts";

import { isDiskEffect, type ReplicaEffect, type ReplicaInput } from "../../raft/replica_types.ts";
import type { Disk } from "../../run/disk_open.ts";
import { ServerCore } from "../../server/core.ts";
import { decodeCommand, encodeCommand, type Operation } from "../../server/operations.ts";
import { TableMachine } from "../../server/table_machine.ts";
import type { ServerEffect, ServerInput } from "../../server/types.ts";
import { Process } from "../engine/process.ts";
import { cheapHash, messageOf } from "../fleet/cheap_hash.ts";
import type { CoordinatorWorld } from "./world.ts";

/** The number of a question that is no proposal. */
const READ = 2 ** 40;
const ADDRESS = "server:1";
/** So much more than was reported a planted fault journals. */
const FAULTY_NONCES = 50_000_000n;
/** A planted fault has a command count so long before it is proposed. */
const EARLY_MS = 300;

/** Snapshots as they should be, or without the answers. */
class WatchedMachine extends TableMachine {
  losesAnswers = false;

  override snapshot(): Uint8Array {
    if (!this.losesAnswers) return super.snapshot();
    const copy = new TableMachine();
    copy.restore(super.snapshot());
    const names = [...copy.table.sessions].flatMap(([session, { answers }]) =>
      [...answers.keys()].map((number) => ({ session, number })),
    );
    for (const name of names) copy.table.forget(name);
    return copy.snapshot();
  }
}

/** See the module. */
export class ServerLife {
  readonly core: ServerCore;
  readonly machine: WatchedMachine = new WatchedMachine();
  readonly #world: CoordinatorWorld;
  readonly #server: Process<ServerInput, ServerEffect>;
  readonly #replica: Process<ReplicaInput, ReplicaEffect>;
  readonly #disk: Disk;
  leads = false;

  constructor(world: CoordinatorWorld, life: number) {
    this.#world = world;
    const { computer, plan, seed } = world;
    const { disk, state } = world.disk.open({ kind: "server", id: "node 1" });
    this.#disk = disk;
    this.machine.losesAnswers = world.plant === "no-answers";
    this.core = new ServerCore({
      table: this.machine,
      hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
      onAccept: ({ subject, lower, upper }) =>
        world.oracle.accepted(messageOf(subject), lower, upper),
    });
    this.#server = new Process({
      computer,
      core: this.core,
      carryOut: (effect) => this.#carryOut(effect),
    });
    const random = seededRandom(seed, 1000 + life);
    const name = (): string => random().toString(16).padStart(16, "0");
    const core = new ReplicaCore({
      node: 1,
      group: "server",
      address: ADDRESS,
      members: new Map([[1, ADDRESS]]),
      machine: this.machine,
      params: raftParams(),
      snapshotBytes: plan.snapshotBytes,
      sessionIdleMs: 0,
      stored: state,
      fresh: { disk: name(), cluster: name() },
      random,
      nowMs: computer.nowMs(),
      queuedBytes: () => 0,
    });
    this.#replica = new Process({ computer, core, carryOut: (effect) => this.#keep(effect) });
    disk.start((input) => this.#replica.whenAwake(() => this.#replica.tell(input)));
    this.#replica.tell({ kind: "wake" });
  }

  tell(input: ServerInput): void {
    this.#server.tell(input);
  }

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") return this.#world.trace?.(() => `server: ${effect.text}`);
    if (effect.kind === "propose") return this.#propose(effect.id, effect.command);
    if (effect.kind === "close") return this.#world.closed(effect.connId);
    this.#world.said(effect.connId, effect.payload);
  }

  #propose(id: number, command: Uint8Array): void {
    const { plant } = this.#world;
    const told = plant === "unchecked-interval" ? stretched(command) : command;
    const request = { id, command: plainCommand(told) };
    if (plant !== "accepted-early") {
      return this.#replica.tell({ kind: "submit", requests: [request] });
    }
    this.machine.apply(command);
    this.#server.tell({ kind: "decided", id });
    this.#world.loop.after(EARLY_MS, () => {
      this.#replica.tell({ kind: "submit", requests: [{ ...request, id: READ + 1 }] });
    });
  }

  #keep(effect: ReplicaEffect): void {
    if (isDiskEffect(effect)) return this.#disk.handle(effect);
    if (effect.kind === "role" && effect.role === "leader") {
      return this.#replica.tell({ kind: "read", id: READ, lease: false });
    }
    if (effect.kind === "log") return this.#world.trace?.(() => `log: ${effect.text}`);
    if (effect.kind === "stop") return this.#world.stopped(effect.reason);
    if (effect.kind !== "answer") return;
    const { id, answer } = effect;
    if (id > READ) return;
    if (id === READ) {
      if (!answer.isOk) return;
      if (!this.leads) this.#world.oracle.restored(this.machine.table);
      this.leads = true;
      this.#server.tell({ kind: "lead" });
      return this.#world.serves();
    }
    if (answer.isOk) return this.#server.tell({ kind: "decided", id });
    const refusal = { reason: answer.why, isSure: answer.why !== "unknown" };
    this.#server.tell({ kind: "decided", id, refusal });
  }
}

/** The command with more searched than it says: a planted fault. */
function stretched(command: Uint8Array): Uint8Array {
  const read = decodeCommand(command);
  if (typeof read === "string") return command;
  const operations = read.operations.map((operation): Operation => {
    if (operation.kind !== "progress" || operation.searched.length === 0) return operation;
    const [first, ...rest] = operation.searched;
    const longer = { lower: first!.lower, end: first!.end + FAULTY_NONCES };
    return { ...operation, searched: [longer, ...rest] };
  });
  return encodeCommand({ ...read, operations });
}
