/**
 * Sessions over a replicated state machine (thesis, section 6.3): what makes a command that a
 * client sends again, to whichever leader, be carried out once. A session is opened by an entry of
 * the log and named by that entry's index. Its requests are numbered from 1; each says from which
 * number on the client still waits for answers, and answers are kept from there. All of this is a
 * part of the replicated state, and so the same on every node and in every snapshot.
 *
 * Nothing here knows a clock. A session ends by an entry that the leader proposes.
 *
 * A command is bytes: 0 opens a session. 1, then the session (8 bytes), the request's number (4),
 * how many before it may still be unanswered (2), all big-endian, then the command of the machine
 * within. 2, then any number of sessions (8 bytes each), ends those. 4, then what stands behind 1,
 * is a run: requests of consecutive numbers, the first of which is named, each command behind its
 * length (base/byte_fields.ts).
 *
 * @module
 */
import { putUint32, uint32At, uint53At } from "../base/big_endian.ts";
import { joinedBytes, partOf, placesIn } from "../base/byte_fields.ts";
import { type SnapshotSteps, type StateMachine, wholeStep } from "../base/state_machine.ts";

/** Sessions that may be open at a time; one more is refused. */
export const SESSIONS_MAX = 10_000;
/** Answers of one session that are kept, and so its requests that may be under way. */
export const ANSWERS_MAX = 1_024;

/** Why a command was not carried out. It is not, on any node, ever, unless it is sent again. */
export type SessionRefusal =
  /** The session was never opened, or has ended: the client must open another. */
  | "unknown session"
  /** A request with a smaller number has not been applied yet: send that first. */
  | "out of order"
  /** It was carried out, and the client has said that it has the answer. */
  | "forgotten"
  /** More than {@link ANSWERS_MAX} requests would wait for answers. */
  | "too many requests"
  | "too many sessions"
  | "malformed";

/** What a command came to. */
export type SessionAnswer =
  | { readonly kind: "opened"; readonly session: number }
  /** `isRepeated`: it had been carried out before, and this is the answer of then. */
  | { readonly kind: "done"; readonly answer: Uint8Array; readonly isRepeated: boolean }
  /**
   * Of a run: of each request its answer, or why it was not carried out. The first `repeated` of
   * them had been carried out before.
   */
  | {
      readonly kind: "ran";
      readonly answers: readonly (Uint8Array | SessionRefusal)[];
      readonly repeated: number;
    }
  | { readonly kind: "ended"; readonly sessions: number }
  | { readonly kind: "refused"; readonly why: SessionRefusal };

const OPEN = 0;
const REQUEST = 1;
const END = 2;
/** 3 is a command of no session (raft/group_state.ts). */
const RUN = 4;
const SESSION_BYTES = 8;
/** Kind, session, number, and how many before it. */
const REQUEST_BYTES: number = 1 + SESSION_BYTES + 4 + 2;
const SNAPSHOT_VERSION = 1;

/** The command that opens a session. */
export function openCommand(): Uint8Array {
  return Uint8Array.of(OPEN);
}

/**
 * The command of request `number` (1..2^32-1) of `session`. `lowest` is the least number whose
 * answer the client still waits for, `number` itself at most.
 */
export function requestCommand(
  session: number,
  number: number,
  lowest: number,
  command: Uint8Array,
): Uint8Array {
  return requestsCommand(REQUEST, session, number, lowest, command);
}

/**
 * The command of requests `number`, `number` + 1, and so on, of `session`, which are carried out as
 * one entry of the log. `commands` are theirs, as `packed` writes them, one at least.
 */
export function runCommand(
  session: number,
  number: number,
  lowest: number,
  commands: Uint8Array,
): Uint8Array {
  return requestsCommand(RUN, session, number, lowest, commands);
}

function requestsCommand(
  kind: number,
  session: number,
  number: number,
  lowest: number,
  command: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(REQUEST_BYTES + command.length);
  const before = Math.min(number - lowest, 0xffff);
  bytes[0] = kind;
  putUint32(bytes, 1, Math.floor(session / 2 ** 32));
  putUint32(bytes, 5, session);
  putUint32(bytes, 9, number);
  bytes[13] = before >>> 8;
  bytes[14] = before;
  bytes.set(command, REQUEST_BYTES);
  return bytes;
}

/** The command that ends `sessions`. */
export function endCommand(sessions: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(1 + SESSION_BYTES * sessions.length);
  bytes[0] = END;
  const view = new DataView(bytes.buffer);
  for (const [i, session] of sessions.entries()) {
    view.setBigUint64(1 + SESSION_BYTES * i, BigInt(session));
  }
  return bytes;
}

