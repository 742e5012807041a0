/** Raft's steps on a disk: in their order, and found again whole after crashes. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import type { StoredState, StoreEffect as DiskEffect, StoreInput } from "../../base/store.ts";
import { wholeStep } from "../../base/state_machine.ts";
import { decodeMeta, encodeMeta, type Identity } from "../../raft/identity.ts";
import type { Entry, Persisted, StoreEffect } from "../../raft/mod.ts";
import { INCOMING_BYTES_MAX, RaftStorage, recoverState } from "../../raft/storage.ts";
import { SimulatedDisk } from "../../sim/engine/disk.ts";
import { Loop } from "../../sim/engine/loop.ts";

const CONFIG = { voters: [1, 2, 3], outgoing: [], learners: [] };
const IDENTITY: Identity = {
  cluster: "0011223344556677",
  node: 2,
  disk: "8899aabbccddeeff",
  phase: "running",
  isFounder: false,
  wasMember: true,
  pending: [],
  first: CONFIG,
  book: new Map([[1, { address: "127.0.0.1:1", version: 1, disk: "" }]]),
};
const START = { index: 0, term: 0 };
const NOTHING: Persisted = {
  hard: { term: 0, vote: 0 },
  snapshot: { ...START, config: CONFIG, size: 0 },
  base: START,
  entries: [],
};
const OPTIONS = { kind: "raft", id: "node 2", segmentBytes: 32 << 10 };

function entry(index: number, term: number): Entry {
  return {
    index,
    term,
    kind: "command",
    data: Uint8Array.of(index & 255, term),
    config: undefined,
  };
}

function entries(first: number, last: number, term = 1): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, i) => entry(first + i, term));
}

/** A simulated disk under a storage, and what it told. */
class Rig {
  readonly loop: Loop = new Loop();
  readonly place: SimulatedDisk = new SimulatedDisk(this.loop, seededRandom(3));
  asked: DiskEffect[] = [];
  stored: number[] = [];
  given: [number, number][] = [];
  storage!: RaftStorage;
  state!: StoredState;
  #token = 0;

  constructor() {
    this.open();
  }

  /** Begins a life with what the disk holds. */
  open(): Persisted {
    const { disk, state } = this.place.open(OPTIONS);
    this.state = state;
    const recovered = recoverState(state);
    const persisted = recovered?.persisted ?? NOTHING;
    this.#token = 0;
    this.storage = new RaftStorage(recovered?.identity ?? IDENTITY, persisted, {
      ask: (effect) => {
        this.asked.push(effect);
        disk.handle(effect);
      },
      stored: (token) => this.stored.push(token),
      taking: () => this.storage.takeOn(),
      given: (index, size) => this.given.push([index, size]),
    });
    const { storage } = this;
    disk.start((input: StoreInput) => storage.answered(input));
    return persisted;
  }

  /** Asks for the core's next step; gives its token. */
  step(step: Partial<StoreEffect>): number {
    const token = ++this.#token;
    const nothing = { hard: undefined, entries: [], snapshot: undefined };
    this.storage.store({ kind: "store", token, ...nothing, ...step });
    return token;
  }

  run(ms = 2000): void {
    this.loop.runUntil(this.loop.nowMs + ms, () => {}, 1e6);
  }

  done(step: Partial<StoreEffect>): void {
    const token = this.step(step);
    this.run();
    assertEquals(this.stored.at(-1), token);
  }

  powerCut(): Persisted {
    this.place.cutPower();
    return this.open();
  }

  get kinds(): string[] {
    return this.asked.map((effect) => effect.kind);
  }
}

/** A snapshot of `size` bytes at `index`, as a step has it. */
function taken(index: number, size: number, base: { index: number; term: number }) {
  const meta = { index, term: 1, config: CONFIG, size };
  return { meta, source: "taken", base, keep: [] } as const;
}

function received(index: number, size: number) {
  const meta = { index, term: 1, config: CONFIG, size };
  return { meta, source: "received", base: { index, term: 1 }, keep: [] } as const;
}

