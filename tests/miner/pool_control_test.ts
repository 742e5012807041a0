/** The memory that the pool's threads share, with all its users played by one thread. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { PoolControl } from "../../miner/pool_control.ts";
import type { Search } from "../../miner/types.ts";
import { UINT64_MAX } from "../../work/hash.ts";

const message = "pool";

describe("PoolControl", () => {
  const search = (id: number, lower: bigint, upper: bigint): Search => ({
    id,
    subject: message,
    lower,
    upper,
  });

  /** The main thread's view and the workers', all in this thread. */
  function views(threads: number): { main: PoolControl; workers: PoolControl[] } {
    const main = PoolControl.create(threads);
    const worker = (_: unknown, self: number) => new PoolControl(main.memory, threads, self);
    return { main, workers: Array.from({ length: threads }, worker) };
  }

  test("the main thread only tries the lock, and takes it over from the dead", () => {
    const { main, workers } = views(2);
    workers[1]!.lock();
    assert(!main.tryLock());
    assert(!main.seizeLock(0), "worker 0 does not hold it");
    assert(main.seizeLock(1));
    main.unlock();
    assert(main.tryLock());
  });

  test("blocks are claimed in order, without gap or overlap, to the very last nonce", () => {
    const { main, workers } = views(2);
    const lower = UINT64_MAX - 10_000n;
    main.open(search(1, lower, UINT64_MAX), 1);
    let next = lower;
    for (let turn = 0; ; turn++) {
      const block = workers[turn % 2]!.claim(100);
      if (block === undefined) break;
      assertEquals(block.lower, next);
      next = block.upper + 1n;
      workers[turn % 2]!.complete({ hash: 1n, nonce: block.lower });
    }
    assertEquals(next, UINT64_MAX + 1n);
    assert(main.stateOf(0).finished);
  });

  test("a shrink below a claimed block confirms the block's end", () => {
    const { main, workers } = views(2);
    main.open(search(1, 0n, 1_000_000n), 1);
    const block = workers[0]!.claim(1000)!;
    assertEquals(main.shrink(0, 5n), block.upper);
    assertEquals(workers[1]!.claim(1000), undefined);
    assert(workers[0]!.complete({ hash: 9n, nonce: 3n }), "that was all: have a look");
    assertEquals(main.stateOf(0).best, { hash: 9n, nonce: 3n });
  });

  test("above a hit nothing is claimed nor called searched, below it all is finished", () => {
    const { main, workers } = views(3);
    main.open({ ...search(1, 0n, 1_000_000n), target: 5n }, 1);
    const [low, middle, high] = workers.map((worker) => worker.claim(1000)!);
    assert(!workers[1]!.complete({ hash: 5n, nonce: middle!.lower + 7n }));
    assertEquals(workers[1]!.claim(1000), undefined);
    assertEquals(main.stateOf(0).next, low!.lower);
    assert(workers[0]!.complete({ hash: 6n, nonce: low!.lower }), "the block above does not count");
    assertEquals(main.stateOf(0), {
      next: middle!.lower + 7n,
      best: { hash: 5n, nonce: middle!.lower + 7n },
      begun: true,
      finished: true,
    });
    assert(high !== undefined);
  });

  test("a dead worker's block goes to the next that asks, before anything new", () => {
    const { main, workers } = views(2);
    main.open(search(1, 0n, 1_000_000n), 1);
    const lost = workers[0]!.claim(1000)!;
    workers[1]!.complete({ hash: 9n, nonce: workers[1]!.claim(1000)!.lower });
    main.orphan(0);
    assertEquals(main.stateOf(0).next, 0n);
    assertEquals(workers[1]!.claim(1000), lost);
    assertEquals(workers[0]!.claim(1000)!.lower, 2000n, "the seat's next holder starts clean");
  });

  test("the seat's next holder takes the orphan itself when it comes first", () => {
    const { main, workers } = views(2);
    main.open(search(1, 0n, 1_000_000n), 1);
    const lost = workers[0]!.claim(1000)!;
    main.orphan(0);
    assertEquals(workers[0]!.claim(1000), lost);
    assertEquals(workers[1]!.claim(1000)!.lower, 1000n);
  });

  test("after a death inside the lock a search begins again where it was told to stand", () => {
    const { main, workers } = views(1);
    main.open(search(1, 0n, 99n), 1);
    workers[0]!.claim(1000);
    main.forget(0);
    main.restart(0, 40n, { hash: 3n, nonce: 2n });
    let block = workers[0]!.claim(1000);
    assertEquals(block?.lower, 40n);
    for (; block !== undefined; block = workers[0]!.claim(1000)) {
      workers[0]!.complete({ hash: 8n, nonce: block.lower });
    }
    assertEquals(main.stateOf(0).best, { hash: 3n, nonce: 2n });
  });
});