interface Session {
  /** The number that is carried out next. */
  next: number;
  readonly answers: Answers;
}

/** So many answers that are forgotten are left where they are. */
const FORGOTTEN_MAX = 64;

/** The last answers of a session, in the order of their requests, whose numbers have no gap. */
class Answers {
  #list: (Uint8Array | undefined)[] = [];
  /** Those before it are forgotten. */
  #first = 0;

  get size(): number {
    return this.#list.length - this.#first;
  }

  /** The one that was added `back` before the next one; undefined: it is not kept. */
  at(back: number): Uint8Array | undefined {
    return back > this.size ? undefined : this.#list[this.#list.length - back];
  }

  add(answer: Uint8Array): void {
    this.#list.push(answer);
  }

  /** Forgets all but the last `count`. */
  keep(count: number): void {
    const until = this.#list.length - Math.max(0, count);
    while (this.#first < until) this.#list[this.#first++] = undefined;
    // Moved now and then, which is cheaper than each time.
    if (this.#first <= FORGOTTEN_MAX || this.#first * 2 < this.#list.length) return;
    this.#list = this.#list.slice(this.#first);
    this.#first = 0;
  }

  /** Those that are kept, the oldest first. */
  whole(): Uint8Array[] {
    return this.#list.slice(this.#first) as Uint8Array[];
  }
}

/** A state machine whose commands are carried out once, whatever is sent again. */
export class Sessions implements StateMachine<SessionAnswer> {
  readonly #machine: StateMachine;
  /** In the order of their names, for they are opened in that order. */
  #sessions = new Map<number, Session>();

  constructor(machine: StateMachine) {
    this.#machine = machine;
  }

  /** Open sessions, the oldest first. */
  get open(): readonly number[] {
    return [...this.#sessions.keys()];
  }

  /** Answers kept, of all sessions. */
  get answers(): number {
    let sum = 0;
    for (const { answers } of this.#sessions.values()) sum += answers.size;
    return sum;
  }

  apply(command: Uint8Array, index: number): SessionAnswer {
    if (command.length === 1 && command[0] === OPEN) return this.#open(index);
    if (command[0] === REQUEST && command.length >= REQUEST_BYTES) {
      return this.#request(command, index);
    }
    if (command[0] === RUN) return this.#run(command, index);
    if (command[0] === END && command.length % SESSION_BYTES === 1) return this.#end(command);
    return { kind: "refused", why: "malformed" };
  }

  snapshot(): Uint8Array {
    return joinedBytes([this.#snapshotHead(), this.#machine.snapshot()]);
  }

  /** The same in steps, as they are now; one where the machine within has none. */
  snapshotSteps(): SnapshotSteps {
    const within = this.#machine.snapshotSteps?.();
    return within === undefined ? wholeStep(this.snapshot()) : behind(this.#snapshotHead(), within);
  }

  /** What comes before the snapshot of the machine within. */
  #snapshotHead(): Uint8Array {
    let length = 5;
    for (const { answers } of this.#sessions.values()) {
      length += 14;
      for (const answer of answers.whole()) length += 8 + answer.length;
    }
    const bytes = new Uint8Array(length);
    const view = new DataView(bytes.buffer);
    bytes[0] = SNAPSHOT_VERSION;
    view.setUint32(1, this.#sessions.size);
    let at = 5;
    for (const [session, { next, answers }] of this.#sessions) {
      view.setBigUint64(at, BigInt(session));
      view.setUint32(at + 8, next);
      view.setUint16(at + 12, answers.size);
      at += 14;
      for (const [i, answer] of answers.whole().entries()) {
        view.setUint32(at, next - answers.size + i);
        view.setUint32(at + 4, answer.length);
        bytes.set(answer, at + 8);
        at += 8 + answer.length;
      }
    }
    return bytes;
  }

  restore(bytes: Uint8Array): void {
    const reader = new Reader(bytes);
    const version = reader.uint(1);
    if (version !== SNAPSHOT_VERSION) {
      throw new Error(`Cannot read sessions of version ${version}: expected ${SNAPSHOT_VERSION}`);
    }
    const sessions = new Map<number, Session>();
    for (let left = reader.uint(4); left > 0; left--) {
      const name = reader.uint(8);
      const session: Session = { next: reader.uint(4), answers: new Answers() };
      for (let left = reader.uint(2); left > 0; left--) {
        if (reader.uint(4) !== session.next - left) {
          throw new Error("Cannot read sessions: the answers of one have gaps");
        }
        session.answers.add(reader.take(reader.uint(4)));
      }
      sessions.set(name, session);
    }
    this.#machine.restore(reader.rest());
    this.#sessions = sessions;
  }

  #open(index: number): SessionAnswer {
    if (this.#sessions.size >= SESSIONS_MAX) return { kind: "refused", why: "too many sessions" };
    this.#sessions.set(index, { next: 1, answers: new Answers() });
    return { kind: "opened", session: index };
  }

  #request(command: Uint8Array, index: number): SessionAnswer {
    const number = uint32At(command, 9);
    const session = this.#begin(command);
    if (typeof session === "string") return { kind: "refused", why: session };
    const isRepeated = number < session.next;
    const { length } = command;
    const answer = this.#carryOut(session, number, command, REQUEST_BYTES, length, index);
    if (typeof answer === "string") return { kind: "refused", why: answer };
    return { kind: "done", answer, isRepeated };
  }

  #run(command: Uint8Array, index: number): SessionAnswer {
    const places = placesIn(command, REQUEST_BYTES);
    if (places === undefined) return { kind: "refused", why: "malformed" };
    const first = uint32At(command, 9);
    const session = this.#begin(command);
    if (typeof session === "string") return { kind: "refused", why: session };
    const repeated = Math.max(0, Math.min(places.length / 2, session.next - first));
    const answers: (Uint8Array | SessionRefusal)[] = [];
    for (let at = 0, number = first; at < places.length; at += 2, number++) {
      answers.push(this.#carryOut(session, number, command, places[at]!, places[at + 1]!, index));
    }
    return { kind: "ran", answers, repeated };
  }

  /** The session of one request or a run, without the answers that nobody waits for any more. */
  #begin(command: Uint8Array): Session | SessionRefusal {
    const session = this.#sessions.get(uint53At(command, 1));
    if (session === undefined) return "unknown session";
    const number = uint32At(command, 9);
    const before = (command[13]! << 8) | command[14]!;
    if (number === 0 || before >= number) return "malformed";
    session.answers.keep(session.next - (number - before));
    return session;
  }

  /** Carries out bytes start..end - 1 of an entry, unless they were carried out before. */
  #carryOut(
    session: Session,
    number: number,
    entry: Uint8Array,
    start: number,
    end: number,
    index: number,
  ): Uint8Array | SessionRefusal {
    const { answers, next } = session;
    if (number < next) return answers.at(next - number) ?? "forgotten";
    if (number > next) return "out of order";
    if (answers.size >= ANSWERS_MAX) return "too many requests";
    const machine = this.#machine;
    const answer =
      machine.applyPart === undefined
        ? machine.apply(partOf(entry, start, end), index)
        : machine.applyPart(entry, start, end, index);
    answers.add(answer);
    session.next++;
    return answer;
  }

  #end(command: Uint8Array): SessionAnswer {
    const view = new DataView(command.buffer, command.byteOffset, command.length);
    let sessions = 0;
    for (let at = 1; at < command.length; at += SESSION_BYTES) {
      if (this.#sessions.delete(Number(view.getBigUint64(at)))) sessions++;
    }
    return { kind: "ended", sessions };
  }
}

function* behind(
  head: Uint8Array,
  within: SnapshotSteps,
): Generator<Uint8Array, Uint8Array, undefined> {
  yield head;
  for (;;) {
    const { done, value } = within.next();
    if (done === true) return value;
    yield value;
  }
}

/** Reads a snapshot; throws where it is cut off. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** An unsigned number of so many bytes, big-endian, below 2^53. */
  uint(bytes: number): number {
    let value = 0;
    for (const byte of this.take(bytes)) value = value * 256 + byte;
    return value;
  }

  /** A copy of the next bytes. */
  take(bytes: number): Uint8Array {
    const end = this.#at + bytes;
    if (end > this.#bytes.length) {
      throw new Error(`Cannot read sessions: cut off at byte ${this.#bytes.length} of ${end}`);
    }
    const taken = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return taken;
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }
}

/** The session that a command is a request of, or a run; undefined when it is none. */
export function sessionOf(command: Uint8Array): number | undefined {
  const isOne = command[0] === REQUEST || command[0] === RUN;
  if (!isOne || command.length < REQUEST_BYTES) return undefined;
  return uint53At(command, 1);
}
