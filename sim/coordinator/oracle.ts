/**
 * The oracle of the coordinator's simulation: it knows every job's true answer, what was hashed,
 * what the server told whom, and holds each new life of the server to that.
 *
 * @module
 */
import type { JobTable } from "../../server/table.ts";
import type { Candidate } from "../../work/candidate.ts";
import { demand } from "../engine/trace.ts";
import { cheapSearch } from "../fleet/cheap_hash.ts";
import { Intervals } from "../fleet/intervals.ts";

/** One job, by its message, which is its own. */
export interface Errand {
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly expected: Candidate;
  readonly hashed: Intervals;
  hashedAgain: bigint;
  /** As the server called it first; 0: not accepted. */
  id: number;
  /** The server has told the answer. */
  isTold: boolean;
  /** Its client has it. */
  isOver: boolean;
  /** Its client leaves, and comes back for the answer by the id. */
  readonly isKept: boolean;
}

/** See the module. */
export class CoordinatorOracle {
  readonly errands: Map<string, Errand> = new Map();

  add(message: string, lower: bigint, upper: bigint, isKept: boolean): Errand {
    const expected = cheapSearch(message, lower, upper, undefined);
    const books = { hashed: new Intervals(), hashedAgain: 0n, id: 0, isTold: false, isOver: false };
    const errand = { message, lower, upper, expected, isKept, ...books };
    this.errands.set(message, errand);
    return errand;
  }

  hashed(message: string, lower: bigint, upper: bigint): void {
    const errand = this.errands.get(message)!;
    errand.hashedAgain += errand.hashed.add(lower, upper);
  }

  /** A server, perhaps one of several, takes [lower, upper] for searched. */
  accepted(message: string, lower: bigint, upper: bigint, isAlone: boolean): void {
    const errand = this.errands.get(message)!;
    demand(
      errand.hashed.covers(lower, upper),
      () => `${message}: accepted ${lower}..${upper}, which nobody has hashed`,
    );
    // One of several that is cut off may not know yet that another one has answered.
    demand(!isAlone || !errand.isTold, () => `${message}: runs although it is answered`);
  }

  /** The server says that it has taken the job in. */
  told(errand: Errand, id: number): void {
    demand(errand.id === 0 || errand.id === id, () => `${errand.message}: taken in a second time`);
    errand.id = id;
  }

  /** A server says the answer; it must be there from now on if it `isKept`. */
  answered(errand: Errand, { hash, nonce }: Candidate, isKept: boolean): void {
    const { expected, message } = errand;
    if (isKept) errand.isTold = true;
    demand(
      hash === expected.hash && nonce === expected.nonce,
      () =>
        `${message}: answered ${hash} at ${nonce}, true is ${expected.hash} at ${expected.nonce}`,
    );
  }

  /** A new life of the server has this table, and leads. */
  restored(table: JobTable): void {
    const known = new Map<string, "record" | "answer">();
    for (const { records, answers } of table.sessions.values()) {
      for (const record of records.values()) {
        const message = String(record.spec.subject);
        known.set(message, "record");
        this.#demandHashed(message, record.uncovered.intervals);
      }
      for (const { shown } of answers.values()) known.set(shown, "answer");
    }
    for (const { message, id, isOver, isTold, isKept } of this.errands.values()) {
      if (id === 0 || (isOver && !isKept)) continue;
      const found = known.get(message);
      demand(found !== undefined, () => `${message}: accepted, and lost`);
      demand(!isTold || found === "answer", () => `${message}: answered, and forgotten`);
    }
  }

  #demandHashed(message: string, uncovered: readonly { lower: bigint; end: bigint }[]): void {
    const { lower, upper, hashed } = this.errands.get(message)!;
    let next = lower;
    const ends = [...uncovered, { lower: upper + 1n, end: upper + 1n }];
    for (const open of ends) {
      const isHashed = open.lower <= next || hashed.covers(next, open.lower - 1n);
      demand(isHashed, () => `${message}: ${next}..${open.lower - 1n} is kept as searched`);
      next = open.end;
    }
  }
}
