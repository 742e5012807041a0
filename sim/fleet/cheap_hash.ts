/**
 * A hash for simulated fleets whose least value over any range is known in closed form: so a job
 * may have 2^60 nonces, a miner searches a million of them in microseconds of real time, and the
 * true answer of every job is at hand.
 *
 * hash(message, n) = (a * n + b) mod m, with a, b and the prime m drawn from the message. A small m
 * makes many ties. The least value over a range is found by the records of one-sided Diophantine
 * approximation (the three-distance theorem): each new minimum comes after the smallest step that
 * goes down by no more than the present value, and those steps follow Euclid's algorithm.
 *
 * @module
 */
import type { Subject } from "../../work/subject.ts";
import { demand } from "../engine/trace.ts";
import { seededRandom } from "../../base/random.ts";
import type { Candidate } from "../../work/candidate.ts";

/** Largest primes below 2^64 and 2^61, and small ones for the sake of ties. */
const PRIMES = [(1n << 64n) - 59n, (1n << 61n) - 1n, 1_000_003n, 65_537n, 97n];

interface Line {
  readonly a: bigint;
  readonly b: bigint;
  readonly m: bigint;
}

const subjects = new Map<string, Line>();
/** Subjects remembered; a campaign has no end, its memory has. */
const SUBJECTS_MAX = 10_000;

function subjectOf(message: string): Line {
  const known = subjects.get(message);
  if (known !== undefined) return known;
  let seed = 0;
  for (let i = 0; i < message.length; i++) seed = (seed * 31 + message.charCodeAt(i)) >>> 0;
  const random = seededRandom(seed, message.length);
  const word = () => (BigInt(random()) << 32n) | BigInt(random());
  const m = PRIMES[random() % PRIMES.length]!;
  const subject = { a: 1n + (word() % (m - 1n)), b: word() % m, m };
  if (subjects.size >= SUBJECTS_MAX) subjects.clear();
  subjects.set(message, subject);
  return subject;
}

/** The hash of `nonce`, below 2^64. */
export function cheapHash(message: string, nonce: bigint): bigint {
  const { a, b, m } = subjectOf(message);
  return (a * nonce + b) % m;
}

/** The hashes of `message` are spread evenly over 0 to one less than this. */
export function cheapModulus(message: string): bigint {
  return subjectOf(message).m;
}

/**
 * The least hash over [lower, upper] at its lowest nonce; with `target`, the first nonce whose hash
 * is at most that, if there is one.
 */
export function cheapSearch(
  message: string,
  lower: bigint,
  upper: bigint,
  target?: bigint,
): Candidate {
  const { a, m } = subjectOf(message);
  const floor = target ?? 0n;
  // After one period of m everything comes again, and ties go to the lowest nonce.
  const last = upper - lower < m ? upper - lower : m - 1n;
  let x = 0n;
  let value = cheapHash(message, lower);
  // Steps of `rise.x` raise the value by `rise.by`, steps of `fall.x` lower it by `fall.by`.
  const rise = { x: 1n, by: a };
  const fall = { x: 1n, by: m - a };
  while (value > floor) {
    if (fall.by <= value) {
      const fitting = (last - x) / fall.x;
      const wanted = min(value / fall.by, ceilingOf(value - floor, fall.by));
      const steps = min(wanted, fitting);
      x += steps * fall.x;
      value -= steps * fall.by;
      if (steps < wanted || steps === 0n) break;
      continue;
    }
    if (rise.by >= fall.by) reduce(rise, fall, (rise.by - 1n) / fall.by);
    else {
      const enough = ceilingOf(fall.by - value, rise.by);
      reduce(fall, rise, min(enough, (fall.by - 1n) / rise.by));
    }
    if (x + fall.x > last) break;
  }
  return { hash: value, nonce: lower + x };
}

interface Step {
  x: bigint;
  by: bigint;
}

function reduce(step: Step, other: Step, times: bigint): void {
  step.by -= times * other.by;
  step.x += times * other.x;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function ceilingOf(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** A simulated fleet has messages only. */
export function messageOf(subject: Subject): string {
  demand(typeof subject === "string", () => "a block header in a simulated fleet");
  return subject;
}

/** A job of a simulated client. */
export interface MessageJob {
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
}
