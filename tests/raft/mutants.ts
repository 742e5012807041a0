/** Faults that the tests of raft/ must notice; `bun run tools/mutants.ts raft`. */
import type { Mutant } from "../../tools/mutants.ts";
import { NODE_MUTANTS } from "./node_mutants.ts";

const core = "raft/core.ts";
const election = "raft/election.ts";
const fates = "raft/fates.ts";
const follower = "raft/follower.ts";
const keeper = "raft/keeper.ts";
const leader = "raft/leader.ts";
const log = "raft/log.ts";
const membership = "raft/membership.ts";
const node = "raft/node.ts";
const progress = "raft/progress.ts";
const quorum = "raft/quorum.ts";
const reads = "raft/reads.ts";
const replication = "raft/replication.ts";
const sessions = "raft/sessions.ts";
const transfer = "raft/transfer.ts";

/** A fault as [file, line, what it becomes, what no longer holds]. */
type Row = readonly [file: string, line: string, becomes: string, breaks: string];

const ROWS: readonly Row[] = [
  [
    sessions,
    'if (number < next) return answers.at(next - number) ?? "forgotten";',
    'if (number < next) return "forgotten";',
    "a repeated request gets no answer",
  ],
  [
    sessions,
    'if (number > next) return "out of order";',
    "",
    "a request is carried out before the one before it",
  ],
  [
    sessions,
    "session.answers.keep(session.next - (number - before));",
    "session.answers.keep(session.next - (number - before) - 1);",
    "an answer that is still waited for is dropped",
  ],
  [sessions, "session.next++;", "session.next = number;", "a request is carried out twice"],
  [
    sessions,
    "for (const [i, answer] of answers.whole().entries()) {",
    "for (const [i, answer] of ([] as Uint8Array[]).entries()) {",
    "a snapshot lacks the answers",
  ],
  [
    replication,
    "if (index > node.commit && node.log.termAt(index) === node.term) node.commitUpTo(index);",
    "if (index > node.commit) node.commitUpTo(index);",
    "an old term's entry is committed by count",
  ],
  [
    replication,
    "id === this.#node.id ? this.#node.keeper.stableIndex : (this.peers.get(id)?.match ?? 0);",
    "id === this.#node.id ? this.#node.log.lastIndex : (this.peers.get(id)?.match ?? 0);",
    "a leader counts itself before its disk holds the entry",
  ],
  [
    replication,
    'if (index > node.log.lastIndex) return node.reject("malformed");',
    "",
    "a peer acknowledges what was never sent",
  ],
  [
    replication,
    "const commit = Math.min(node.commit, peer.match);",
    "const commit = node.commit;",
    "a heartbeat commits beyond what the peer holds",
  ],
  [
    replication,
    "if (this.#hasUntold(peer)) this.#heartbeat(peer, 0);",
    "",
    "a follower hears of a commit with the next beat only",
  ],
  [
    replication,
    "this.#tellAtMs = tellAtMs === Infinity ? Infinity : Math.min(tellAtMs, this.#tellAtMs);",
    "this.#tellAtMs = tellAtMs;",
    "a follower that others keep from being told is told later and later",
  ],
  ["raft/reads.ts", "lead.tellCommit(to);", "", "a follower's read waits for the next append"],
  [
    replication,
    "const isMissing = !sending.isProbing && ++sending.repeats === REPEATS;",
    "const isMissing = true;",
    "the same answer twice sends the same piece twice",
  ],
  [
    replication,
    "if (!isLost) peer.sendSnapshot(snapshot);",
    "peer.sendSnapshot(snapshot);",
    "a voter that lost its disk is sent a snapshot",
  ],
  [
    replication,
    "if (isBusy && nowMs < sending.paceAtMs) {",
    "if (nowMs < 0) {",
    "a snapshot crowds out the commands that come in",
  ],
  [
    replication,
    "while (peer.next <= log.lastIndex && !peer.window.isFull) {",
    "while (peer.next <= log.lastIndex) {",
    "more is under way to a peer than may be",
  ],
  [
    replication,
    "next = node.log.termAt(mine) === conflictTerm ? mine + 1 : conflictIndex;",
    "next = prevIndex;",
    "a conflict is repaired entry by entry",
  ],
  [replication, "peer.probe(peer.match + 1);", "", "what was lost on the way is never sent again"],
  [
    progress,
    "this.next = Math.max(next, this.match + 1);",
    "this.next = next;",
    "a probe goes back behind what is acknowledged",
  ],
  [
    follower,
    "node.commitUpTo(Math.min(message.commit, lastNew));",
    "node.commitUpTo(Math.min(message.commit, log.lastIndex));",
    "a follower commits entries that the leader has not vouched for",
  ],
  [
    follower,
    "if (known === term || index <= log.baseIndex) continue;",
    "if (index <= log.baseIndex) continue;",
    "an append that is merely old truncates",
  ],
  [
    follower,
    'node.keeper.send(from, { kind: "appended", term: node.term, index });',
    'node.send(from, { kind: "appended", term: node.term, index });',
    "an append is acknowledged before it is durable",
  ],
  [
    follower,
    'node.keeper.hold({ kind: "restore", meta });',
    'node.out.push({ kind: "restore", meta });',
    "the state is replaced before the snapshot is durable",
  ],
  [
    follower,
    "if (node.isRestoring) return;",
    "",
    "a second snapshot comes in while the first is on its way to the disk",
  ],
  [
    follower,
    "if (!node.isBlank && index <= node.commit) return this.#acknowledge(from, node.commit);",
    "",
    "a snapshot older than what is applied is restored",
  ],
  [
    follower,
    "if (node.isBlank) return this.#refuse(from, prevIndex);",
    "",
    "a node without a group takes entries",
  ],
  [
    follower,
    "node.fates.replaced(index);",
    "",
    "proposals are not told of a snapshot in their place",
  ],
  [
    election,
    "node.keeper.send(from, answer);",
    "node.send(from, answer);",
    "a vote is told before it is durable",
  ],
  [
    election,
    'node.keeper.send(to, { kind: "vote", term, pre, transfer, lastIndex, lastTerm });',
    'node.send(to, { kind: "vote", term, pre, transfer, lastIndex, lastTerm });',
    "a candidate tells a term that is not durable",
  ],
  [
    election,
    "const granted = isFree && !isPatient && isComplete && !node.isBlank;",
    "const granted = isFree && !isPatient && isComplete;",
    "a disk that remembers nothing votes",
  ],
  [
    election,
    "const isComplete = node.log.isUpToDate(message.lastIndex, message.lastTerm);",
    "const isComplete = true;",
    "a candidate whose log lacks entries is elected",
  ],
  [
    election,
    "const isFree = isNew || node.vote === from || (node.vote === 0 && node.leader === 0);",
    "const isFree = true;",
    "a node votes twice in a term",
  ],
  [
    election,
    "const isPatient = !transfer && node.hasLivingLeader;",
    "const isPatient = false;",
    "a node that was cut off or removed is helped to replace a living leader",
  ],
  [
    election,
    'if (node.role !== "candidate" || pre !== this.#isPre) return;',
    'if (node.role !== "candidate") return;',
    "a promise of a vote is taken for a vote",
  ],
  [
    election,
    "if (granted ? term !== askedTerm : term !== node.term) return;",
    "",
    "a vote of an earlier term is counted",
  ],
  [
    core,
    "if (!message.transfer && node.hasLivingLeader) return false;",
    "",
    "a higher term in a request for a vote deposes a living leader",
  ],
  [
    core,
    "if (leader.isAlone) return this.#follow(node.term, 0);",
    "if (false) return this.#follow(node.term, 0);",
    "a leader that hears no quorum leads on",
  ],
  [
    core,
    'node.keeper.send(from, { kind: "heard", term: node.term, round: 0 });',
    "",
    "a leader of an old term is not told of the new one",
  ],
  [core, "node.fates.leadLost();", "", "proposers are not told that the lead is lost"],
  [core, "lead.membership.leadLost();", "", "a change is not answered when the lead is lost"],
  [core, "lead.transfer.leadLost();", "", "a transfer is not answered when the lead is lost"],
  [
    core,
    'if (this.#disk !== "good") return node.reject("disk full");',
    "",
    "a node with a full disk goes on to take messages",
  ],
  [core, "if (leader?.isOut) {", "if (false) {", "a leader that was removed leads on"],
  [
    keeper,
    "if (!this.#isDirty || this.#asked !== this.#durable) return;",
    "if (!this.#isDirty) return;",
    "two durable steps are under way at once",
  ],
  [
    keeper,
    "this.#stableIndex = Math.min(this.#stableIndex, index - 1);",
    "",
    "what was cut off counts as durable",
  ],
  [
    keeper,
    "if (this.#out.held >= this.#heldMax) this.dropped++;",
    "if (false) this.dropped++;",
    "answers that wait for the disk pile up",
  ],
  [
    node,
    "return index > this.commit && isVoter(this.log.configs.at(index - 1), this.id);",
    "return false;",
    "nobody can be elected when a leader that removed itself crashes",
  ],
  [
    node,
    "if (this.handed >= this.commit || this.applied < this.handed) return;",
    "if (this.handed >= this.commit) return;",
    "more is handed out before what was handed out is applied",
  ],
  [
    node,
    "const behind = isTight ? index : Math.min(kept, ...sending);",
    "const behind = index;",
    "the log does not wait for whom a snapshot is on its way to",
  ],
  [log, "this.configs.truncate(index);", "", "a configuration stays when its entry is overwritten"],
  [
    log,
    "if (lastTerm !== this.lastTerm) return lastTerm > this.lastTerm;",
    "",
    "the longer log beats the later term",
  ],
  [fates, 'this.#tell("lost", run, run.last);', "", "proposers are not told what was overwritten"],
  [
    membership,
    'if (this.#change !== undefined || !this.#isSettled) return this.#refuse(id, "changing");',
    "",
    "two changes of members overlap",
  ],
  [
    membership,
    "if (match < change.roundIndex) return false;",
    "",
    "a new voter is counted before it has caught up",
  ],
  [
    membership,
    "} else if (this.#haveCaughtUp(change)) this.#add(jointConfig(config, voters, learners));",
    "} else if (this.#haveCaughtUp(change)) this.#add({ voters, outgoing: [], learners });",
    "the voters change without a joint configuration",
  ],
  [
    reads,
    "for (let read = queue.at(0); read && read.round <= confirmed; read = queue.at(0)) {",
    "for (let read = queue.at(0); read; read = queue.at(0)) {",
    "a deposed leader answers reads",
  ],
  [
    reads,
    "const isQuorum = quorumValue(config, (id) => (id === self || id === from ? 1 : 0)) === 1;",
    "const isQuorum = true;",
    "one follower's question passes for a quorum",
  ],
  [reads, "if (!this.#isCurrent) return;", "", "a new leader answers reads before it can know"],
  [reads, "if (read.index > applied) break;", "", "a read is answered from a state that lags"],
  [
    reads,
    "this.#batch = node.drawNumber();",
    "this.#batch = 0;",
    "an answer to an earlier life is taken for one to this",
  ],
  [
    leader,
    "const isOff = leaseClockRatio === 0 || this.transfer.wasAsked;",
    "const isOff = leaseClockRatio === 0;",
    "a lease holds although another was asked to take over",
  ],
  [
    leader,
    "return isOff ? -Infinity : electionMs / leaseClockRatio;",
    "return isOff ? -Infinity : 4 * electionMs;",
    "a lease holds longer than others wait",
  ],
  [
    leader,
    'if (this.transfer.isUnderWay) return "transferring";',
    "",
    "proposals come in while the lead is handed over",
  ],
  [
    leader,
    'if (before > 0 && before + bytes > params.uncommittedBytesMax) return "overloaded";',
    "",
    "uncommitted bytes have no limit",
  ],
  [
    transfer,
    "if ((this.#lead.peers.get(current.to)?.match ?? 0) < this.#node.log.lastIndex) return;",
    "",
    "the heir is asked to stand before it has the log",
  ],
  [
    node,
    "this.clockMs += Math.min(passedMs, this.#tickMs);",
    "this.clockMs += passedMs;",
    "a process that stood still stands for election",
  ],
  [
    node,
    "return this.nowMs + Math.min(this.electionAtMs - this.clockMs, this.#tickMs);",
    "return this.nowMs + this.electionAtMs - this.clockMs;",
    "what passes unnoticed between two calls is taken for a pause",
  ],
  [core, "leader.transfer.askAgain();", "", "a transfer fails when one message is lost"],
  [
    quorum,
    "return scratch[count >> 1]!;",
    "return scratch[(count - 1) >> 1]!;",
    "half of an even number of voters decides",
  ],
  [
    replication,
    "id === self ? nowMs : (this.peers.get(id)?.roundSentMs ?? -Infinity),",
    "id === self ? nowMs : nowMs,",
    "a lease that nobody confirms goes on",
  ],
  [
    quorum,
    "return Math.min(incoming, majorityValue(config.outgoing, valueOf, Infinity));",
    "return incoming;",
    "the voters that are left have no say",
  ],
];

const CORE_MUTANTS: readonly Mutant[] = ROWS.map(([file, line, becomes, breaks]) => {
  return { file, line, becomes, breaks };
});

export const MUTANTS: readonly Mutant[] = [...CORE_MUTANTS, ...NODE_MUTANTS];
