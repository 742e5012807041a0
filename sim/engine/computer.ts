/**
 * A simulated computer: a clock of its own, sleep, crashes, and disks that outlive them. Any number
 * of processes and sockets live on one; when it crashes, all of them are gone, and what starts
 * after that is new.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type Random, unitReal } from "../../base/random.ts";
import { Clock, type ClockQuirks, PERFECT_CLOCK } from "./clock.ts";
import type { Loop } from "./loop.ts";

/** What sets one computer apart from another. */
export interface Quirks extends ClockQuirks {
  /** Datagrams that the receive buffer of a socket holds; more are lost. */
  readonly bufferDatagrams: number;
  /** A turn of the event loop begins up to this long after what woke it. */
  readonly turnDelayMsMax: Millis;
}

/** A computer without quirks. */
export const PLAIN: Quirks = { bufferDatagrams: 1024, turnDelayMsMax: 0, ...PERFECT_CLOCK };

/** Times of one clock, counted on another, are as exact as this. */
const ROUNDING_MS = 1e-3;

/** Something that lives on a computer until that crashes. */
export interface Resident {
  /** It is gone at once. */
  crash(): void;
  /** A sleep is over: timers may have run off, and datagrams have come. */
  wakeUp(): void;
}

/** Something that a crash does not take away. */
export interface Durable {
  /** Those who used it are dead. */
  crashProcess(): void;
  /** The power is gone: so is what was not durable yet. */
  cutPower(): void;
}

/** What a computer is made of. */
export interface ComputerOptions {
  readonly name: string;
  readonly loop: Loop;
  readonly quirks?: Quirks;
  /** Draws when turns begin; needed where `turnDelayMsMax` is not 0. */
  readonly random?: Random;
  /** What it has that survives its crashes. */
  readonly disks?: readonly Durable[];
}

/** See the module. */
export class Computer {
  readonly name: string;
  readonly loop: Loop;
  readonly disks: readonly Durable[];
  /** The longest that a turn ever kept anything waiting. */
  readonly slowestTurnMs: Millis;
  #quirks: Quirks;
  readonly #clock: Clock;
  readonly #random: Random | undefined;
  readonly #residents = new Set<Resident>();
  /** What was to happen during a sleep. */
  readonly #deferred: (() => void)[] = [];
  #asleepUntilMs: Millis = 0;
  /** When its last sleep was over, or will be; 0 if there was none. */
  #sleptUntilMs: Millis = 0;

  constructor({ name, loop, quirks = PLAIN, random, disks = [] }: ComputerOptions) {
    this.name = name;
    this.loop = loop;
    this.disks = disks;
    this.#quirks = quirks;
    this.slowestTurnMs = quirks.turnDelayMsMax;
    this.#random = random;
    this.#clock = new Clock(loop, quirks);
  }

  get quirks(): Quirks {
    return this.#quirks;
  }

  get clock(): Clock {
    return this.#clock;
  }

  /** What its clock reads. */
  nowMs(): Millis {
    return this.#clock.nowMs();
  }

  /** Whether a sleep kept it from doing in time what it did at `atMs` of its clock, or since. */
  hasSleptSince(atMs: Millis): boolean {
    if (this.#sleptUntilMs === 0) return false;
    const sinceMs = this.#clock.loopTime(atMs) - 2 * this.slowestTurnMs - ROUNDING_MS;
    return this.#sleptUntilMs >= sinceMs;
  }

  get isAsleep(): boolean {
    return this.#asleepUntilMs > this.loop.nowMs;
  }

  /** How long the next turn keeps what woke it waiting. */
  drawTurnDelayMs(): Millis {
    const { turnDelayMsMax } = this.#quirks;
    return turnDelayMsMax === 0 ? 0 : unitReal(this.#random!) * turnDelayMsMax;
  }

  /** The first moment of the loop, from `atMs` on, at which this computer is awake. */
  awakeAtMs(atMs: Millis): Millis {
    return Math.max(atMs, this.#asleepUntilMs, this.loop.nowMs);
  }

  /** Takes a resident in. */
  add(resident: Resident): void {
    this.#residents.add(resident);
  }

  /** A resident has ended by itself. */
  remove(resident: Resident): void {
    this.#residents.delete(resident);
  }

  /** Runs `action` now, or when the sleep that lasts is over; never after a crash. */
  whenAwake(action: () => void): void {
    if (this.isAsleep) this.#deferred.push(action);
    else action();
  }

  /** Nothing runs here for `forMs` (a long pause, a closed lid); datagrams pile up. */
  sleep(forMs: Millis): void {
    this.#asleepUntilMs = Math.max(this.#asleepUntilMs, this.loop.nowMs + forMs);
    this.#sleptUntilMs = this.#asleepUntilMs;
    this.loop.at(this.#asleepUntilMs, () => this.#wakeUp());
  }

  /** Its clock goes forward by so much at once: timers may run off. */
  jumpClock(byMs: Millis): void {
    this.#clock.jump(byMs);
    this.#wakeUp();
  }

  /** Ends a sleep, at once, and takes the quirks away: quick, with large receive buffers. */
  heal(): void {
    this.#quirks = { ...this.#quirks, bufferDatagrams: 1e6, turnDelayMsMax: 0 };
    this.#endSleep();
    this.#wakeUp();
  }

  /** Everything that runs here is gone at once, without a word. What was written stays written. */
  crash(): void {
    this.#die();
    for (const disk of this.disks) disk.crashProcess();
  }

  /** As a crash; and the disks lose what was not synced. */
  cutPower(): void {
    this.#die();
    for (const disk of this.disks) disk.cutPower();
  }

  #die(): void {
    this.#deferred.length = 0;
    this.#endSleep();
    const dying = [...this.#residents];
    this.#residents.clear();
    for (const resident of dying) resident.crash();
  }

  #endSleep(): void {
    this.#sleptUntilMs = Math.min(this.#sleptUntilMs, this.loop.nowMs);
    this.#asleepUntilMs = 0;
  }

  #wakeUp(): void {
    if (this.isAsleep) return;
    for (const action of this.#deferred.splice(0)) this.whenAwake(action);
    for (const resident of this.#residents) resident.wakeUp();
  }
}
