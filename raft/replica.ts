/**
 * A node of a cluster without I/O: Raft's core, its storage, its connections, the founding of its
 * cluster and a program's state machine, with sessions over it. The same code is run by
 * `openReplica` on sockets and files, and by the simulator.
 *
 * @module
 */
import { earlier, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import type { StoreInput } from "../base/store.ts";
import { Applier } from "./applier.ts";
import { isMember, isVoter, NO_CONFIG } from "./config.ts";
import { RaftCore } from "./core.ts";
import { Formation } from "./formation.ts";
import type { Identity } from "./identity.ts";
import { Grace } from "./grace.ts";
import type { Frame } from "./greeting.ts";
import { Links } from "./links.ts";
import type { Config, Entry, Message, NodeId } from "./messages.ts";
import type {
  ReplicaEffect,
  ReplicaInput,
  ReplicaOptions,
  ReplicaStatus,
} from "./replica_types.ts";
import { statusOf } from "./replica_status.ts";
import { Requests } from "./requests.ts";
import { RaftStorage, type Recovered, recoverState } from "./storage.ts";
import type { Persisted, RaftEffect, RaftInput } from "./types.ts";

/** The number of requests that nobody waits for. */
const NOBODY = -1;
/** A node that wants to be taken in asks again after so many election time-outs. */
const JOIN_ELECTIONS = 2;
const START = { index: 0, term: 0 };
const NOTHING: Persisted = {
  hard: { term: 0, vote: 0 },
  snapshot: { ...START, config: NO_CONFIG, size: 0 },
  base: START,
  entries: [],
};

/** See the module. */
export class ReplicaCore implements Machine<ReplicaInput, ReplicaEffect> {
  readonly links: Links;
  readonly #options: ReplicaOptions;
  readonly #out = new Outbox<ReplicaEffect>();
  readonly #storage: RaftStorage;
  readonly #formation: Formation;
  readonly #requests: Requests;
  readonly #applier: Applier;
  readonly #persisted: Persisted;
  readonly #grace: Grace;
  #raft: RaftCore | undefined;
  #nowMs: Millis;
  /** When to ask again to be taken in; undefined when there is no need. */
  #joinAtMs: Millis | undefined;
  #diskReason = "";

  /** Throws an Error of one line when what is stored makes no sense, or is another node's. */
  constructor(options: ReplicaOptions) {
    this.#options = options;
    const { node, params, stored, nowMs, random } = options;
    this.#nowMs = nowMs;
    this.#grace = new Grace(params.electionMs);
    const recovered = recoverState(stored);
    checkFit(options, recovered);
    this.#persisted = recovered?.persisted ?? NOTHING;
    const answer = this.#answer.bind(this);
    this.#requests = new Requests(params, answer);
    this.links = new Links(node, params.electionMs, this.#linksOwner(), random, nowMs);
    this.#formation = this.#createFormation(recovered);
    this.#storage = new RaftStorage(this.#formation.identity, this.#persisted, {
      ask: (effect) => this.#out.push(effect),
      stored: (token) => this.#stored(token),
      taking: () => this.#applier.goOnAt(this.#nowMs),
      given: (index, size) => this.#given(index, size),
    });
    this.#applier = new Applier(options, this.#requests, this.#storage, (index) => {
      this.#tellRaft({ kind: "applied", index });
      this.#out.push({ kind: "applied", index });
    });
    this.#begin(recovered?.identity);
  }

  /** Raft's core, once this node takes part: to be looked at. */
  get raft(): RaftCore | undefined {
    return this.#raft;
  }

  /** How many wait for answers. */
  get waiting(): number {
    return this.#requests.size;
  }

  handle(input: ReplicaInput | Wake, nowMs: Millis): void {
    this.#nowMs = Math.max(this.#nowMs, nowMs);
    this.links.at(this.#nowMs);
    const raft = this.#raft;
    switch (input.kind) {
      case "submit":
        return this.#requests.submit(raft, input.requests, this.#nowMs);
      case "read":
      case "change":
      case "transfer":
        return this.#requests.errand(raft, input.id, (id) => this.#tellRaft({ ...input, id }));
      case "snapshot":
        return this.#takeSnapshot(true);
      case "opened":
        return this.links.opened(input.conn);
      case "received":
        for (const { conn, payload } of input.messages) this.links.received(conn, payload);
        return;
      case "gone":
        return this.links.gone(input.conn);
      case "leave":
        this.#requests.endAll();
        return this.links.close();
      case "wake":
        return this.#wake();
      default:
        return this.#diskAnswered(input);
    }
  }

  poll(): ReplicaEffect | undefined {
    for (;;) {
      const effect = this.#out.poll();
      if (effect !== undefined) return effect;
      const next = this.#raft?.poll();
      if (next === undefined) return undefined;
      this.#carryOut(next);
    }
  }

  wakeAtMs(): Millis | undefined {
    const own = earlier(this.#joinAtMs, this.#applier.wakeAtMs);
    const raftAtMs = this.#grace.wakeAtMs(this.#raft?.wakeAtMs());
    return earlier(earlier(raftAtMs, this.links.wakeAtMs), own);
  }

  get leader(): { readonly node: NodeId; readonly address: string } {
    const { leader: node = 0 } = this.#raft?.node ?? {};
    return { node, address: this.#formation.addressOf(node) };
  }

  status(): ReplicaStatus {
    const { identity } = this.#formation;
    const { open } = this.#applier.state.sessions;
    return statusOf(identity, this.#raft?.node, this.links, open.length);
  }

  #createFormation(recovered: Recovered | undefined): Formation {
    const { links } = this;
    return new Formation(this.#options, recovered?.identity, {
      keep: (identity, then) => this.#storage.keepIdentity(identity, then),
      tell: (to, frame) => links.tell(to, frame),
      greetAgain: () => links.greetAgain(),
      get connected() {
        return links.connected;
      },
      start: () => this.#start(this.#persisted),
      retarget: () => this.#retarget(),
      log: (text, level) => this.#log(text, level),
      stop: (reason) => this.#out.push({ kind: "stop", reason }),
    });
  }

  #linksOwner(): ConstructorParameters<typeof Links>[2] {
    const out = this.#out;
    return {
      dial: (conn, address, channel) => out.push({ kind: "dial", conn, address, channel }),
      write: (conn, payload) => out.push({ kind: "write", conn, payload }),
      drop: (conn, isFlushed) => out.push({ kind: "drop", conn, isFlushed }),
      queuedBytes: this.#options.queuedBytes,
      log: (text) => this.#log(`node ${this.#options.node}: ${text}`, "warn"),
      hello: (to, channel) => this.#formation.hello(to, channel),
      whyNot: (hello) => this.#formation.whyNot(hello),
      isFellow: (hello) => this.#formation.isFellow(hello),
      greeted: (hello) => {
        this.#formation.greeted(hello);
        if (hello.channel === "main") this.#askToJoin(hello.from);
      },
      frame: (from, frame) => this.#frame(from, frame),
      message: (from, message) => this.#receive(from, message),
    };
  }

  #begin(stored: Identity | undefined): void {
    const { identity } = this.#formation;
    const { node, forceNewCluster } = this.#options;
    if (forceNewCluster) this.#forceNewCluster();
    else if (identity.phase !== "running") this.#formation.begin();
    else {
      // Where this node is now, the others believe only under a number that never comes again.
      const isMoved = stored?.book.get(node)?.version !== identity.book.get(node)?.version;
      if (isMoved) this.#storage.keepIdentity(identity, () => {});
      this.#start(this.#persisted);
    }
    this.#retarget();
  }

  /** Takes part from now on, once the state is what the snapshot says. */
  #start(persisted: Persisted): void {
    this.#applier.begin(persisted.snapshot, () => this.#startRaft(persisted));
  }

  #startRaft(given: Persisted): void {
    const { node: id, params, random } = this.#options;
    const { first } = this.#formation.identity;
    // What a cluster begins with is known only when it is founded.
    const isNew = given.snapshot.index === 0;
    const persisted = isNew ? { ...given, snapshot: { ...given.snapshot, config: first } } : given;
    this.#raft = new RaftCore({ id, params, persisted, random, nowMs: this.#nowMs });
    this.#membersAre(this.#raft.node.config);
    this.#formation.tellIfOthers(this.#raft.node.config);
  }

  /** What the directory alone still holds becomes the beginning of another cluster. */
  #forceNewCluster(): void {
    const persisted = this.#persisted;
    const identity = this.#formation.forceNew();
    const term = persisted.hard.term + 1;
    const index = (persisted.entries.at(-1)?.index ?? persisted.base.index) + 1;
    const { first: config } = identity;
    const data = new Uint8Array(0);
    const entry: Entry = { index, term, kind: "config", data, config };
    const hard = { term, vote: 0 };
    this.#storage.keepAll(identity, hard, entry, () => {
      const text = `node ${this.#options.node}: goes on alone, as the new cluster`;
      this.#log(`${text} ${identity.cluster}`, "warn");
      this.#start({ ...persisted, hard, entries: [...persisted.entries, entry] });
    });
  }

  #wake(): void {
    const nowMs = this.#nowMs;
    this.links.wake(nowMs);
    const isHeld = this.#grace.isHeld(this.#raft?.wakeAtMs(), nowMs);
    if (!isHeld) this.#raft?.handle({ kind: "wake" }, nowMs);
    const ending = this.#applier.wake(nowMs);
    if (ending !== undefined) {
      this.#requests.submit(this.#raft, [{ id: NOBODY, command: ending }], nowMs);
    }
    if (this.#joinAtMs === undefined || nowMs < this.#joinAtMs) return;
    this.#joinAtMs = nowMs + JOIN_ELECTIONS * this.#options.params.electionMs;
    for (const peer of this.links.connected) this.#askToJoin(peer);
  }

  #tellRaft(input: RaftInput): void {
    this.#raft?.handle(input, this.#nowMs);
  }

  #receive(from: NodeId, message: Message): void {
    // What the disk cannot take in time is as good as lost; the leader sends it again.
    if (message.kind === "snapshot" && this.#storage.isFlooded) return;
    this.#tellRaft({ kind: "message", from, message });
  }

  #diskAnswered(input: StoreInput): void {
    if (input.kind !== "disk") return this.#storage.answered(input);
    const { state, reason } = input;
    this.#diskReason = reason;
    const trouble = state === "full" ? reason : "";
    if (state !== "failed") this.#out.push({ kind: "disk", trouble });
    if (state !== "failed") this.#log(reason, state === "full" ? "warn" : "info");
    else if (this.#raft === undefined) this.#out.push({ kind: "stop", reason });
    this.#tellRaft({ kind: "disk", state: state === "ready" ? "good" : state });
  }

  #carryOut(effect: RaftEffect): void {
    switch (effect.kind) {
      case "send":
        return this.links.send(effect.to, effect.message);
      case "sendChunk": {
        const { to, message } = effect;
        const { index } = message.meta;
        const { chunkBytesMax } = this.#options.params;
        return this.#storage.load(index, message.offset, chunkBytesMax, (data) => {
          if (data !== undefined) this.links.send(to, { ...message, data });
        });
      }
      case "keepChunk":
        return this.#storage.keepChunk(effect.meta, effect.offset, effect.data);
      case "store":
        return this.#storage.store(effect);
      case "apply":
        this.#applier.apply(effect.entries, this.#nowMs);
        return this.#takeSnapshot(false);
      case "restore":
        return this.#applier.restore(effect.meta);
      default:
        return this.#carryOutNews(effect);
    }
  }

  #carryOutNews(effect: RaftEffect): void {
    switch (effect.kind) {
      case "proposed":
        return this.#requests.proposed(effect);
      case "fate":
        return this.#requests.fate(effect);
      case "read":
        return this.#requests.done(effect.id, effect.index, effect.why);
      case "changed": {
        const why = effect.outcome === "unknown" ? "unknown" : effect.why;
        return this.#requests.done(effect.id, 0, why);
      }
      case "transferred":
        return this.#requests.done(effect.id, 0, effect.isDone ? undefined : effect.why);
      case "role":
        this.#applier.expiry.lead(effect.role === "leader", this.#nowMs);
        this.#retarget();
        return this.#out.push(effect);
      case "members":
        return this.#membersAre(effect.config);
      case "stop":
        this.#requests.endAll();
        return this.#out.push({ kind: "stop", reason: this.#diskReason });
      default:
    }
  }

  #takeSnapshot(isWanted: boolean): void {
    if (this.#raft !== undefined) this.#applier.takeSnapshot(this.#raft.node, isWanted);
  }

  #stored(token: number): void {
    this.#tellRaft({ kind: "stored", token });
    // If it took long the next is due: for want of room in the log nothing may be applied before.
    this.#takeSnapshot(false);
  }

  /** A snapshot is written but for its end, which the core's next step brings. */
  #given(index: number, size: number): void {
    this.#tellRaft({ kind: "snapshotTaken", index, size });
    if (this.#raft?.node.snapshot.index !== index) this.#storage.dropTaken();
  }

  #membersAre(config: Config): void {
    const isIn = config.voters.length > 0 && isMember(config, this.#options.node);
    if (isIn) this.#formation.noteMember();
    const { wasMember } = this.#formation.identity;
    const mustJoin = this.#options.join !== undefined && !wasMember;
    this.#joinAtMs = mustJoin ? this.#nowMs : undefined;
    this.#out.push({ kind: "members", config });
    this.#retarget();
  }

  #retarget(): void {
    const { config, leader = 0 } = this.#raft?.node ?? {};
    this.links.setTargets(this.#formation.targets(config, leader));
  }

  #frame(from: NodeId, frame: Frame): void {
    if (frame.kind === "join") this.#takeIn(from, frame.disk);
    else this.#formation.frame(from, frame);
  }

  #askToJoin(peer: NodeId): void {
    if (this.#joinAtMs === undefined) return;
    this.links.tell(peer, { kind: "join", disk: this.#formation.identity.disk });
  }

  /** Another node wants to be a voter. */
  #takeIn(from: NodeId, disk: string): void {
    const raft = this.#raft;
    if (raft === undefined) return;
    const { leader, role, config } = raft.node;
    if (role !== "leader") {
      const address = this.#formation.addressOf(leader);
      return this.links.tell(from, { kind: "leader", node: leader, address });
    }
    const reason = this.#formation.whyNotJoin(from, disk);
    if (reason !== undefined) return this.links.tell(from, { kind: "refuse", reason });
    if (isVoter(config, from)) return;
    const voters = [...config.voters, from];
    const learners = config.learners.filter((id) => id !== from);
    // A client that waits for the answer asks again.
    this.handle({ kind: "change", id: NOBODY, voters, learners }, this.#nowMs);
  }

  #answer(id: number, answer: Extract<ReplicaEffect, { kind: "answer" }>["answer"]): void {
    if (id !== NOBODY) this.#out.push({ kind: "answer", id, answer });
  }

  #log(text: string, level: "info" | "warn"): void {
    this.#out.push({ kind: "log", text, level });
  }
}

function checkFit({ node, forceNewCluster }: ReplicaOptions, recovered?: Recovered): void {
  const identity = recovered?.identity;
  if (identity !== undefined && identity.node !== node) {
    throw new Error(`it belongs to node ${identity.node}, this is node ${node}`);
  }
  if (forceNewCluster && identity?.phase !== "running") {
    throw new Error("it holds no cluster that could be gone on with");
  }
}
