/**
 * One life of a server: the node that serves, and the one that keeps its table, with others or
 * alone, on a simulated disk.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { isPeerGreeting, plainCommand, raftParams, ReplicaCore } from "../../raft/mod.ts";
import { isDiskEffect, type ReplicaEffect, type ReplicaInput } from "../../raft/replica_types.ts";
import type { Disk } from "../../run/disk_open.ts";
import { ServerNode } from "../../server/node.ts";
import { decodeCommand, encodeCommand, type Operation } from "../../server/operations.ts";
import { TableMachine } from "../../server/table_machine.ts";
import type { NodeEffect, NodeInput } from "../../server/types.ts";
import { Process } from "../engine/process.ts";
import { cheapHash, messageOf } from "../fleet/cheap_hash.ts";
import { addressOf, type RunningServer, type ServerBox } from "./box.ts";
import { ServerLines } from "./server_lines.ts";
import type { CoordinatorWorld } from "./world.ts";

/** Segments so small that a run fills several. */
const DISK = { kind: "server", segmentBytes: 16 << 10 };
/** The number of a question that is no proposal. */
const READ = 2 ** 40;
/** So much more than was reported a planted fault journals. */
const FAULTY_NONCES = 50_000_000n;
/** A planted fault has a command count so long before it is proposed. */
const EARLY_MS = 300;
/** Refusals that last; see server/log_adapter.ts. */
const LASTING = ["overloaded", "too large", "disk full"];

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
export class ServerLife implements RunningServer {
  readonly node: ServerNode;
  readonly machine: WatchedMachine = new WatchedMachine();
  readonly replica: ReplicaCore;
  readonly #world: CoordinatorWorld;
  readonly #box: ServerBox;
  readonly #server: Process<NodeInput, NodeEffect>;
  readonly #replicaProcess: Process<ReplicaInput, ReplicaEffect>;
  readonly #lines: ServerLines;
  readonly #disk: Disk;

  constructor(world: CoordinatorWorld, box: ServerBox, life: number) {
    this.#world = world;
    this.#box = box;
    const { plan, seed } = world;
    const { computer, number } = box;
    const { disk, state } = box.disk.open({ ...DISK, id: `node ${number}` });
    this.#disk = disk;
    this.machine.losesAnswers = world.plant === "no-answers";
    const random = seededRandom(seed, 1000 + 100 * number + life);
    this.node = new ServerNode({
      table: this.machine,
      address: addressOf(number),
      session: () => (BigInt(random()) << 32n) | BigInt(random()),
      hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
      onAccept: ({ subject, lower, upper }) =>
        world.oracle.accepted(messageOf(subject), lower, upper, world.isAlone),
    });
    this.#server = new Process({
      computer,
      core: this.node,
      carryOut: (effect) => this.#carryOut(effect),
    });
    const name = (): string => random().toString(16).padStart(16, "0");
    this.replica = new ReplicaCore({
      node: number,
      group: "server",
      address: addressOf(number),
      members: new Map(world.boxes.map((each) => [each.number, addressOf(each.number)])),
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
    this.#replicaProcess = new Process({
      computer,
      core: this.replica,
      carryOut: (effect) => this.#keep(effect),
    });
    this.#lines = new ServerLines(world, box, {
      serve: (input) => this.#server.tell(input),
      replicate: (input) => this.#replicaProcess.tell(input),
      isPeers: (payload) => isPeerGreeting(payload),
    });
    disk.start((input) => this.#replicaProcess.whenAwake(() => this.#replicaProcess.tell(input)));
    this.#replicaProcess.tell({ kind: "wake" });
  }

  #carryOut(effect: NodeEffect): void {
    switch (effect.kind) {
      case "log":
        return this.#world.trace?.(() => `server ${this.#box.number}: ${effect.text}`);
      case "propose":
        return this.#propose(effect.id, effect.command);
      case "manage":
        throw new Error("nobody manages a simulated cluster");
      case "close":
        return this.#lines.hangUp(effect.connId);
      case "write":
        return this.#lines.say(effect.connId, effect.payload);
      case "dial":
      case "pass":
      case "drop":
        return this.#lines.relay(effect);
    }
  }

  #propose(id: number, command: Uint8Array): void {
    const { plant } = this.#world;
    const told = plant === "unchecked-interval" ? stretched(command) : command;
    const request = { id, command: plainCommand(told) };
    if (plant !== "accepted-early") {
      return this.#replicaProcess.tell({ kind: "submit", requests: [request] });
    }
    this.machine.apply(command);
    this.#server.tell({ kind: "decided", id });
    this.#world.loop.after(EARLY_MS, () => {
      this.#replicaProcess.tell({ kind: "submit", requests: [{ ...request, id: READ + 1 }] });
    });
  }

  #keep(effect: ReplicaEffect): void {
    if (isDiskEffect(effect)) return this.#disk.handle(effect);
    switch (effect.kind) {
      case "role":
        return this.#roleIs();
      case "members":
        return this.#membersAre();
      case "log":
        return this.#world.trace?.(() => `log ${this.#box.number}: ${effect.text}`);
      case "stop":
        return this.#world.stopped(this.#box, effect.reason);
      case "dial":
      case "write":
      case "drop":
        return this.#lines.replicas(effect);
      case "answer":
        return this.#answered(effect);
      default:
    }
  }

  #roleIs(): void {
    const { role, leader, leaderAddress } = this.replica.status();
    if (role === "leader") {
      return this.#replicaProcess.tell({ kind: "read", id: READ, lease: false });
    }
    if (this.#world.isAlone || this.#world.plant === "stale-lead") return;
    const at = leader === this.#box.number ? "" : leaderAddress;
    this.#server.tell({ kind: "follow", leader: at });
  }

  #membersAre(): void {
    const { members, addresses } = this.replica.status();
    const servers = members.voters.flatMap((node) => addresses[node] ?? []);
    this.#server.tell({ kind: "members", servers });
  }

  #answered({ id, answer }: Extract<ReplicaEffect, { kind: "answer" }>): void {
    if (id > READ) return;
    if (id === READ) {
      const { role } = this.replica.status();
      if (role !== "leader") return;
      // It took too long: asked again.
      if (!answer.isOk) return this.#roleIs();
      this.#world.leads(this.#box, this.machine.table);
      return this.#server.tell({ kind: "lead" });
    }
    if (answer.isOk) return this.#server.tell({ kind: "decided", id });
    const refusal = { reason: answer.why, isSure: LASTING.includes(answer.why) };
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
