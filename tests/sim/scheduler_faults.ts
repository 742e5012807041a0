/** Faults of the scheduler and the server, for the fleet harness to notice; see mutants.ts. */
import type { Mutant } from "../../tools/mutants.ts";
import { faultsFor } from "./fault.ts";

const fleet = "work/fleet.ts";
const stragglers = "work/stragglers.ts";
const scheduler = "work/scheduler.ts";
const dispatcher = "work/dispatcher.ts";
const sizing = "work/sizing.ts";
const doubts = "work/doubts.ts";
const search = "server/search.ts";
const clients = "server/clients.ts";
const serverCore = "server/core.ts";
const serverMiners = "server/miners.ts";
const reports = "server/reports.ts";
const shares = "server/shares.ts";
const table = "server/table.ts";
const minerLink = "miner/link.ts";

const fault = faultsFor("fleet");

export const SCHEDULER_FAULTS: readonly Mutant[] = [
  fault(fleet, "this.#port.stop(task);", "", "chunks of cancelled jobs go on"),
  fault(
    fleet,
    "if (nowMs - worker.advancedMs >= patienceMs) this.#stall(worker, nowMs);",
    "if (nowMs < 0) this.#stall(worker, nowMs);",
    "a miner that stalls keeps its work",
    "what is late is raced after a second already, once anybody is idle",
  ),
  fault(fleet, "task.release();", "", "what a lost miner had is forgotten"),
  fault(
    fleet,
    "job.raced.add(task);",
    "",
    "a chunk that others have done is not taken back",
    "it costs the one miner that was late its time, and the job is over soon",
  ),
  fault(
    fleet,
    'if (task.worker.standing === "suspect") this.race(task);',
    "",
    "jobs wait for the probes of suspects",
    "a suspect's probe is late after a second, and is raced then",
  ),
  fault(
    fleet,
    "for (const task of tasks) if (task !== except && task.isNeedless) this.stop(task, nowMs);",
    "",
    "a chunk in which nothing is left to find goes on",
    "it costs the one miner that was late its time, and the job is over soon",
  ),
  fault(fleet, "this.jobs.delete(job);", "", "jobs that are over are kept"),
  fault(
    stragglers,
    "if (scheduler.hasWork) return;",
    "if (nowMs >= 0) return;",
    "stragglers are never relieved",
  ),
  fault(
    stragglers,
    "if (remaining <= speed * limits.taskSeconds * limits.oversizedTasks) return;",
    "if (remaining >= 0) return;",
    "a miner that became slow keeps an oversized chunk",
  ),
  fault(
    stragglers,
    "if (nowMs - worker.advancedMs >= limits.lateMs) fleet.doubt(task, nowMs);",
    "",
    "a cbor miner is not raced by elapsed time",
  ),
  fault(
    stragglers,
    "} else if (isLate(task, nowMs, limits)) fleet.race(task);",
    "}",
    "a classic miner that is late is not raced",
  ),
  fault(
    scheduler,
    "if (contested && this.#credit >= price && ranking.has(oldest) && suits(oldest)) {",
    "if (this.#credit > 1e9) {",
    "the oldest job starves",
  ),
  fault(
    scheduler,
    "return left < right || (left === right && oldestSeq(a) < oldestSeq(b));",
    "return oldestSeq(a) < oldestSeq(b);",
    "clients are served in order of arrival",
  ),
  fault(
    scheduler,
    "const charge = choice.onCredit ? earned - seconds : earned;",
    "const charge = earned;",
    "the oldest job takes all",
  ),
  fault(
    scheduler,
    "account.remaining += job.remaining - (this.#known.get(job) ?? 0n);",
    "account.remaining = job.remaining;",
    "a thousand jobs of a client weigh as much as its last",
  ),
  fault(
    scheduler,
    "job.account.remaining -= this.#known.get(job) ?? 0n;",
    "",
    "what a client had is counted for ever",
  ),
  fault(
    scheduler,
    "const earned = seconds * this.#limits.oldestShare;",
    "const earned = seconds * this.#limits.oldestShare * 3;",
    "the oldest job gets three quarters",
  ),
  fault(
    dispatcher,
    "if (this.#scheduler.shortest !== job) return [];",
    "if (this.#scheduler.shortest !== undefined) return [];",
    "a short job waits behind queued chunks",
  ),
  fault(
    dispatcher,
    "!this.#doubts.bars(job, worker) && (!isNew || this.#hasRoomForNew(job)) && job.suits(worker);",
    "(!isNew || this.#hasRoomForNew(job)) && job.suits(worker);",
    "a miner that failed a job gets more of it",
  ),
  fault(
    dispatcher,
    "this.#feedAll(unproven, nowMs);",
    "if (!this.#roster.hasProven) this.#feedAll(unproven, nowMs);",
    "a miner that joins while others work gets nothing",
  ),
  fault(
    dispatcher,
    "if (!this.#roster.hasProven || job.probes.size === 0) return true;",
    "if (!this.#roster.hasProven) return true;",
    "a miner that joins gets nothing of a job that is nearly done",
  ),
  fault(
    stragglers,
    "const overdue = nowMs >= task.confirmByMs;",
    "const overdue = true;",
    "a chunk is raced before its miner could confirm that it ends earlier",
  ),
  fault(
    stragglers,
    "if (nowMs - worker.advancedMs >= limits.lateMs) fleet.doubt(task, nowMs);",
    "if (nowMs - worker.advancedMs >= limits.tickMs) fleet.doubt(task, nowMs);",
    "others do again what a miner is about to report",
  ),
  fault(
    fleet,
    "for (const job of jobs) this.#forget(job, nowMs);",
    "for (const job of jobs) void (this.#forget(job, nowMs), this.#dispatcher.feed(nowMs));",
    "miners get work of jobs that are about to be dropped",
  ),
  fault(
    search,
    "if (!chunk.isHit(best)) this.#advance(chunk, chunk.end, nowMs);",
    "if (job === undefined || !chunk.isHit(best)) this.#advance(chunk, chunk.end, nowMs);",
    "a hit in a job that is over counts for all of its chunk",
  ),
  fault(
    sizing,
    "const full = rate === undefined ? Number(limits.probeUnits) : rate * limits.taskSeconds;",
    "const full = rate === undefined ? Number(limits.probeUnits) : rate * 5;",
    "a chunk keeps a miner busy for five seconds",
  ),
  fault(
    sizing,
    "size = Math.max(Math.min(size, fair * GUIDED_PART), floor);",
    "size = Math.max(size, floor);",
    "chunks do not shrink toward the end of a job",
  ),
  fault(
    doubts,
    "this.strikes.push({ worker, reason, count: ++worker.strikes });",
    "",
    "liars are never struck",
  ),
  fault(
    doubts,
    "if (!suspicion.isOpen()) this.strike(suspicion.worker, suspicion.reason);",
    "",
    "what turns out to be a lie is forgotten",
  ),
  fault(
    doubts,
    "if (nowMs - sinceMs < this.#limits.doubtMs) continue;",
    "",
    "a job is given up before others have come",
  ),
  fault(
    search,
    'if (this.#port.hash(job.record.spec.subject, best.nonce) !== best.hash) return "wrong hash";',
    "",
    "hashes are believed",
  ),
  fault(
    search,
    "if (best.nonce < chunk.lower || best.nonce >= chunk.assignedEnd) {",
    "if (best.nonce < 0n) {",
    "nonces from outside a chunk are believed",
  ),
  fault(
    search,
    'if (next < chunk.next || next > chunk.end) return "cursor outside its chunk";',
    "",
    "cursors beyond a chunk are believed",
  ),
  fault(search, "job.cutFrom(nonce);", "", "what lies above a hit is searched"),
  fault(
    search,
    "if (chunk.next >= nonce) this.#fleet.stop(chunk, nowMs);",
    "",
    "chunks above a hit go on",
  ),
  fault(
    search,
    "job.release(end, chunk.heldEnd);",
    "",
    "what a miner gave up by Shrunk is forgotten",
  ),
  fault(
    search,
    "else this.#advanceFromTop(chunk, best.nonce, nowMs);",
    "else this.#advance(chunk, best.nonce + 1n, nowMs);",
    "a classic miner's hit is taken for the lowest",
  ),
  fault(
    search,
    "if (best !== undefined && best.nonce < next && record?.isHit(best)) return chunk.next;",
    "",
    "a hit that is known early is taken for the lowest",
    "a simulated pool has one thread, which stops at its first hit",
  ),
  fault(search, "record.fold(best);", "", "what miners find is forgotten"),
  fault(clients, "this.#fleet.dropJobs(jobs, nowMs);", "", "jobs of lost clients go on"),
  fault(
    "server/attendance.ts",
    "this.askers.delete(asker.session);",
    "",
    "askers are remembered without end",
  ),
  fault(
    clients,
    "if (asker.connId !== connId) return;",
    "",
    "the job of a client that came back is dropped with its old connection",
  ),
  fault(
    clients,
    'if (connId < asker.connId) return this.#outlet.reject("submit over a connection given up");',
    "",
    "what is late takes a session back",
    "two datagrams must change places: one seed of 6,000 shows it",
  ),
  fault(clients, "asker.connId = connId;", "", "a client that came back hears nothing"),
  fault(
    clients,
    "this.#searchLast(job);",
    "",
    "the last of all nonces is not searched by the server",
  ),
  fault(
    clients,
    "if (asker.jobs.size > 0) return;",
    "",
    "classic requests run side by side",
    "no simulated classic client asks for two things at once",
  ),
  fault(
    serverMiners,
    "if (count < maxStrikes) continue;",
    "if (count >= 0) continue;",
    "a liar is struck and stays",
  ),
  fault(
    serverCore,
    "this.#outlet.closing.delete(connId);",
    "",
    "connections that are closing are remembered without end",
  ),
  fault(
    reports,
    "this.#buckets.delete(connId);",
    "",
    "how often miners reported is remembered without end",
  ),
  fault(shares, "this.#tidy(known.share);", "", "addresses that have nothing are remembered"),
  fault(
    table,
    "for (const piece of news) this.#done += piece.end - piece.lower;",
    "this.#done = 0n;",
    "progress is not counted",
  ),
  fault(
    minerLink,
    "return this.#wait(reason, this.#refusals.next(), nowMs);",
    "return this.#wait(reason, 0, nowMs);",
    "a miner that is sent away comes back at once",
  ),
];
