/**
 * One term of a leader: takes proposals, keeps its followers, and gives up when it should.
 *
 * @module
 */
import { invariant, type Millis } from "../base/machine.ts";
import { isVoter } from "./config.ts";
import type { Config, Entry, EntryKind } from "./messages.ts";
import { Membership } from "./membership.ts";
import type { RaftNode } from "./node.ts";
import { entryBytes } from "./params.ts";
import { Replication } from "./replication.ts";
import { Transfer } from "./transfer.ts";
import type { ProposeInput, Refusal } from "./types.ts";

const NO_DATA = new Uint8Array(0);

/** What a leader has beyond a node. */
export class Leader {
  readonly replication: Replication;
  readonly membership: Membership;
  readonly transfer: Transfer;
  readonly #node: RaftNode;
  /** The weight of what is in the log and not committed. */
  #uncommittedBytes = 0;
  /** Up to here `#uncommittedBytes` has been reduced. */
  #countedIndex: number;

  constructor(node: RaftNode) {
    this.#node = node;
    this.replication = new Replication(node);
    this.membership = new Membership(node, this.replication, (config) => this.#addConfig(config));
    this.transfer = new Transfer(node, this.replication);
    this.#countedIndex = node.commit;
    this.#uncommittedBytes = node.log.bytesBehind(node.commit);
    this.#add("empty", NO_DATA, undefined);
  }

  /** How long a lease holds once confirmed; not at all when somebody was asked to take over. */
  get leaseMs(): Millis {
    const { electionMs, leaseClockRatio } = this.#node.params;
    const isOff = leaseClockRatio === 0 || this.transfer.wasAsked;
    return isOff ? -Infinity : electionMs / leaseClockRatio;
  }

  get wakeAtMs(): Millis {
    return Math.min(this.replication.wakeAtMs, this.transfer.wakeAtMs ?? Infinity);
  }

  /** Whether this node is a voter no more, which is committed: its lead ends here. */
  get isOut(): boolean {
    const { config, id, commit, log } = this.#node;
    return log.configs.latest.index <= commit && !isVoter(config, id);
  }

  /** Whether no quorum was heard of for too long. */
  get isAlone(): boolean {
    const { clockMs, params } = this.#node;
    return clockMs - this.replication.quorumHeardMs >= params.quorumMs;
  }

  /** Takes proposals, or says why not. */
  propose({ id, commands }: ProposeInput): void {
    const node = this.#node;
    const why = this.#refusal(commands);
    if (why !== undefined) {
      node.out.push({ kind: "proposed", id, isAccepted: false, why, leader: node.id });
      return;
    }
    const { term, log } = node;
    const first = log.lastIndex + 1;
    for (const command of commands) this.#add("command", command, undefined);
    const last = log.lastIndex;
    node.fates.accepted(term, first, last);
    node.out.push({ kind: "proposed", id, isAccepted: true, term, first, last });
  }

  /** Does what every input needs afterwards. */
  advance(): void {
    this.replication.advance();
    this.membership.advance();
    this.#countCommitted();
    this.transfer.advance();
  }

  #refusal(commands: readonly Uint8Array[]): Refusal | undefined {
    const { params, log } = this.#node;
    if (this.transfer.isUnderWay) return "transferring";
    if (commands.length === 0) return "invalid";
    let bytes = 0;
    for (const { length } of commands) {
      if (length > params.entryBytesMax) return "too large";
      bytes += entryBytes(length);
    }
    this.#countCommitted();
    const before = this.#uncommittedBytes;
    // With nothing on its way any batch is let through, or one larger than the limit never would.
    if (before > 0 && before + bytes > params.uncommittedBytesMax) return "overloaded";
    return log.bytes >= params.logBytesMax ? "overloaded" : undefined;
  }

  #countCommitted(): void {
    const { log, commit } = this.#node;
    while (this.#countedIndex < commit) {
      const { data } = log.entryAt(++this.#countedIndex);
      this.#uncommittedBytes -= entryBytes(data.length);
    }
    invariant(this.#uncommittedBytes >= 0, "more is committed than there was");
  }

  #addConfig(config: Config): void {
    this.#add("config", NO_DATA, config);
    this.replication.membersChanged();
  }

  #add(kind: EntryKind, data: Uint8Array, config: Config | undefined): void {
    const node = this.#node;
    const entry: Entry = { index: node.log.lastIndex + 1, term: node.term, kind, data, config };
    this.#uncommittedBytes += entryBytes(data.length);
    node.append(entry);
  }
}