describe("metadata", () => {
  test("is read as it was written, with term and vote", () => {
    const hard = { term: 2 ** 40, vote: 3 };
    const pending = [2, 3];
    const identity = { ...IDENTITY, isFounder: true, pending };
    assertEquals(decodeMeta(encodeMeta({ identity, hard })), { identity, hard });
  });

  test("of another version, or none, is refused by one line", () => {
    assertThrows(
      () => decodeMeta(Uint8Array.of(0x81, 9)),
      Error,
      "of version 9, expected version 1",
    );
    assertThrows(() => decodeMeta(Uint8Array.of(0xff)), Error, "of none, expected version 1");
    const cut = encodeMeta({ identity: IDENTITY, hard: { term: 1, vote: 1 } });
    assertThrows(() => decodeMeta(cut.subarray(0, 20)), Error, "metadata is of none");
  });

  test("has room for the most members at the longest addresses, or leaves addresses out", () => {
    const place = { address: "x".repeat(80), version: 2 ** 32 - 1, disk: IDENTITY.disk };
    const book = new Map(Array.from({ length: 32 }, (_, i) => [2 ** 32 - 1 - i, place] as const));
    const voters = Array.from({ length: 16 }, (_, i) => 2 ** 32 - 1 - i);
    const first = { voters, outgoing: [], learners: [] };
    const identity = { ...IDENTITY, pending: voters, first, book };
    const bytes = encodeMeta({ identity, hard: { term: 2 ** 51, vote: 2 ** 32 - 1 } });
    assert(bytes.length <= 4096);
    assertEquals(decodeMeta(bytes).identity.pending, voters);
  });
});

