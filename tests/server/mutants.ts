/** Faults that the tests of server/ must notice; `bun run tools/mutants.ts server`. */
import type { Mutant } from "../../tools/mutants.ts";

const fleet = "work/fleet.ts";
const roster = "work/roster.ts";
const dispatcher = "work/dispatcher.ts";
const stragglers = "work/stragglers.ts";
const scheduler = "work/scheduler.ts";
const core = "server/core.ts";
const clients = "server/clients.ts";
const miners = "server/miners.ts";
const admission = "server/admission.ts";
const search = "server/search.ts";
const node = "server/node.ts";
const relay = "server/relay.ts";
const guests = "server/classic_guests.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: node,
    line: "this.#core = new ServerCore(this.#options);",
    becomes: "",
    breaks: "a server that leads no more still knows its miners and clients",
  },
  {
    file: node,
    line: "this.#proposals.clear();",
    becomes: "",
    breaks: "what became of an old lead's proposal is told in the next one",
  },
  {
    file: node,
    line: "if (!this.#leads) return this.#close(connId);",
    becomes: "",
    breaks: "two servers relay to each other for ever",
  },
  {
    file: node,
    line: "if (nowMs < sinceMs + PARKED_MS) return;",
    becomes: "return;",
    breaks: "a peer waits for ever at a server that is cut off",
  },
  {
    file: node,
    line: "else if (!this.#relay.has(connId)) this.#close(connId);",
    becomes: "else this.#close(connId);",
    breaks: "a classic peer is hung up on when its server leads no more",
  },
  {
    file: node,
    line: 'this.#write(connId, { kind: "refused", job: 0, reason: "it is let go" });',
    becomes: "",
    breaks: "a classic miner that is let go comes again by the server that speaks for it",
  },
  {
    file: guests,
    line: "if (this.#waiting.length >= HELD_MESSAGES_MAX || whyNoSearch(work) !== undefined) return OVER;",
    becomes: "",
    breaks: "a classic peer fills the memory of a server that knows no leader",
  },
  {
    file: guests,
    line: "this.#stale = this.#owed;",
    becomes: "",
    breaks: "a classic miner's Result for one leader counts for the next",
  },
  {
    file: guests,
    line: "return this.#waiting.length > 1 ? NOTHING : { toLeader: this.greet() };",
    becomes: "return { toLeader: this.greet() };",
    breaks: "a classic client's first job is submitted once for every Request",
  },
  {
    file: relay,
    line: "if (!this.#isHere && this.#peers.size >= RELAYS_MAX) return undefined;",
    becomes: "",
    breaks: "strangers have a server dial its leader without end",
  },
  {
    file: relay,
    line: "peer.guest.lost();",
    becomes: "",
    breaks: "a classic miner's Result for one leader counts for the next",
  },
  {
    file: fleet,
    line: "if (worker.tasks.length === 0) worker.probation = false;",
    becomes: 'if (worker.tasks.length === 0) worker.standing = "proven";',
    breaks: "a miner that answers and does not hash is trusted again",
  },
  {
    file: fleet,
    line: 'if (task.worker.standing === "suspect") this.race(task);',
    becomes: "",
    breaks: "jobs wait for the probes of suspects",
  },
  {
    file: fleet,
    line: "if (units > 0n && isNew && !worker.probation) {",
    becomes: "if (units > 0n && !worker.probation) {",
    breaks: "what a suspect gives back proves it",
  },
  {
    file: fleet,
    line: "if (worker.trialMs < probationMs) return;",
    becomes: "if (worker.trialMs >= 0) return;",
    breaks: "a miner that shows nothing is never let go",
  },
  {
    file: fleet,
    line: "if (sleptMs > 0) worker.advancedMs = Math.min(nowMs, worker.advancedMs + sleptMs);",
    becomes: "",
    breaks: "miners are blamed for the time that the server's machine slept",
  },
  {
    file: stragglers,
    line: "if (nowMs - worker.advancedMs >= limits.lateMs) fleet.doubt(task, nowMs);",
    becomes: "",
    breaks: "a cbor miner is not raced by elapsed time",
  },
  {
    file: roster,
    line: "return this.stalls === 0 ? patienceMs : patienceMs / (this.stalls === 1 ? 2 : 4);",
    becomes: "return patienceMs;",
    breaks: "stalls are forgotten at once",
  },
  {
    file: roster,
    line: "this.stalls--;",
    becomes: "",
    breaks: "no stall is ever forgiven",
  },
  {
    file: roster,
    line: "this.rate.declare(Math.min(this.declared, most));",
    becomes: "this.rate.declare(Math.max(this.declared, most));",
    breaks: "what a miner declares is believed",
  },
  {
    file: roster,
    line: 'return this.steerable && this.standing === "proven" ? this.capacity + 1 : 1;',
    becomes: "return this.steerable ? this.capacity + 1 : 1;",
    breaks: "a miner that has shown nothing has a queue",
  },
  {
    file: roster,
    line: "return this.#proven.size > 0 ? this.#proven.total : this.#others.total;",
    becomes: "return this.#proven.total + this.#others.total;",
    breaks: "what strangers declare enters the fleet's rate",
  },
  {
    file: dispatcher,
    line: "return Number(job.pendingUnits) > this.#provenRate(job) * this.#limits.taskSeconds;",
    becomes: "return true;",
    breaks: "any number of new miners hold parts of a short job",
  },
  {
    file: scheduler,
    line: "if (++looks >= most) return undefined;",
    becomes: "looks++;",
    breaks: "a miner that nothing suits is offered every job there is",
  },
  {
    file: scheduler,
    line: "beside.update(job, isPending && job.fitsBlind(true));",
    becomes: "beside.update(job, isPending && job.fitsBlind(false));",
    breaks: "classic miners get what cbor ones should do",
  },
  {
    file: core,
    line: "this.#reports.supersede(connId, message.chunk);",
    becomes: "",
    breaks: "a report that waited is read after the end of its chunk",
  },
  {
    file: miners,
    line: "this.#shares.leave(miner.connId);",
    becomes: "",
    breaks: "the places of miners that left stay taken",
  },
  {
    file: admission,
    line: "this.#shares.countJob(asker.share, bytes, by);",
    becomes: "if (by > 0) this.#shares.countJob(asker.share, bytes, by);",
    breaks: "what an address's jobs took stays taken",
  },
  {
    file: admission,
    line: "asker.messageBytes += by * bytes;",
    becomes: "asker.messageBytes += bytes;",
    breaks: "what a client's messages took stays taken",
  },
  {
    file: admission,
    line: '["this address", share.jobs, limits.maxJobsPerAddress],',
    becomes: "",
    breaks: "one address takes all jobs",
  },
  {
    file: admission,
    line: "if (answers + this.#jobs < limits.maxAnswers) return undefined;",
    becomes: "if (this.#jobs < limits.maxAnswers) return undefined;",
    breaks: "answers are kept without number",
  },
  {
    file: clients,
    line: "this.#searchLast(job);",
    becomes: "",
    breaks: "classic miners are given the nonce 2^64 - 1",
  },
  {
    file: search,
    line: "job.pending.remove(nonce, nonce + 1n);",
    becomes: "",
    breaks: "the last nonce is given away although it is searched",
  },
  {
    file: "server/resume.ts",
    line: 'if (next - lower > most) return "held more than its rate allows";',
    becomes: "",
    breaks: "a miner that comes back is believed whatever it says that it has searched",
  },
  {
    file: core,
    line: 'if (miner.hasResumed) return this.#outlet.reject("resume for the second time");',
    becomes: "",
    breaks: "a miner brings back more and more of an earlier connection",
  },
  {
    file: "server/table_copies.ts",
    line: 'if (isNew && nowMs < this.#nextMs) return "a copy was taken just now: try again soon";',
    becomes: "",
    breaks: "strangers keep the server at copying its table",
  },
  {
    file: "server/table_copies.ts",
    line: "this.#copies.delete(who);",
    becomes: "for (const other of this.#copies.keys()) this.#copies.delete(other);",
    breaks: "a program that exports takes away the copies of others",
  },
  {
    file: "server/ledger.ts",
    line: "if (proposal.isInDoubt) this.#undo(proposal, nowMs);",
    becomes: "",
    breaks: "a job runs whose client was told that it is refused",
  },
  {
    file: "server/ledger.ts",
    line: 'return first?.kind !== "forget" || this.isLeaving(first.name);',
    becomes: "return true;",
    breaks: "an accepted job is forgotten because an earlier one of its name was",
  },
  {
    file: "server/ledger.ts",
    line: "return earlier(this.#againMs, this.table.answers > 0 ? this.#expireMs : undefined);",
    becomes: "return this.#againMs;",
    breaks: "answers are kept for ever by a server that nobody speaks to",
  },
];
