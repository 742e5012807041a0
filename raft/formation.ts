/**
 * How a cluster comes into being, and how a node comes into a cluster.
 *
 * A cluster is founded once: by the smallest of its first members when all of them have said that
 * their directories are empty, or by a node that is told to. The founder draws the cluster's name
 * and remembers who has not taken it yet. Another member takes it durably (`founded`), and is let
 * vote (`start`) only when the founder has durably noted that: so a member whose disk is lost after
 * its first vote is never founded again, and cannot vote twice.
 *
 * Everybody else with an empty directory waits, or asks to be taken in under a new number.
 *
 * @module
 */
import type { Channel, Frame, Hello } from "./greeting.ts";
import { type Book, BOOK_MAX, type Identity, type Place } from "./identity.ts";
import { isMember, NO_CONFIG } from "./config.ts";
import type { Config, NodeId } from "./messages.ts";
import type { ReplicaOptions } from "./replica_types.ts";

/** What formation needs of the node. */
export interface FormationPort {
  /** Keeps who this node is; `then` when that is durable. */
  keep(identity: Identity, then: () => void): void;
  tell(to: NodeId, frame: Frame): void;
  /** This node has come into a cluster: who knows it as one of none is told. */
  greetAgain(): void;
  /** The nodes that there is a connection with. */
  readonly connected: readonly NodeId[];
  /** This node takes part from now on. */
  start(): void;
  /** Addresses or members have changed: others are to be dialled. */
  retarget(): void;
  log(text: string, level: "info" | "warn"): void;
  stop(reason: string): void;
}

/** See the module. */
export class Formation {
  readonly #options: ReplicaOptions;
  readonly #port: FormationPort;
  #identity: Identity;
  /** Nodes that said that their directory is empty, and that they were started alike. */
  readonly #empty = new Set<NodeId>();
  readonly #told = new Set<string>();
  /** Whom to ask to be taken in. */
  #joinAddress: string | undefined;
  #isFounding = false;

  constructor(options: ReplicaOptions, stored: Identity | undefined, port: FormationPort) {
    this.#options = options;
    this.#port = port;
    this.#joinAddress = options.join;
    const { node, fresh } = options;
    const identity: Identity = stored ?? {
      cluster: "",
      node,
      disk: fresh.disk,
      phase: "empty",
      isFounder: false,
      wasMember: false,
      pending: [],
      first: NO_CONFIG,
      book: new Map(),
    };
    this.#identity = { ...identity, book: bookAtStart(options, identity) };
  }

  get identity(): Identity {
    return this.#identity;
  }

  get #named(): NodeId[] {
    return [...this.#options.members.keys()].toSorted((a, b) => a - b);
  }

  /** Where a node is; "" when that is not known. */
  addressOf(node: NodeId): string {
    return this.#identity.book.get(node)?.address ?? "";
  }

