/**
 * What LSP does on a bad path, measured in virtual time: goodput of flows that share it, how long a
 * fixed number of messages takes, what one lost datagram costs. Equal seeds give equal figures.
 *
 * @module
 */
import type { CongestionFactory } from "../lsp/congestion.ts";
import type { Params } from "../lsp/types.ts";
import { VirtualLink } from "./virtual_link.ts";

/** The path of the project's goals: 20 ms, 50 Mbit/s of UDP payload, half a path full of queue. */
export const PATH = { rttMs: 20, bitsPerSecond: 50e6, queueBytes: 65_536 } as const;

/** Length of the messages of all runs. */
export const MESSAGE_BYTES = 1000;
/** Messages written and not read: more than any window, so that a flow never lacks any. */
const BACKLOG_MESSAGES = 2500;

/** A goodput run; what is left out is as in {@link PATH}. */
export interface GoodputOptions {
  /** Probability that a datagram vanishes, either way. */
  readonly loss: number;
  readonly flows?: number;
  readonly seed?: number;
  readonly rttMs?: number;
  readonly bitsPerSecond?: number;
  readonly queueBytes?: number;
  /** Not counted at the start, and counted after it. */
  readonly warmUpMs?: number;
  readonly measuredMs?: number;
  /** When the flows start; 0 for those left out. */
  readonly startsMs?: readonly number[];
  readonly congestion?: CongestionFactory;
}

/** What came out. */
export interface Goodput {
  /** Application bytes that each flow brought over, in Mbit/s. */
  readonly mbits: readonly number[];
  /** Their sum by what the link passes on: its rate less the loss. */
  readonly ratio: number;
  /** Jain's index of fairness: 1 when all flows have the same. */
  readonly jain: number;
  /** Share of the datagrams towards the listener that found the queue full. */
  readonly overflow: number;
  /** Messages that came twice, by messages sent. */
  readonly duplicates: number;
}

/** Jain's index: 1 / n when one has all, 1 when all have the same. */
export function jainIndex(rates: readonly number[]): number {
  const sum = rates.reduce((a, b) => a + b, 0);
  const squares = rates.reduce((a, b) => a + b * b, 0);
  return sum ** 2 / (rates.length * squares);
}

/** One sender: writes whenever its backlog is used up. */
class Flow {
  connId = 0;
  read = 0;
  readAtMark = 0;
  #written = 0;
  readonly #link: VirtualLink;
  readonly #index: number;
  readonly #payload = new Uint8Array(MESSAGE_BYTES);

  constructor(link: VirtualLink, index: number) {
    this.#link = link;
    this.#index = index;
  }