describe("steps on a disk", () => {
  test("an empty directory holds nobody", () => {
    assertEquals(recoverState(new Rig().state), undefined);
  });

  test("term, vote and entries are one store, and are found again after a power cut", () => {
    const rig = new Rig();
    rig.done({ hard: { term: 1, vote: 2 }, entries: entries(1, 5) });
    assertEquals(rig.kinds, ["store"]);
    rig.done({ entries: [entry(4, 2), entry(5, 2)], hard: { term: 2, vote: 0 } });
    const { hard, entries: found, base } = rig.powerCut();
    assertEquals(hard, { term: 2, vote: 0 });
    assertEquals(base, START);
    assertEquals(found, [...entries(1, 3), entry(4, 2), entry(5, 2)]);
  });

  test("a snapshot that was taken: written ahead, ended behind the records of its step", () => {
    const rig = new Rig();
    rig.done({ hard: { term: 1, vote: 1 }, entries: entries(1, 20) });
    const state = new Uint8Array(9 << 20).fill(7);
    rig.storage.give(10, wholeStep(state));
    rig.run();
    assertEquals(rig.given, [[10, state.length]]);
    assertEquals(rig.kinds, ["store", "save", "save", "save"]);
    rig.done({
      entries: entries(21, 22),
      snapshot: taken(10, state.length, { index: 6, term: 1 }),
    });
    assertEquals(rig.kinds.slice(4), ["store", "save"]);
    const { snapshot, base, entries: found } = rig.powerCut();
    assertEquals([snapshot.index, snapshot.size, base.index], [10, state.length, 6]);
    assertEquals(found, entries(7, 22));
    let whole = new Uint8Array(0);
    rig.storage.loadWhole(snapshot, (bytes) => (whole = bytes as Uint8Array<ArrayBuffer>));
    rig.run();
    assertEquals(whole, state);
  });

  test("a snapshot in steps: the next is made when the last is on the disk, none is left out", () => {
    const rig = new Rig();
    rig.done({ hard: { term: 1, vote: 1 }, entries: entries(1, 20) });
    let made = 0;
    function* steps(): Generator<Uint8Array, Uint8Array> {
      for (made = 1; made <= 3; made++) yield new Uint8Array(made).fill(made);
      return Uint8Array.of(9);
    }
    rig.storage.give(10, steps());
    rig.storage.takeOn();
    rig.storage.takeOn();
    assertEquals([made, rig.kinds.slice(1)], [1, ["save"]]);
    rig.run();
    assertEquals(rig.given, [[10, 7]]);
    rig.done({ snapshot: taken(10, 7, { index: 6, term: 1 }) });
    rig.powerCut();
    assertEquals(rig.state.snapshot?.bytes, Uint8Array.of(1, 2, 2, 3, 3, 3, 9));
  });

  test("a snapshot that came takes the log's place, before the records behind it", () => {
    const rig = new Rig();
    rig.done({ hard: { term: 1, vote: 1 }, entries: entries(1, 5) });
    const { meta } = received(40, 6);
    rig.storage.keepChunk(meta, 0, Uint8Array.of(1, 2, 3));
    rig.storage.keepChunk(meta, 3, Uint8Array.of(4, 5, 6));
    rig.done({ hard: { term: 3, vote: 0 }, entries: entries(41, 43), snapshot: received(40, 6) });
    assertEquals(rig.kinds.slice(1), ["save", "save", "store", "save", "store"]);
    const { snapshot, base, entries: found, hard } = rig.powerCut();
    assertEquals([snapshot.index, base.index, hard.term], [40, 40, 3]);
    assertEquals(found, entries(41, 43));
    assertEquals(rig.state.snapshot?.bytes, Uint8Array.of(1, 2, 3, 4, 5, 6));
  });

  test("a crash before the step of a snapshot leaves what was there", () => {
    const rig = new Rig();
    rig.done({ entries: entries(1, 5), hard: { term: 1, vote: 0 } });
    const { meta } = received(40, 3);
    rig.storage.keepChunk(meta, 0, Uint8Array.of(1, 2, 3));
    rig.run();
    const { snapshot, entries: found } = rig.powerCut();
    assertEquals([snapshot.index, found.length], [0, 5]);
  });

  test("a snapshot of entries that this disk never had: the log begins anew behind it", () => {
    const rig = new Rig();
    rig.done({ entries: entries(1, 5), hard: { term: 1, vote: 0 } });
    rig.storage.give(20, wholeStep(Uint8Array.of(9)));
    rig.run();
    // Others have 6..20, a quorum of them: they were committed, applied and compacted here.
    rig.done({ entries: entries(16, 25), snapshot: taken(20, 1, { index: 15, term: 1 }) });
    const { snapshot, base, entries: found } = rig.powerCut();
    assertEquals([snapshot.index, base.index], [20, 20]);
    assertEquals(found, entries(21, 25));
    rig.done({ entries: entries(26, 27) });
    assertEquals(rig.powerCut().entries.length, 7);
  });

  test("an empty group's snapshot is its members, kept beside the log", () => {
    const rig = new Rig();
    rig.storage.keepIdentity(
      { ...IDENTITY, first: { voters: [], outgoing: [], learners: [] } },
      () => {},
    );
    const snapshot = received(0, 0);
    rig.storage.keepChunk(snapshot.meta, 0, new Uint8Array(0));
    rig.done({ hard: { term: 4, vote: 0 }, entries: entries(1, 2, 4), snapshot });
    // What is kept of the node later must not forget them.
    rig.storage.keepIdentity(
      { ...IDENTITY, first: { voters: [], outgoing: [], learners: [] } },
      () => {},
    );
    rig.run();
    const persisted = rig.powerCut();
    assertEquals(persisted.snapshot.config, CONFIG);
    assertEquals(persisted.entries, entries(1, 2, 4));
  });

  test("a second snapshot replaces the first; a load of one that is gone gives nothing", () => {
    const rig = new Rig();
    rig.done({ entries: entries(1, 30), hard: { term: 1, vote: 0 } });
    for (const index of [10, 20]) {
      rig.storage.give(index, wholeStep(Uint8Array.of(index)));
      rig.run();
      rig.done({ snapshot: taken(index, 1, { index, term: 1 }) });
    }
    const loaded: (Uint8Array | undefined)[] = [];
    rig.storage.load(10, 0, 100, (bytes) => loaded.push(bytes));
    rig.storage.load(20, 0, 100, (bytes) => loaded.push(bytes));
    rig.run();
    assertEquals(loaded, [undefined, Uint8Array.of(20)]);
    assertEquals(rig.powerCut().entries, entries(21, 30));
  });

  test("a load of the snapshot whose step is under way waits for it", () => {
    const rig = new Rig();
    rig.done({ entries: entries(1, 3), hard: { term: 1, vote: 0 } });
    rig.storage.give(3, wholeStep(Uint8Array.of(1, 2)));
    rig.run();
    rig.step({ snapshot: taken(3, 2, { index: 3, term: 1 }) });
    let got: Uint8Array | undefined;
    rig.storage.load(3, 1, 100, (bytes) => (got = bytes));
    rig.run();
    assertEquals(got, Uint8Array.of(2));
  });

  test("pieces that come faster than the disk takes them are noticed", () => {
    const rig = new Rig();
    const meta = { index: 9, term: 1, config: CONFIG, size: 1 << 30 };
    const piece = new Uint8Array(1 << 20);
    let offset = 0;
    for (; !rig.storage.isFlooded; offset += piece.length) {
      rig.storage.keepChunk(meta, offset, piece);
    }
    assert(offset > INCOMING_BYTES_MAX && offset < 2 * INCOMING_BYTES_MAX);
    rig.run();
    assert(!rig.storage.isFlooded);
  });
});
