/** The pool of hashing threads, with real Workers, against brute force. */
import { afterAll, afterEach, describe, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { getPriority } from "node:os";
import { assert, assertEquals } from "@std/assert";
import type { Kernel } from "../../miner/kernel.ts";
import { KERNEL_NAMES, kernelNamed } from "../../miner/kernel_choice.ts";
import type { KernelVerdict } from "../../miner/kernels/selection.ts";
import { Pool } from "../../miner/pool_adapter.ts";
import { PoolControl, SLOTS } from "../../miner/pool_control.ts";
import { Hasher, type WorkerReport } from "../../miner/pool_worker.ts";
import type { Niceness, PoolEvent, Search } from "../../miner/types.ts";
import { type Candidate, isBetter } from "../../work/candidate.ts";
import { HEADER_BYTES, UINT64_MAX } from "../../work/hash.ts";
import { bruteForce } from "../support/brute_force.ts";

/**
 * A pool whose events can be waited for. Its threads do not step back unless told to: on a busy
 * machine those that do may get no time at all.
 */
class Rig {
  readonly pool: Pool;
  readonly logs: string[] = [];
  readonly events: PoolEvent[] = [];
  readonly verdict: Promise<KernelVerdict>;
  #waiting: { matches: (event: PoolEvent) => boolean; resolve: (event: PoolEvent) => void }[] = [];
  #lastId = 0;

  constructor(threads: number, kernel?: string, niceness: Niceness = "normal") {
    const onEvent = (event: PoolEvent): void => {
      this.events.push(event);
      for (const { matches, resolve } of this.#waiting) if (matches(event)) resolve(event);
    };
    const onLog = (text: string): void => void this.logs.push(text);
    const { promise, resolve } = Promise.withResolvers<KernelVerdict>();
    this.verdict = promise;
    const options = { threads, niceness, onEvent, onLog, onKernel: resolve };
    this.pool = new Pool(kernel === undefined ? options : { ...options, kernel });
  }

  /** The first event of that kind, and of that search, from the beginning on. */
  async event<K extends PoolEvent["kind"]>(
    kind: K,
    id?: number,
    holds: (event: Extract<PoolEvent, { kind: K }>) => boolean = () => true,
  ): Promise<Extract<PoolEvent, { kind: K }>> {
    type Wanted = Extract<PoolEvent, { kind: K }>;
    const matches = (event: PoolEvent): boolean =>
      event.kind === kind && (!("id" in event) || event.id === id) && holds(event as Wanted);
    const past = this.events.find(matches);
    if (past !== undefined) return past as Wanted;
    return await new Promise<Wanted>((resolve) => {
      this.#waiting.push({ matches, resolve: resolve as (event: PoolEvent) => void });
    });
  }

  start(search: Omit<Search, "id">): number {
    const id = ++this.#lastId;
    this.pool.command({ kind: "start", search: { ...search, id } });
    return id;
  }

  async best(search: Omit<Search, "id">): Promise<Candidate> {
    return (await this.event("finished", this.start(search))).best;
  }
}

const rigs: Rig[] = [];
/** A rig that is closed after the test. */
function rig(...how: ConstructorParameters<typeof Rig>): Rig {
  const made = new Rig(...how);
  rigs.push(made);
  return made;
}
// A pool that has nothing to do makes code for what may come: not beside the next test.
afterEach(() => Promise.all(rigs.splice(0).map((made) => made.pool.close())));
afterAll(() => Promise.all([shared, slow].map(({ pool }) => pool.close())));

const message = "pool";
const shared = new Rig(3);
/** So slow that the test can check all that it gets done. */
const slow = new Rig(2, "plain");

describe("Pool", () => {
  test("tells its threads and a measured rate when ready", async () => {
    const told = await shared.event("pool");
    assertEquals(told.threads, 3);
    assert(told.rate > 0);
  });

  test("reports a kernel that was asked for by its name, with the rate of one thread", async () => {
    const made = rig(2, "plain");
    const { name, rate, reason } = await made.verdict;
    assertEquals([name, reason], ["plain", "chosen by name"]);
    const pool = await made.event("pool");
    assertEquals(rate, pool.rate / pool.threads);
  });

  // Elsewhere the system knows no niceness of single threads.
  if (process.platform === "linux") {
    test("has its threads step back for other programs, but not the one that serves the socket", async () => {
      const before = getPriority();
      await rig(3, "plain", "low").event("pool");
      const tasks = readdirSync("/proc/self/task");
      const nice = (task: string | number): number => {
        try {
          const stat = readFileSync(`/proc/self/task/${task}/stat`, "utf8");
          return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[16]);
        } catch {
          return NaN; // a thread of another test, or of Bun, that has ended since
        }
      };
      assert(tasks.filter((task) => nice(task) === 19).length >= 3, "its three threads are nice");
      assertEquals(nice(process.pid), getPriority(process.pid));
      // These tests may themselves run with the lowest priority.
      if (before < 19) assert(nice(process.pid) < 19, "the main thread is not");
    });
  }

  test("measures the kernels meanwhile, and goes on with the fastest", async () => {
    const { name, rate } = await shared.verdict;
    assert(KERNEL_NAMES.includes(name) && rate > 0, `${name} does ${rate}`);
    const search = { subject: message, lower: 10_000n, upper: 15_000n };
    assertEquals(await shared.best(search), bruteForce(message, search.lower, search.upper));
  });

  test("finds what brute force finds: ranges of any length, at every boundary", async () => {
    const ranges: [bigint, bigint][] = [
      [0n, 0n],
      [9n, 10n],
      [0n, 5000n],
      [99_990n, 100_010n],
      [2n ** 32n - 700n, 2n ** 32n + 700n],
      [2n ** 53n - 700n, 2n ** 53n + 700n],
      [UINT64_MAX, UINT64_MAX],
      [UINT64_MAX - 1500n, UINT64_MAX],
    ];
    const ids = ranges.map(([lower, upper]) => shared.start({ subject: message, lower, upper }));
    for (const [at, [lower, upper]] of ranges.entries()) {
      const { best } = await shared.event("finished", ids[at]);
      assertEquals(best, bruteForce(message, lower, upper), `${lower}..${upper}`);
    }
  });

  test("searches block headers too: hashes of 256 bits, targets, and the last nonce", async () => {
    const header = Uint8Array.from({ length: HEADER_BYTES }, (_, i) => i);
    const last = 2n ** 32n - 1n;
    const best = await shared.best({ subject: header, lower: 5n, upper: 3000n });
    assertEquals(best, bruteForce(header, 5n, 3000n));
    const target = best.hash + 2n ** 240n;
    const hit = await shared.best({ subject: header, lower: 0n, upper: last, target });
    assertEquals(hit, bruteForce(header, 0n, last, target));
    const end = await shared.best({ subject: header, lower: last - 9n, upper: last });
    assertEquals(end, bruteForce(header, last - 9n, last));
    const asMessage = await shared.best({ subject: message, lower: 5n, upper: 3000n });
    assertEquals(asMessage, bruteForce(message, 5n, 3000n));
  });

  test("flows through more searches than it has slots, each with its own message", async () => {
    // Lengths that differ by whole blocks need no code of their own.
    const messages = Array.from({ length: 3 * SLOTS }, (_, i) => "é".repeat(i * 32));
    const ids = messages.map((text) => shared.start({ subject: text, lower: 5n, upper: 300n }));
    for (const [at, text] of messages.entries()) {
      const { best } = await shared.event("finished", ids[at]);
      assertEquals(best, bruteForce(text, 5n, 300n));
    }
  });

  test("with a target gives the lowest hit, or unmet the least hash", async () => {
    const upper = 30_000n;
    for (const target of [2n ** 64n / 3000n, 2n ** 64n / 20_000n, 0n]) {
      const best = await shared.best({ subject: message, lower: 0n, upper, target });
      assertEquals(best, bruteForce(message, 0n, upper, target), `target ${target}`);
    }
  });

  test("a target in an endless range ends the search early", async () => {
    const target = 2n ** 64n / 100_000n;
    const best = await shared.best({ subject: message, lower: 0n, upper: UINT64_MAX, target });
    assertEquals(best, bruteForce(message, 0n, best.nonce, target));
  });

  test("stop answers with a searched prefix, and the next search goes on", async () => {
    const id = slow.start({ subject: message, lower: 10n, upper: UINT64_MAX });
    const behind = slow.start({ subject: message, lower: 1n, upper: 2n });
    const seen = await slow.event("progress", id, ({ next }) => next > 10n);
    slow.pool.command({ kind: "stop", id });
    const stopped = await slow.event("stopped", id);
    assert(stopped.next >= seen.next, "never less than was told before");
    const prefix = kernelNamed("bun")!
      .bind(Buffer.from(message))
      .search(10n, stopped.next - 1n);
    assert(!isBetter(prefix, stopped.best), "the best covers the prefix");
    await slow.event("finished", behind);
    slow.pool.command({ kind: "stop", id });
    slow.pool.command({ kind: "shrink", id, upper: 5n });
    await slow.best({ subject: message, lower: 1n, upper: 2n });
    const after = slow.events.slice(slow.events.indexOf(stopped) + 1);
    assert(!after.some((event) => "id" in event && event.id === id), "nothing more of it");
  });

  test("shrink confirms an end that covers all that is claimed, and the result is of that range", async () => {
    const id = slow.start({ subject: message, lower: 0n, upper: UINT64_MAX });
    const { next } = await slow.event("progress", id, ({ next }) => next > 0n);
    slow.pool.command({ kind: "shrink", id, upper: 1n });
    const { upper } = await slow.event("shrunk", id);
    const { best } = await slow.event("finished", id);
    assert(upper >= next - 1n);
    assertEquals(best, kernelNamed("bun")!.bind(Buffer.from(message)).search(0n, upper));
    const ahead = slow.start({ subject: message, lower: 0n, upper: UINT64_MAX });
    const queued = slow.start({ subject: message, lower: 100n, upper: UINT64_MAX });
    slow.pool.command({ kind: "shrink", id: queued, upper: 200n });
    assertEquals((await slow.event("shrunk", queued)).upper, 200n);
    slow.pool.command({ kind: "stop", id: ahead });
    assertEquals((await slow.event("finished", queued)).best, bruteForce(message, 100n, 200n));
  });

  test("an unknown kernel and a message of many blocks do no harm", async () => {
    const made = rig(1, "no such kernel");
    const long = "x".repeat(1000);
    const best = await made.best({ subject: long, lower: 0n, upper: 2000n });
    assertEquals(best, bruteForce(long, 0n, 2000n));
  });

  test("close ends threads that are at work and threads that sleep", async () => {
    const busy = rig(2, "bun");
    busy.start({ subject: message, lower: 0n, upper: UINT64_MAX });
    await busy.event("progress", 1);
    await busy.pool.close();
    const idle = rig(2, "bun");
    await idle.event("pool");
    await idle.pool.close();
  });
});

describe("Pool with dying threads", () => {
  test("searches a dead thread's block again and fills its seat", async () => {
    const made = rig(2, "plain");
    await made.event("pool");
    const id = made.start({ subject: message, lower: 0n, upper: UINT64_MAX });
    let done = 0n;
    for (const killed of [0, 1, 0]) {
      const { next } = await made.event("progress", id, (event) => event.next > done);
      done = next;
      made.pool.killThread(killed);
    }
    await made.event("progress", id, ({ next }) => next > done);
    made.pool.command({ kind: "shrink", id, upper: 1n });
    const { best } = await made.event("finished", id);
    const { upper } = await made.event("shrunk", id);
    assertEquals(best, kernelNamed("bun")!.bind(Buffer.from(message)).search(0n, upper));
    assert(made.logs.some((line) => line.includes("died")));
  });

  test("goes on with the threads that are left, and says when there are none", async () => {
    const died = Promise.withResolvers<void>();
    const pool: Pool = new Pool({
      threads: 1,
      niceness: "normal",
      kernel: "plain",
      onEvent: (event) => {
        if (event.kind === "pool") pool.killThread(0);
      },
      onDead: () => died.resolve(),
    });
    await died.promise;
    await pool.close();
  });
});

describe("Hasher", () => {
  /** Runs one search through a thread's work, in this thread; what it reported. */
  function reports(kernel: Kernel): { told: WorkerReport[]; main: PoolControl } {
    const main = PoolControl.create(1);
    main.open({ id: 1, subject: message, lower: 0n, upper: 5000n }, 1);
    const told: WorkerReport[] = [];
    const worker = new PoolControl(main.memory, 1, 0);
    new Hasher(worker, kernel, (what) => {
      told.push(what);
      if (what.kind === "look") main.announceClosing();
    }).run();
    return { told, main };
  }
  /** A kernel that fails with the first message that is not the warm-up's, or with every one. */
  const broken = (fails: () => Candidate, sparesWarmUp = false): Kernel => ({
    name: "broken",
    bind(bytes) {
      const spared = sparesWarmUp && Buffer.from(bytes).toString() !== message;
      return spared ? kernelNamed("bun")!.bind(bytes) : { search: fails };
    },
  });
  test("changes to the kernel that is wished for, though it began with another", () => {
    const main = PoolControl.create(1);
    const [half, upper] = [2500n, 5000n];
    main.open({ id: 1, subject: message, lower: 0n, upper: half }, 1);
    let bound = 0;
    const first: Kernel = {
      name: "first",
      bind(bytes) {
        bound++;
        return kernelNamed("plain")!.bind(bytes);
      },
    };
    let looks = 0;
    new Hasher(new PoolControl(main.memory, 1, 0), first, (what) => {
      assert(what.kind !== "kernel error", "no kernel fails");
      if (what.kind !== "look") return;
      if (++looks === 2) return main.announceClosing();
      main.kernel = KERNEL_NAMES.indexOf("bun");
      main.open({ id: 2, subject: message, lower: half + 1n, upper }, 2);
    }).run();
    assertEquals(bound, 2, "the warm-up and the first search, not the second");
    assertEquals(main.stateOf(1).best, bruteForce(message, half + 1n, upper));
  });

  const boom = (): Candidate => {
    throw new Error("boom");
  };

  test.each([
    ["throws at once", broken(boom)],
    ["throws later", broken(boom, true)],
    ["computes wrong hashes", broken(() => ({ hash: 0n, nonce: 0n }))],
    [
      "cannot be bound",
      {
        name: "unbindable",
        bind() {
          throw new Error("no memory");
        },
      },
    ],
  ])("a kernel that %s is reported, and the plain one does the work", (_, kernel) => {
    const { told, main } = reports(kernel);
    assertEquals(main.stateOf(0).best, bruteForce(message, 0n, 5000n));
    for (const kind of ["ready", "kernel error", "look"]) {
      assert(
        told.some((report) => report.kind === kind),
        `no "${kind}"`,
      );
    }
  });
});