  /** Begins: founds the cluster if that is this node's to do, and is safe at once. */
  begin(): void {
    const { bootstrap, join } = this.#options;
    const { phase } = this.#identity;
    if (phase !== "empty") return;
    if (join !== undefined) return this.#tellOnce(`asks ${join} to be taken into its cluster`);
    if (this.#named.length === 1 || bootstrap) return this.#found();
    this.#tellOnce(`its directory is empty: it waits for the other members`);
  }

  /**
   * Whom to dial: of two nodes the smaller dials. A node that hears of no leader dials all that it
   * knows of, for what it takes for the members may be long past.
   */
  targets(config: Config | undefined, leader: NodeId): Map<NodeId, string> {
    const { node } = this.#options;
    const targets = new Map<NodeId, string>();
    const isIn = config !== undefined && isMember(config, node);
    for (const [id, { address }] of this.#identity.book) {
      const isWanted = config === undefined || leader === 0 || isMember(config, id);
      if (id > node && isWanted) targets.set(id, address);
    }
    if (this.#joinAddress !== undefined && !isIn) targets.set(0, this.#joinAddress);
    return targets;
  }

  hello(to: NodeId, channel: Channel): Hello {
    const { node: from, group } = this.#options;
    const { cluster, phase } = this.#identity;
    const [named, book] = [this.#named, this.#bookToTell];
    return { kind: "hello", group, cluster, from, to, channel, phase, named, book };
  }

  /** Why a node is none of ours. */
  whyNot({ group, cluster }: Hello): string | undefined {
    if (group !== this.#options.group) {
      return `it is a node of "${group}", this is one of "${this.#options.group}"`;
    }
    const own = this.#identity.cluster;
    if (cluster === "" || own === "" || cluster === own) return undefined;
    return `it is of cluster ${cluster}, this node is of ${own}`;
  }

  /** Whether a node is of this cluster: one that is of none yet has no say. */
  isFellow({ cluster }: Hello): boolean {
    return cluster !== "" && cluster === this.#identity.cluster;
  }

  /** Another node has said who it is. */
  greeted(hello: Hello): void {
    if (hello.channel !== "main") return;
    const { from, phase } = hello;
    this.#merge(hello.book);
    const own = this.#identity;
    if (own.phase === "empty") return this.#greetedEmpty(hello);
    if (own.phase !== "running" || !own.isFounder) return;
    if (phase === "founded") this.#confirm(from);
    else if (phase === "empty" && own.pending.includes(from)) this.#tellFound(from);
  }

  /** Takes what concerns formation; true if it was that. */
  frame(from: NodeId, frame: Frame): boolean {
    switch (frame.kind) {
      case "found":
        this.#beFounded(from, frame.cluster, frame.voters);
        return true;
      case "founded":
        if (this.#identity.isFounder) this.#confirm(from);
        return true;
      case "start":
        this.#beStarted(from);
        return true;
      case "book":
        this.#merge(frame.book);
        return true;
      case "leader":
        if (this.#joinAddress === undefined || frame.address === "") return true;
        this.#joinAddress = frame.address;
        this.#port.retarget();
        return true;
      case "refuse":
        this.#port.stop(frame.reason);
        return true;
      default:
        return false;
    }
  }

  /** The configuration in the log counts: a command line that names others is told so. */
  tellIfOthers({ voters, learners }: Config): void {
    const { node, join, members } = this.#options;
    if (voters.length === 0 || join !== undefined || members.size <= 1) return;
    const named = this.#named.join(",");
    const inForce = [...voters, ...learners].toSorted((a, b) => a - b).join(",");
    if (named === inForce) return;
    const text = `started with members ${named}, but the log says ${inForce}: that counts`;
    this.#port.log(`node ${node}: ${text}`, "warn");
  }

  /** This node is a member; it is remembered. */
  noteMember(): void {
    if (this.#identity.wasMember) return;
    this.#identity = { ...this.#identity, wasMember: true };
    this.#port.keep(this.#identity, () => {});
  }

  /** Begins a cluster of this node alone that goes on with what its directory holds. */
  forceNew(): Identity {
    const { node, fresh } = this.#options;
    const first = { voters: [node], outgoing: [], learners: [] };
    const { cluster } = fresh;
    this.#identity = { ...this.#identity, cluster, phase: "running", isFounder: true, first };
    this.#identity = { ...this.#identity, pending: [] };
    return this.#identity;
  }

  /** What a node that wants to join must be told; undefined: nothing is against it. */
  whyNotJoin(from: NodeId, disk: string): string | undefined {
    const known = this.#identity.book.get(from)?.disk;
    if (known === disk) return undefined;
    const isUsed = known !== undefined || this.#identity.first.voters.includes(from);
    return isUsed
      ? `number ${from} was used before: start under one that never was, with an empty directory`
      : undefined;
  }

  #greetedEmpty({ from, phase, cluster, named }: Hello): void {
    if (this.#joinAddress !== undefined) {
      if (phase === "running") this.#adopt(cluster);
      return;
    }
    // This node has been asked to be a member, and is writing that down.
    if (this.#isFounding) return;
    if (phase === "running" && cluster !== "") {
      this.#tellOnce(
        `node ${from} belongs to cluster ${cluster} already, and this directory is empty: unless ` +
          `the cluster is being founded, start under a new number: --node N --join ` +
          `${this.addressOf(from)}`,
      );
      return;
    }
    const isAlike = named.join() === this.#named.join();
    if (!isAlike) {
      this.#tellOnce(
        `node ${from} was started with members ${named.join(",")}, this one with ` +
          `${this.#named.join(",")}: give all of them the same --cluster`,
      );
    }
    if (phase !== "empty" || !isAlike) return;
    this.#empty.add(from);
    const { node } = this.#options;
    const others = this.#named.filter((id) => id !== node);
    if (this.#named[0] === node && others.every((id) => this.#empty.has(id))) this.#found();
  }

  #found(): void {
    if (this.#isFounding) return;
    this.#isFounding = true;
    const { node, fresh } = this.#options;
    const voters = this.#named;
    const identity: Identity = {
      ...this.#identity,
      cluster: fresh.cluster,
      phase: "running",
      isFounder: true,
      pending: voters.filter((id) => id !== node),
      first: { voters, outgoing: [], learners: [] },
    };
    this.#port.keep(identity, () => {
      this.#identity = { ...identity, book: this.#identity.book };
      this.#tellOnce(`founded cluster ${identity.cluster} with members ${voters.join(",")}`);
      for (const peer of this.#port.connected) {
        if (identity.pending.includes(peer)) this.#tellFound(peer);
      }
      this.#port.greetAgain();
      this.#port.start();
    });
  }

  #tellFound(to: NodeId): void {
    const { cluster, first } = this.#identity;
    this.#port.tell(to, { kind: "found", cluster, voters: first.voters });
  }

  #beFounded(from: NodeId, cluster: string, voters: readonly NodeId[]): void {
    const { node, members } = this.#options;
    const own = this.#identity;
    const isAgain = own.phase === "founded" && own.cluster === cluster;
    if (isAgain) return this.#port.tell(from, { kind: "founded" });
    const isRight = members.has(from) && voters.includes(node) && voters.includes(from);
    if (own.phase !== "empty" || this.#joinAddress !== undefined || !isRight) return;
    if (this.#isFounding || cluster === "") return;
    this.#isFounding = true;
    const first = { voters, outgoing: [], learners: [] };
    const identity: Identity = { ...own, cluster, phase: "founded", first };
    this.#port.keep(identity, () => {
      this.#identity = { ...identity, book: this.#identity.book };
      this.#port.greetAgain();
      this.#port.tell(from, { kind: "founded" });
    });
  }

  /** A first member has the cluster's name durably: once that is noted, it may vote. */
  #confirm(from: NodeId): void {
    const pending = this.#identity.pending.filter((id) => id !== from);
    const identity = { ...this.#identity, pending };
    this.#identity = identity;
    this.#port.keep(identity, () => this.#port.tell(from, { kind: "start" }));
  }

  #beStarted(from: NodeId): void {
    const own = this.#identity;
    if (own.phase !== "founded" || !own.first.voters.includes(from)) return;
    const identity: Identity = { ...own, phase: "running" };
    this.#port.keep(identity, () => {
      if (this.#identity.phase === "running") return;
      this.#identity = { ...identity, book: this.#identity.book };
      this.#tellOnce(`is a member of the new cluster ${identity.cluster}`);
      this.#port.greetAgain();
      this.#port.start();
    });
  }

  #adopt(cluster: string): void {
    if (this.#isFounding || cluster === "") return;
    this.#isFounding = true;
    const identity: Identity = { ...this.#identity, cluster, phase: "running" };
    this.#port.keep(identity, () => {
      this.#identity = { ...identity, book: this.#identity.book };
      this.#port.greetAgain();
      this.#port.start();
    });
  }

  /** Takes what is newer in another's addresses, and passes it on. */
  #merge(book: Book): void {
    const { node } = this.#options;
    const mine = new Map(this.#identity.book);
    let isNews = false;
    for (const [id, place] of book) {
      const known = mine.get(id);
      if (id === node || !isNewer(place, known)) continue;
      if (known === undefined && mine.size >= BOOK_MAX) continue;
      mine.set(id, place);
      isNews = true;
    }
    if (!isNews) return;
    this.#identity = { ...this.#identity, book: mine };
    if (this.#identity.phase === "running") this.#port.keep(this.#identity, () => {});
    this.#port.retarget();
    this.#spread();
  }

  /** The addresses as others may know them: of the name of a disk only once the disk has it. */
  get #bookToTell(): Book {
    const { book, phase, node } = this.#identity;
    const own = book.get(node);
    if (phase !== "empty" || own === undefined) return book;
    return new Map(book).set(node, { ...own, disk: "" });
  }

  #spread(): void {
    const book = this.#bookToTell;
    for (const peer of this.#port.connected) this.#port.tell(peer, { kind: "book", book });
  }

  #tellOnce(text: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#port.log(`node ${this.#options.node}: ${text}`, "info");
  }
}

/** Whether a place is to be believed rather than what is known. A number keeps its disk. */
function isNewer(place: Place, known: Place | undefined): boolean {
  if (known === undefined) return true;
  if (known.disk !== "" && place.disk !== known.disk) return false;
  return place.version > known.version || (known.disk === "" && place.disk !== "");
}

/** The addresses of the directory, and those of the command line where it says others. */
function bookAtStart(options: ReplicaOptions, { book, disk }: Identity): Book {
  const { node, address, members } = options;
  const all = new Map(book);
  for (const [id, at] of members) {
    const known = all.get(id);
    if (known?.address !== at) {
      all.set(id, { address: at, version: known?.version ?? 0, disk: known?.disk ?? "" });
    }
  }
  const own = book.get(node);
  const version = (own?.version ?? 0) + (own?.address === address ? 0 : 1);
  all.set(node, { address, version, disk });
  return all;
}
