/**
 * The table of jobs: what must outlive connections, chunks and the server itself. A job's name is
 * its client's session and number; its record says what was asked, what is searched, and what was
 * found. No clock, no connection, no chunk: equal calls give equal tables everywhere. The time is
 * what the caller says it is.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { better, type Candidate } from "../work/candidate.ts";
import { type Interval, IntervalSet } from "../work/interval_set.ts";
import { clipped } from "../base/text.ts";
import { idFor } from "../work/job_id.ts";
import { SUBJECT_SHOWN_BYTES } from "../work/messages.ts";
import { isSameSearch, type SearchSpec } from "../work/subject.ts";
import { searchDigest } from "../work/wire_searches.ts";
import { Rows } from "./rows.ts";

/** A job's name, for as long as it is remembered. */
export interface JobName {
  /** 64 bits that the client picked at random; more for a classic one, which cannot pick. */
  readonly session: bigint;
  /** The session's number for the job, 1 and up. */
  readonly number: number;
}

/** One job of a name that may come again: see `SearchRecord.seq`. */
export interface JobRef {
  readonly name: JobName;
  readonly seq: number;
}

/** How a search ended. */
export interface SearchAnswer {
  readonly best: Candidate;
  /** Whether the target was reached; true for a search without one. */
  readonly met: boolean;
}

/** What is known of one search. */
export class SearchRecord {
  readonly name: JobName;
  readonly spec: SearchSpec;
  /** What people call it, 1..2^32-1; 0: it is not in the table. */
  readonly id: number;
  /** Its place in the order of submission; tells it from an earlier one of the same name. */
  readonly seq: number;
  /** Unix time in milliseconds. */
  readonly submittedMs: number;
  /** Whether it goes on although nobody waits for it. */
  readonly detached: boolean;
  /** Nonces that nobody has searched yet (or whose searching nobody has confirmed). */
  readonly uncovered: IntervalSet;
  #done = 0n;
  #least: Candidate | undefined;
  #hit: Candidate | undefined;

  constructor(name: JobName, spec: SearchSpec, about: Partial<RecordAbout> = {}) {
    this.name = name;
    this.spec = spec;
    this.id = about.id ?? 0;
    this.seq = about.seq ?? 0;
    this.submittedMs = about.submittedMs ?? 0;
    this.detached = about.detached ?? false;
    this.uncovered = new IntervalSet(spec.lower, spec.upper + 1n);
  }

  /** Nonces accepted as searched. */
  get done(): bigint {
    return this.#done;
  }

  /** The least hash seen. */
  get least(): Candidate | undefined {
    return this.#least;
  }

  /** The lowest known nonce that meets the target. */
  get hit(): Candidate | undefined {
    return this.#hit;
  }

  /** The hit, or else the least hash seen. */
  get best(): Candidate | undefined {
    return this.#hit ?? this.#least;
  }

  /** Whether a target was reached; a search without one has nothing to miss. */
  get met(): boolean {
    return this.spec.target === undefined || this.#hit !== undefined;
  }

  get isDone(): boolean {
    return this.uncovered.size === 0;
  }

  /** Whether `candidate` meets the target. */
  isHit(candidate: Candidate): boolean {
    return this.spec.target !== undefined && candidate.hash <= this.spec.target;
  }

