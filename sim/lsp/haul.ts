/**
 * A long haul: cbor senders with more to say than a link carries, which has a rate, a queue and
 * some loss. Congestion control and repair are held against what the link could do
 * (docs/congestion.md): the link is used, its queue is not kept full, the flows share it, and what
 * is sent again is little more than what was lost.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import { createDialer } from "../../lsp/dialer.ts";
import type { Endpoint } from "../../lsp/core.ts";
import { createListener } from "../../lsp/listener.ts";
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import { Computer, PLAIN } from "../engine/computer.ts";
import type { Dice } from "../engine/dice.ts";
import { calmFaults, type Capacity, type Link } from "../../base/link.ts";
import { Loop } from "../engine/loop.ts";
import { Network } from "../engine/network.ts";
import { demand } from "../engine/trace.ts";
import { Host, type Program } from "./host.ts";
import { LSP_WIRE } from "./wire.ts";

/** The path of a haul, and who is on it. */
export interface HaulPlan {
  readonly capacity: Capacity;
  /** One way. */
  readonly latencyMs: Millis;
  readonly lossShare: number;
  readonly flows: number;
  /** The program reads so often; 0: at once. And so many messages may wait for it. */
  readonly readEveryMs: Millis;
  readonly maxUnreadMessages: number;
}

const LISTENER = "depot";
const LISTENER_ADDRESS = "10.0.0.1 6060";
const PAYLOAD_BYTES = 1000;
/** How long a haul takes, in time and in round trips: its start, and what counts. */
const START_MS = 1000;
const START_ROUNDS = 25;
const STEADY_ROUNDS = 40;
const LOOKS = 200;
const SHORT_MS = 4;
const STEPS_MAX = 1_000_000;
/** Share of the rate, less loss, that programs get at least; 1,000 of 1,034 bytes are theirs. */
const GOODPUT_LEAST = 0.84;
/** Share of what fits between two looks of a program that reads now and then. */
const SIPPED_LEAST = 0.6;
/** Of several flows, the least may get this share of an equal one. */
const FAIR_LEAST = 0.45;
/** The mean queue, as a share of what the queue holds: above it is as good as always full. */
const QUEUE_MOST = 0.6;
/** Messages sent again beyond those lost, as a share of all. */
const NEEDLESS_MOST = 0.08;
/** What overflows the queue, as a share of all, beside what is lost by chance. */
const OVERFLOW_MOST = 0.06;

/** Draws a haul. */
export function drawHaul(dice: Dice): HaulPlan {
  const bytesPerMs = dice.scale(200, 1000, "haul.bytesPerMs");
  const flows = dice.pick([1, 1, 2], "haul.flows");
  const product = flows * dice.scale(15_000, 60_000, "haul.product");
  const latencyMs = product / bytesPerMs / 2;
  const queueBytes = Math.max(30_000, product * dice.pick([1, 2, 4], "haul.queue"));
  const lossShare = dice.pick([0, 0, 0.01, 0.03], "haul.loss");
  const path = { capacity: { bytesPerMs, queueBytes }, latencyMs, lossShare, flows };
  if (!dice.chance(0.25, "haul.readsSlowly")) {
    return { ...path, readEveryMs: 0, maxUnreadMessages: 16_384 };
  }
  const maxUnreadMessages = dice.integer(20, 60, "haul.maxUnread");
  // A short path, which takes a message in a millisecond: the reader is what is slow.
  const near = { latencyMs: SHORT_MS, capacity: { bytesPerMs: 1000, queueBytes: 60_000 } };
  const slow = { flows: 1, lossShare: 0, readEveryMs: 1.5 * maxUnreadMessages, maxUnreadMessages };
  return { ...path, ...near, ...slow };
}

/** Writes whenever it may; or reads whatever comes. */
class Hauler implements Program {
  host!: Host;
  readBytes = 0;
  mayRead = true;
  #connId: number | undefined;

  get core(): Endpoint {
    return this.host.core as Endpoint;
  }

