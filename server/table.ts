/**
 * The table of jobs: what must outlive connections, chunks and the server itself. A job's name is
 * its client's session and number; its record says what was asked, what is searched, and what was
 * found. No clock, no connection, no chunk: equal calls give equal tables everywhere.
 *
 * @module
 */
import { invariant } from "../base/machine.ts";
import { better, type Candidate } from "../work/candidate.ts";
import { type Interval, IntervalSet } from "../work/interval_set.ts";
import { isSameSearch, type SearchSpec, subjectBytes } from "../work/subject.ts";
import { searchDigest } from "../work/wire.ts";

/** A job's name, for as long as it is remembered. */
export interface JobName {
  /** 64 bits that the client picked at random; more for a classic one, which cannot pick. */
  readonly session: bigint;
  /** The session's number for the job, 1 and up. */
  readonly number: number;
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
  /** Nonces that nobody has searched yet (or whose searching nobody has confirmed). */
  readonly uncovered: IntervalSet;
  #done = 0n;
  #least: Candidate | undefined;
  #hit: Candidate | undefined;

  constructor(name: JobName, spec: SearchSpec) {
    this.name = name;
    this.spec = spec;
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

/** An answer, and enough of the question to know it again. */
export interface KeptAnswer extends SearchAnswer {
  /** Of what was asked: see `searchDigest`. */
  readonly digest: string;
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
  | { readonly kind: "answered"; readonly answer: SearchAnswer }
  /** The number names another job. */
  | { readonly kind: "taken" };

/** See the module. */
export class JobTable {
  readonly sessions: Map<bigint, Session> = new Map();
  readonly #answersMax: number;
  /** Names of the jobs with answers, the oldest answer first. */
  readonly #answered = new Set<string>();
  #records = 0;
  #subjectBytes = 0;

  /** Keeps `answersMax` answers of all sessions together; the oldest goes first. */
  constructor(answersMax: number) {
    this.#answersMax = answersMax;
  }

  /** Jobs without an answer. */
  get size(): number {
    return this.#records;
  }

  /** Answers kept. */
  get answers(): number {
    return this.#answered.size;
  }

  /** Bytes of the subjects of the jobs without an answer. */
  get subjectBytes(): number {
    return this.#subjectBytes;
  }

  /** What is known by that name, and whether `spec` says the same. */
  find(name: JobName, spec: SearchSpec): Submitted | undefined {
    const session = this.sessions.get(name.session);
    const record = session?.records.get(name.number);
    const answer = session?.answers.get(name.number);
    if (answer !== undefined) {
      return answer.digest === searchDigest(spec)
        ? { kind: "answered", answer }
        : { kind: "taken" };
    }
    if (record === undefined) return undefined;
    return isSameSearch(record.spec, spec) ? { kind: "known", record } : { kind: "taken" };
  }

  /** Takes in a job of a new name, or finds what is known by it. */
  submit(name: JobName, spec: SearchSpec): Submitted {
    const known = this.find(name, spec);
    if (known !== undefined) return known;
    const record = new SearchRecord(name, spec);
    this.#sessionOf(name).records.set(name.number, record);
    this.#records++;
    this.#subjectBytes += subjectBytes(spec.subject);
    return { kind: "new", record };
  }

  /** The job is done: its record makes way for its answer. */
  answer(record: SearchRecord): SearchAnswer {
    const { name, spec, best, met } = record;
    invariant(record.isDone && best !== undefined, "only a finished search has an answer");
    this.#remove(record);
    this.putAnswer(name, { best, met, digest: searchDigest(spec) });
    return { best, met };
  }

  /** Forgets the job, answered or not. */
  forget({ session, number }: JobName): void {
    const record = this.sessions.get(session)?.records.get(number);
    if (record !== undefined) this.#remove(record);
    this.sessions.get(session)?.answers.delete(number);
    this.#answered.delete(textOf({ session, number }));
    this.#tidy(session);
  }

  /** Forgets the session and all its jobs. */
  end(session: bigint): void {
    const { records, answers } = this.sessions.get(session) ?? emptySession();
    for (const number of [...records.keys(), ...answers.keys()]) this.forget({ session, number });
  }

  /** Puts back what a snapshot says. The table must know nothing of that name. */
  putRecord(name: JobName, spec: SearchSpec, books: SearchBooks): void {
    const submitted = this.submit(name, spec);
    invariant(submitted.kind === "new", "a snapshot names each job once");
    submitted.record.restore(books);
  }

  /** Keeps an answer; also what a snapshot says, the oldest first. */
  putAnswer(name: JobName, answer: KeptAnswer): void {
    this.#sessionOf(name).answers.set(name.number, answer);
    this.#answered.add(textOf(name));
    if (this.#answered.size <= this.#answersMax) return;
    const [oldest] = this.#answered;
    if (oldest !== undefined) this.forget(nameFrom(oldest));
  }

  /** Jobs with answers, the oldest answer first. */
  *answered(): Iterable<readonly [JobName, KeptAnswer]> {
    for (const text of this.#answered) {
      const name = nameFrom(text);
      yield [name, this.sessions.get(name.session)!.answers.get(name.number)!];
    }
  }

  #sessionOf({ session }: JobName): Session {
    let known = this.sessions.get(session);
    if (known === undefined) this.sessions.set(session, (known = emptySession()));
    return known;
  }

  #remove({ name, spec }: SearchRecord): void {
    this.sessions.get(name.session)!.records.delete(name.number);
    this.#records--;
    this.#subjectBytes -= subjectBytes(spec.subject);
  }

  #tidy(session: bigint): void {
    const known = this.sessions.get(session);
    if (known?.records.size === 0 && known.answers.size === 0) this.sessions.delete(session);
  }
}

function emptySession(): Session {
  return { records: new Map(), answers: new Map() };
}

/** A job's name as one word. */
export function textOf({ session, number }: JobName): string {
  return `${session.toString(36)}/${number}`;
}

function nameFrom(text: string): JobName {
  const [session, number] = text.split("/") as [string, string];
  let value = 0n;
  for (const digit of session) value = value * 36n + BigInt(Number.parseInt(digit, 36));
  return { session: value, number: Number(number) };
}