  /** Takes a candidate whose hash was checked into account. */
  fold(candidate: Candidate): void {
    this.#least = better(this.#least, candidate);
    if (!this.isHit(candidate)) return;
    if (this.#hit === undefined || candidate.nonce < this.#hit.nonce) this.#hit = candidate;
  }

  /** Books `lower <= n < end` as searched and returns what of it is news. */
  accept(lower: bigint, end: bigint): Interval[] {
    const news = this.uncovered.remove(lower, end);
    for (const piece of news) this.#done += piece.end - piece.lower;
    return news;
  }

  /** A hit at `nonce` is known: nothing from there on needs searching any more. */
  cutFrom(nonce: bigint): void {
    this.uncovered.remove(nonce, this.spec.upper + 1n);
  }

  /** A record of its own that says the same: what changes one does not change the other. */
  copy(): SearchRecord {
    const copy = new SearchRecord(this.name, this.spec, this);
    const { done, least, hit } = this;
    copy.restore({ uncovered: this.uncovered.intervals, done, least, hit });
    return copy;
  }

  /** Replaces the books by those of a snapshot. */
  restore(books: SearchBooks): void {
    this.uncovered.remove(this.spec.lower, this.spec.upper + 1n);
    for (const { lower, end } of books.uncovered) this.uncovered.insert(lower, end);
    this.#done = books.done;
    this.#least = books.least;
    this.#hit = books.hit;
  }
}

/** The part of a record that changes. */
export interface SearchBooks {
  readonly uncovered: readonly Interval[];
  readonly done: bigint;
  readonly least: Candidate | undefined;
  readonly hit: Candidate | undefined;
}

/** What is fixed of a record beside name and search. */
export type RecordAbout = Pick<SearchRecord, "id" | "seq" | "submittedMs" | "detached">;

/** An answer, and enough of the question to know it again. */
export interface KeptAnswer extends SearchAnswer {
  /** Of what was asked: see `searchDigest`. */
  readonly digest: string;
  readonly id: number;
  /** The beginning of the message, or a header in hexadecimal. */
  readonly shown: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target: bigint | undefined;
  /** Unix times in milliseconds; `fetchedMs` is 0 until somebody has the answer. */
  readonly submittedMs: number;
  readonly answeredMs: number;
  fetchedMs: number;
}

/** What a session has asked for and has not let go of. */
export interface Session {
  readonly records: Map<number, SearchRecord>;
  readonly answers: Map<number, KeptAnswer>;
}

/** What became of a submit. */
export type Submitted =
  | { readonly kind: "new"; readonly record: SearchRecord }
  /** It was submitted before, in the same words: it goes on. */
  | { readonly kind: "known"; readonly record: SearchRecord }
  | { readonly kind: "answered"; readonly answer: KeptAnswer }
  /** The number names another job. */
  | { readonly kind: "taken" };

/** How long an answer is kept after it was fetched, in milliseconds. */
export const FETCHED_KEPT_MS: number = 24 * 3_600_000;
/** How long an answer is kept that nobody fetches, in milliseconds. */
export const ANSWER_KEPT_MS: number = 30 * FETCHED_KEPT_MS;

/** See the module. */
export class JobTable {
  readonly sessions: Map<bigint, Session> = new Map();
  /** What other kinds of work keep here. */
  readonly rows: Rows = new Rows();
  /** The latest time that was told. Unix time in milliseconds. */
  timeMs = 0;
  /** Jobs that were ever taken in. */
  submits = 0;
  readonly #byId = new Map<number, JobName>();
  #ids: number[] | undefined;
  #records = 0;
  #answers = 0;

  /** Jobs without an answer. */
  get size(): number {
    return this.#records;
  }

  /** Answers kept. */
  get answers(): number {
    return this.#answers;
  }

  /** It is `timeMs` now, or later: time does not run back. */
  advance(timeMs: number): void {
    // A table of the first version says no times: those begin now.
    if (this.timeMs === 0) {
      for (const { answers } of this.sessions.values()) {
        for (const [number, answer] of answers) {
          if (answer.answeredMs === 0) answers.set(number, { ...answer, answeredMs: timeMs });
        }
      }
    }
    this.timeMs = Math.max(this.timeMs, timeMs);
  }

  /** What is known by that name, and whether `spec` says the same. */
  find(name: JobName, spec: SearchSpec): Submitted | undefined {
    const record = this.record(name);
    const answer = this.answerOf(name);
    if (answer !== undefined) {
      return answer.digest === searchDigest(spec)
        ? { kind: "answered", answer }
        : { kind: "taken" };
    }
    if (record === undefined) return undefined;
    return isSameSearch(record.spec, spec) ? { kind: "known", record } : { kind: "taken" };
  }

  /** The name of the job that people call `id`. */
  nameOf(id: number): JobName | undefined {
    return this.#byId.get(id);
  }

  record({ session, number }: JobName): SearchRecord | undefined {
    return this.sessions.get(session)?.records.get(number);
  }

  answerOf({ session, number }: JobName): KeptAnswer | undefined {
    return this.sessions.get(session)?.answers.get(number);
  }

  /** Up to `most` ids from `from` on, ascending. */
  idsFrom(from: number, most: number): number[] {
    this.#ids ??= [...this.#byId.keys()].sort((a, b) => a - b);
    const ids = this.#ids;
    let [low, high] = [0, ids.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (ids[middle]! < from) low = middle + 1;
      else high = middle;
    }
    return ids.slice(low, low + most);
  }