  /** Learns of the connection, once there is one, and keeps the backlog full. */
  write(): void {
    const dialer = this.#link.dialers[this.#index]!;
    for (let notice = dialer.pollNotice(); notice; notice = dialer.pollNotice()) {
      if (notice.kind !== "connected") throw new Error(`flow ${this.#index}: ${notice.kind}`);
      this.connId = notice.connId;
    }
    const end = dialer.pollEvent();
    if (end !== undefined) throw new Error(`flow ${this.#index}: ${end.kind}`);
    if (this.connId === 0) return;
    for (; this.#written - this.read < BACKLOG_MESSAGES; this.#written++) {
      dialer.write(this.connId, this.#payload);
    }
  }
}

/** Lets flows that always have something to send share the path. */
export function runGoodput(options: GoodputOptions): Goodput {
  const { loss, flows: count = 1, seed = 1, warmUpMs = 2000, measuredMs = 10_000 } = options;
  const path = { ...PATH, ...options, seed, flows: count };
  const link = new VirtualLink(path);
  const flows = link.dialers.map((_, i) => new Flow(link, i));
  link.onEvent = (event) => {
    if (event.kind !== "data") throw new Error(`connection ${event.connId}: ${event.kind}`);
    flows.find(({ connId }) => connId === event.connId)!.read++;
  };
  const runUntil = (untilMs: number): void => {
    do {
      for (const [i, flow] of flows.entries()) {
        if (link.nowMs >= (options.startsMs?.[i] ?? 0)) flow.write();
      }
    } while (link.step(untilMs));
  };
  runUntil(warmUpMs);
  for (const flow of flows) flow.readAtMark = flow.read;
  runUntil(warmUpMs + measuredMs);
  const mbits = flows.map(
    ({ read, readAtMark }) => ((read - readAtMark) * MESSAGE_BYTES * 8) / (measuredMs * 1000),
  );
  const total = mbits.reduce((a, b) => a + b, 0);
  const stats = flows.map(({ connId }) => link.listener.connectionStats(connId)!);
  const received = stats.reduce((sum, { receivedMessages }) => sum + receivedMessages, 0);
  return {
    mbits,
    ratio: (total * 1e6) / (path.bitsPerSecond * (1 - loss)),
    jain: jainIndex(mbits),
    overflow: link.up.counts.overflowed / link.up.counts.datagrams,
    duplicates: stats.reduce((sum, { duplicates }) => sum + duplicates, 0) / received,
  };
}

/** What became of a stream of messages. */
export interface StreamRun {
  /** From the first Connect to the last message read; `undefined` when it did not get there. */
  readonly tookMs: number | undefined;
  /** Messages that came out of order, twice or changed. */
  readonly wrong: number;
}

/** K of the stream runs: with 5, arithmetic alone fails 3 % of connects at 30 % loss. */
const STREAM_PARAMS: Params = { epochLimit: 20 };
const STREAM_MOST_MS = 600_000;

/** The `index`-th message: its number, and bytes that depend on it. */
function streamMessage(index: number): Uint8Array {
  const message = new Uint8Array(MESSAGE_BYTES).fill(index * 31);
  new DataView(message.buffer).setUint32(0, index);
  return message;
}

/** Connects over the path and brings `messages` messages over. */
export function runStream(loss: number, seed: number, messages = 1000): StreamRun {
  const link = new VirtualLink({ ...PATH, loss, seed, flows: 1, params: STREAM_PARAMS });
  const dialer = link.dialers[0]!;
  let read = 0;
  let wrong = 0;
  let isOver = false;
  link.onEvent = (event) => {
    if (event.kind !== "data") isOver = true;
    else if (Bun.deepEquals(event.payload, streamMessage(read))) read++;
    else wrong++;
  };
  while (read < messages && !isOver && link.step(STREAM_MOST_MS)) {
    for (let notice = dialer.pollNotice(); notice; notice = dialer.pollNotice()) {
      if (notice.kind !== "connected") isOver = true;
      else for (let i = 0; i < messages; i++) dialer.write(notice.connId, streamMessage(i));
    }
    if (dialer.pollEvent() !== undefined) isOver = true;
  }
  return { tookMs: read === messages ? link.nowMs : undefined, wrong };
}

/**
 * Sends a message every `everyMs` and drops the datagram of one in the middle; the longest time
 * from write to read, in milliseconds, without the drop and with it.
 */
export function runOneLoss(everyMs: number): { smoothMs: number; lossyMs: number } {
  const longest = (dropsOne: boolean): number => {
    const link = new VirtualLink({ ...PATH, loss: 0, seed: 1, flows: 1 });
    const dialer = link.dialers[0]!;
    const writtenMs: number[] = [];
    let connId = 0;
    let read = 0;
    let longestMs = 0;
    let dropped = !dropsOne;
    link.onEvent = () => {
      // The first second is start-up.
      const tookMs = link.nowMs - writtenMs[read++]!;
      if (link.nowMs > 1000) longestMs = Math.max(longestMs, tookMs);
    };
    link.passes = (bytes, from) => {
      if (dropped || link.nowMs < 2000 || from === "server 1") return true;
      dropped = bytes.length > MESSAGE_BYTES;
      return !dropped;
    };
    for (let nextMs = 100; nextMs < 4000; nextMs += everyMs) {
      while (link.step(nextMs));
      for (let notice = dialer.pollNotice(); notice; notice = dialer.pollNotice()) {
        if (notice.kind === "connected") connId = notice.connId;
      }
      writtenMs.push(link.nowMs);
      dialer.write(connId, streamMessage(writtenMs.length));
    }
    while (link.step(5000));
    return longestMs;
  };
  return { smoothMs: longest(false), lossyMs: longest(true) };
}