  get connId(): number {
    demand(this.#connId !== undefined, () => `${this.host.name}: not connected`);
    return this.#connId;
  }

  onNotice(notice: LspNotice): void {
    if (notice.kind === "connected") this.#connId = notice.connId;
  }

  wantsEvent(): boolean {
    return this.mayRead;
  }

  /** Reads what is there, and nothing more for a while. */
  sip(): void {
    this.mayRead = true;
    this.host.act(() => {});
    this.mayRead = false;
  }

  onEvent(event: LspEvent): void {
    demand(event.kind === "data", () => `${this.host.name}: ${event.kind} in the midst of a haul`);
    this.readBytes += event.payload.length;
  }

  /** Fills the queue. */
  write(): void {
    if (this.#connId === undefined) return;
    const connId = this.#connId;
    this.host.act((core, nowMs) => {
      while (this.core.mayWrite(connId, PAYLOAD_BYTES) === true) {
        core.write(connId, new Uint8Array(PAYLOAD_BYTES), nowMs);
      }
    });
  }
}

/** See the module. */
export class Haul {
  readonly #plan: HaulPlan;
  readonly #loop = new Loop();
  readonly #network: Network;
  readonly #up: Link;
  readonly #depot: Hauler;
  readonly #senders: Hauler[] = [];

  constructor(plan: HaulPlan, seed: number) {
    this.#plan = plan;
    this.#network = new Network(this.#loop, seededRandom(seed, 1), LSP_WIRE);
    const { latencyMs, lossShare, capacity, flows } = plan;
    // All senders are at one place: they share its link.
    this.#up = this.#network.link("senders", LISTENER);
    const down = this.#network.link(LISTENER, "senders");
    this.#up.faults = { ...calmFaults(latencyMs), lossShare };
    this.#up.capacity = capacity;
    down.faults = calmFaults(latencyMs);
    const limits = { maxQueuedBytes: 400_000 };
    const { readEveryMs, maxUnreadMessages } = plan;
    const own = { ...limits, maxUnreadMessages };
    const depot = createListener({ random: seededRandom(seed, 2), limits: own }, 0);
    this.#depot = this.#place(LISTENER, depot, LISTENER_ADDRESS);
    if (readEveryMs > 0) this.#sipEvery(readEveryMs);
    for (let i = 0; i < flows; i++) {
      const random = seededRandom(seed, 3 + i);
      const dialer = createDialer({ random, limits, to: LISTENER_ADDRESS }, 0);
      this.#senders.push(this.#place("senders", dialer));
    }
  }

  run(): void {
    const { latencyMs, capacity, lossShare, flows } = this.#plan;
    const roundMs = 2 * latencyMs;
    this.#runFor(START_MS + START_ROUNDS * roundMs);
    const before = this.#books();
    const steadyMs = Math.max(STEADY_ROUNDS * roundMs, 500);
    let queued = 0;
    for (let i = 0; i < LOOKS; i++) {
      this.#runFor(steadyMs / LOOKS);
      queued += this.#up.queuedBytes(this.#loop.nowMs) / LOOKS;
    }
    const after = this.#books();
    const where = (): string => JSON.stringify(this.#plan);
    const { readEveryMs, maxUnreadMessages } = this.#plan;
    const sipped = (maxUnreadMessages * PAYLOAD_BYTES) / (readEveryMs + roundMs);
    const rate = Math.min(capacity.bytesPerMs * (1 - lossShare), sipped);
    const goodput = (after.read - before.read) / (rate * steadyMs);
    demand(
      goodput >= (readEveryMs > 0 ? SIPPED_LEAST : GOODPUT_LEAST),
      () => `a haul brings ${goodput.toFixed(3)} of what the link could: ${where()}`,
    );
    const queue = queued / capacity.queueBytes;
    demand(
      queue <= QUEUE_MOST,
      () => `a haul keeps ${queue.toFixed(3)} of the queue full: ${where()}`,
    );
    const sent = after.sent - before.sent;
    const again = (after.again - before.again) / sent;
    const lost = (after.lost - before.lost) / sent;
    demand(
      again <= lost + NEEDLESS_MOST,
      () => `a haul sends ${again.toFixed(3)} again, lost are ${lost.toFixed(3)}: ${where()}`,
    );
    demand(
      lost <= lossShare + OVERFLOW_MOST,
      () => `a haul loses ${lost.toFixed(3)}, ${lossShare} of it by chance: ${where()}`,
    );
    const least = Math.min(...after.taken.map((bytes, i) => bytes - before.taken[i]!));
    const share = (least * flows) / (after.read - before.read);
    demand(
      share >= FAIR_LEAST,
      () => `the least flow gets ${share.toFixed(3)} of its share: ${where()}`,
    );
  }

  #sipEvery(ms: Millis): void {
    this.#depot.sip();
    this.#loop.after(ms, () => this.#sipEvery(ms));
  }

  #books() {
    const stats = this.#senders.map(({ core, connId }) => core.connectionStats(connId)!);
    const { lost, overflowed } = this.#up.counts;
    return {
      read: this.#depot.readBytes,
      taken: stats.map(({ sentMessages, inFlightBytes }) => {
        return sentMessages * PAYLOAD_BYTES - inFlightBytes;
      }),
      sent: stats.reduce((sum, { sentMessages }) => sum + sentMessages, 0),
      again: stats.reduce((sum, { retransmits }) => sum + retransmits, 0),
      lost: lost + overflowed,
    };
  }

  /** Millisecond by millisecond: programs write when they are asked to. */
  #runFor(ms: Millis): void {
    const untilMs = this.#loop.nowMs + ms;
    while (this.#loop.nowMs < untilMs) {
      for (const sender of this.#senders) sender.write();
      const stepMs = Math.min(this.#plan.latencyMs, untilMs - this.#loop.nowMs);
      this.#loop.runUntil(this.#loop.nowMs + stepMs, () => {}, STEPS_MAX);
    }
  }

  #place(name: string, core: Endpoint, address?: string): Hauler {
    const computer = new Computer({ name, loop: this.#loop, quirks: PLAIN });
    const hauler = new Hauler();
    hauler.host = new Host(name, computer, this.#network, core, hauler, address);
    return hauler;
  }
}