  /** Takes in a job of a new name, or finds what is known by it. */
  submit(name: JobName, spec: SearchSpec, detached = false): Submitted {
    const known = this.find(name, spec);
    if (known !== undefined) return known;
    const id = idFor(name, (taken) => this.#byId.has(taken));
    const seq = ++this.submits;
    const record = new SearchRecord(name, spec, { id, seq, submittedMs: this.timeMs, detached });
    this.putRecord(record);
    return { kind: "new", record };
  }

  /** Books what was searched, and what was found, as it was reported. */
  progress({ name, seq, searched, least, hit }: JobRef & SearchNews): void {
    const record = this.record(name);
    if (record?.seq !== seq) return;
    for (const { lower, end } of searched) record.accept(lower, end);
    if (least !== undefined) record.fold(least);
    if (hit === undefined) return;
    record.fold(hit);
    record.cutFrom(hit.nonce);
  }

  /** The job is done: its record makes way for its answer. The first answer stays. */
  answer({ name, seq, best, met }: JobRef & SearchAnswer): void {
    const record = this.record(name);
    if (record?.seq !== seq) return;
    const { id, spec, submittedMs } = record;
    const { subject, lower, upper, target } = spec;
    this.#remove(record);
    const shown =
      typeof subject === "string" ? clipped(subject, SUBJECT_SHOWN_BYTES) : subject.toHex();
    const asked = { digest: searchDigest(spec), id, shown, lower, upper, target, submittedMs };
    this.putAnswer(name, { best, met, ...asked, answeredMs: this.timeMs, fetchedMs: 0 });
  }

  /** Somebody has the answer. */
  fetched(name: JobName): void {
    const answer = this.answerOf(name);
    if (answer?.fetchedMs === 0) answer.fetchedMs = this.timeMs;
  }

  /** Forgets the job, answered or not. */
  forget(name: JobName): void {
    const { session, number } = name;
    const record = this.record(name);
    if (record !== undefined) this.#remove(record);
    const answer = this.answerOf(name);
    if (answer !== undefined) {
      this.sessions.get(session)!.answers.delete(number);
      this.#answers--;
    }
    const id = (record ?? answer)?.id;
    if (id !== undefined && this.#byId.delete(id)) this.#ids = undefined;
    this.#tidy(session);
  }

  /** Forgets the answers that were kept long enough. */
  expire(): void {
    const names = Array.from(this.expired());
    for (const name of names) this.forget(name);
  }

  /** Names of the answers that were kept long enough at `timeMs`, or now. */
  *expired(timeMs: number = this.timeMs): Iterable<JobName> {
    for (const [session, { answers }] of this.sessions) {
      for (const [number, { answeredMs, fetchedMs }] of answers) {
        const isOld = timeMs - answeredMs >= ANSWER_KEPT_MS;
        const isFetched = fetchedMs > 0 && timeMs - fetchedMs >= FETCHED_KEPT_MS;
        if (isOld || isFetched) yield { session, number };
      }
    }
  }

  /** Takes in a record, also what a snapshot says. The table must know nothing of its name. */
  putRecord(record: SearchRecord): void {
    const { name, id } = record;
    this.#nameIt(id, name);
    this.#sessionOf(name).records.set(name.number, record);
    this.#records++;
  }

  /** Keeps an answer; also what a snapshot says. */
  putAnswer(name: JobName, answer: KeptAnswer): void {
    this.#nameIt(answer.id, name);
    this.#sessionOf(name).answers.set(name.number, answer);
    this.#answers++;
  }

  #nameIt(id: number, name: JobName): void {
    const known = this.#byId.get(id);
    invariant(
      known === undefined || (known.session === name.session && known.number === name.number),
      `two jobs are called ${id}`,
    );
    this.#byId.set(id, name);
    this.#ids = undefined;
  }

  #sessionOf({ session }: JobName): Session {
    let known = this.sessions.get(session);
    if (known === undefined) {
      known = { records: new Map(), answers: new Map() };
      this.sessions.set(session, known);
    }
    return known;
  }

  #remove({ name }: SearchRecord): void {
    this.sessions.get(name.session)!.records.delete(name.number);
    this.#records--;
  }

  #tidy(session: bigint): void {
    const known = this.sessions.get(session);
    if (known?.records.size === 0 && known.answers.size === 0) this.sessions.delete(session);
  }
}

/** What is new of a search. */
export interface SearchNews {
  readonly searched: readonly Interval[];
  readonly least: Candidate | undefined;
  readonly hit: Candidate | undefined;
}

/** A job's name as one word. */
export function textOf({ session, number }: JobName): string {
  return `${session.toString(36)}/${number}`;
}
