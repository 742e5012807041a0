/**
 * Hash jobs and map-reduce jobs on one fleet: each gets its share of the workers' time, whatever a
 * nonce and a byte cost them.
 */
import { describe, test } from "bun:test";
import { assert } from "@std/assert";
import fc from "fast-check";
import { mapReduceKind } from "../../mapreduce/coordinator.ts";
import { VirtualFleet } from "../server/fleet.ts";
import { BusyMiner } from "./busy_miner.ts";
import { TERMS } from "./server_desk.ts";

const MAX = (1n << 64n) - 1n;
const MAP_RATE = 50e6;
/** The fleet learns what things cost: two maps are done, or three. */
const LEARNING_MS = 25_000;
const MEASURED_MS = 60_000;
/** Between two short hash jobs. */
const EVERY_MS = 500;

interface World {
  readonly miners: number;
  /** Nonces that a miner does while it maps a byte: a slow program, or a graphics card. */
  readonly noncesPerByte: number;
  /** How long a map takes. */
  readonly mapSeconds: number;
}

const world: fc.Arbitrary<World> = fc.record({
  miners: fc.integer({ min: 1, max: 5 }),
  noncesPerByte: fc.constantFrom(0.02, 0.2, 1, 5, 50),
  mapSeconds: fc.double({ min: 0.5, max: 10, noNaN: true }),
});

/** With one miner and long maps, credit that is cut off shows at once. */
const LONG_MAPS: World = { miners: 1, noncesPerByte: 0.02, mapSeconds: 4.1 };
const RUNS: fc.Parameters<[World]> = { numRuns: 3, examples: [[LONG_MAPS]] };

/** A fleet that both are asked of, in virtual time. */
class Shared {
  readonly fleet = new VirtualFleet({ kinds: [mapReduceKind] });
  readonly #world: World;
  readonly #miners: BusyMiner[];

  constructor(drawn: World) {
    this.#world = drawn;
    const rates = { hashRate: MAP_RATE * drawn.noncesPerByte, mapRate: MAP_RATE };
    this.#miners = Array.from({ length: drawn.miners }, () =>
      this.fleet.add((connId) => new BusyMiner(this.fleet, connId, rates)),
    );
    for (const miner of this.#miners) miner.join();
    this.fleet.run(100);
  }

  /** A map-reduce job that is not over when the test is. */
  mapReduce(): void {
    const { miners, mapSeconds } = this.#world;
    const maps = Math.ceil((3 * miners * MEASURED_MS) / 1000 / mapSeconds);
    const client = this.fleet.client();
    client.say({ kind: "mr-submit", job: 1, terms: TERMS, maps, port: 0, key: "" });
    const sizes = Array.from({ length: maps }, () => Math.round(MAP_RATE * mapSeconds));
    client.say({ kind: "mr-splits", job: 1, first: 0, sizes });
  }

  /** Hash jobs of a second of the fleet, twice as many as it can do. */
  shortJobs(): void {
    const { miners, noncesPerByte } = this.#world;
    const upper = BigInt(Math.round(MAP_RATE * noncesPerByte * miners));
    const { nowMs } = this.fleet;
    for (let atMs = 0; atMs < LEARNING_MS + MEASURED_MS; atMs += EVERY_MS) {
      this.fleet.at(nowMs + atMs, () => this.fleet.client().submit({ upper }));
    }
  }

  /** The parts of the miners' time that go to either. */
  shares(): { readonly hash: number; readonly map: number } {
    this.fleet.run(LEARNING_MS);
    const before = this.#spent();
    this.fleet.run(MEASURED_MS);
    const after = this.#spent();
    const all = this.#miners.length * MEASURED_MS;
    return { hash: (after.hash - before.hash) / all, map: (after.map - before.map) / all };
  }

  #spent(): { hash: number; map: number } {
    const sum = { hash: 0, map: 0 };
    for (const { spentMs } of this.#miners) {
      sum.hash += spentMs.hash;
      sum.map += spentMs.map;
    }
    return sum;
  }
}

describe("on one fleet", () => {
  test("the one that is shorter by time is first, if it is not by nonces and bytes", () => {
    fc.assert(
      fc.property(world, (drawn) => {
        const { miners, noncesPerByte } = drawn;
        const shared = new Shared(drawn);
        const upper = BigInt(
          Math.round(10 * MEASURED_MS * (MAP_RATE / 1000) * noncesPerByte * miners),
        );
        shared.fleet.client().submit({ upper });
        shared.fleet.run(LEARNING_MS);
        shared.mapReduce();
        const { hash, map } = shared.shares();
        assert(hash > 0.12 && map > 0.6, `${hash} and ${map} of the time`);
      }),
      RUNS,
    );
  });

  test("the oldest job, a search without end, goes on beside a map-reduce job", () => {
    fc.assert(
      fc.property(world, (drawn) => {
        const shared = new Shared(drawn);
        shared.fleet.client().submit({ upper: MAX });
        shared.fleet.run(LEARNING_MS);
        shared.mapReduce();
        const { hash, map } = shared.shares();
        assert(hash > 0.12 && map > 0.6, `${hash} and ${map} of the time`);
      }),
      RUNS,
    );
  });

  test("so does a map-reduce job beside a row of short searches, which get the most", () => {
    fc.assert(
      fc.property(world, (drawn) => {
        const shared = new Shared(drawn);
        shared.mapReduce();
        shared.fleet.run(LEARNING_MS);
        shared.shortJobs();
        const { hash, map } = shared.shares();
        assert(map > 0.2 && hash > 0.4, `${hash} and ${map} of the time`);
      }),
      RUNS,
    );
  });
});
