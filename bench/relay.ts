/**
 * A bad network in one process: a UDP relay with a round trip, random loss, a bottleneck rate and a
 * finite queue in each direction, seeded. Clients send to the relay's port; each gets a socket of
 * its own towards the server, and all share the bottleneck.
 *
 *   bun run bench/relay.ts TARGET_PORT --rtt 20 --loss 0.01 --mbit 50 --queue 65536 --seed 1
 *
 * Prints `listening on PORT` on stdout and, when it is told to end, its counts on stderr.
 *
 * @module
 */
import { type Random, seededRandom } from "../base/random.ts";
import { UdpRelay } from "../run/udp_relay.ts";
import { calmFaults, Link, type LinkCounts } from "../base/link.ts";
import { benchOptions, count } from "./options.ts";

/** What a {@link Pipe} is like. */
export interface PipeOptions {
  /** One-way delay in milliseconds. */
  readonly delayMs: number;
  /** Probability that a datagram vanishes, behind the bottleneck. */
  readonly loss: number;
  /** Bottleneck rate in bits of UDP payload a second. */
  readonly bitsPerSecond: number;
  /** Bytes that may wait at the bottleneck; what comes on top is dropped (drop-tail). */
  readonly queueBytes: number;
  readonly random: Random;
}

interface Parcel {
  readonly dueMs: number;
  readonly bytes: Uint8Array;
  readonly deliver: (bytes: Uint8Array) => void;
}

/** One direction: a link of the simulator, and what is under way on it, in order. */
export class Pipe {
  readonly #link: Link;
  readonly #random: Random;
  #parcels: Parcel[] = [];
  #head = 0;

  constructor({ delayMs, loss, bitsPerSecond, queueBytes, random }: PipeOptions) {
    this.#link = new Link({ ...calmFaults(delayMs), lossShare: loss });
    this.#link.capacity = { bytesPerMs: bitsPerSecond / 8000, queueBytes };
    this.#random = random;
  }

  get counts(): Readonly<LinkCounts> {
    return this.#link.counts;
  }

  /** When `release` has something to deliver; Infinity when nothing is under way. */
  get nextMs(): number {
    return this.#parcels[this.#head]?.dueMs ?? Infinity;
  }

  /** Takes one datagram at `nowMs`; it comes out of `release` by and by, or never. */
  take(bytes: Uint8Array, nowMs: number, deliver: (bytes: Uint8Array) => void): void {
    const { delayMs, why } = this.#link.pass(bytes.length, this.#random, nowMs);
    if (why !== undefined) return;
    this.#parcels.push({ dueMs: nowMs + delayMs, bytes: bytes.slice(), deliver });
  }

  /** Delivers all that is due. */
  release(nowMs: number): void {
    while (this.#head < this.#parcels.length && this.#parcels[this.#head]!.dueMs <= nowMs) {
      const { bytes, deliver } = this.#parcels[this.#head++]!;
      try {
        deliver(bytes);
      } catch {
        // A datagram to a port that is closed is lost, as any other may be.
      }
    }
    if (this.#head > 4096 || this.#head === this.#parcels.length) {
      this.#parcels.splice(0, this.#head);
      this.#head = 0;
    }
  }
}

async function main(): Promise<void> {
  const options = benchOptions(
    import.meta.path,
    {
      rtt: count(20, "milliseconds there and back"),
      loss: { value: "P", default: "0.01", help: "probability that a datagram vanishes" },
      mbit: count(50, "megabits of payload a second at the bottleneck"),
      queue: count(65_536, "bytes that may wait there"),
      seed: count(1, "of the dice"),
    },
    { takes: "PORT", count: [1, 1] },
  );
  const targetPort = Number(options.positionals[0]);
  const pipe = (stream: number): Pipe =>
    new Pipe({
      delayMs: options.number("rtt") / 2,
      loss: Number(options.text("loss")),
      bitsPerSecond: options.number("mbit") * 1e6,
      queueBytes: options.number("queue"),
      random: seededRandom(options.number("seed"), stream),
    });
  const up = pipe(1);
  const down = pipe(2);
  const pass = (): void => {
    const now = performance.now();
    up.release(now);
    down.release(now);
  };
  const relay = await UdpRelay.open((bytes, way, deliver) => {
    (way === "up" ? up : down).take(bytes, performance.now(), deliver);
    pass();
  }, targetPort);
  setInterval(pass, 1);
  process.on("SIGTERM", () => {
    console.error(JSON.stringify({ up: up.counts, down: down.counts }));
    process.exit(0);
  });
  console.log(`listening on ${relay.port}`);
}

if (import.meta.main) await main();
