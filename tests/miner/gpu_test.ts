/** Hashing on a graphics processor: the search with a double everywhere, the rest on a device. */
import { afterAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { nativeKernel as bunKernel } from "../../miner/bun_kernel_native.ts";
import { adapterLabel, whyRefused } from "../../miner/gpu/gpu_native.ts";
import { GpuPool } from "../../miner/gpu/gpu_pool_adapter.ts";
import { GpuSearch, searchOnGpu, selfTestGpu } from "../../miner/gpu/gpu_search_native.ts";
import { GpuQueue, poolLabel } from "../../miner/gpu/gpu_worker.ts";
import { headerSubject, messageSubject, type Subject } from "../../miner/gpu/tiles.ts";
import { bunHeaderSearcher } from "../../miner/kernels/bun_header_native.ts";
import type { PoolEvent } from "../../miner/types.ts";
import { type Candidate, isBetter } from "../../work/candidate.ts";
import { UINT64_MAX } from "../../work/hash.ts";
import { LABEL_BYTES_MAX } from "../../work/messages.ts";
import { scriptEnvironment } from "../support/processes.ts";
import { DEVICE, doubleOf, tiedSubject } from "./gpu_support.ts";
import { messageOf } from "./kernel_support.ts";

function bruteForce(subject: Subject, lower: bigint, upper: bigint, target?: bigint): Candidate {
  let best: Candidate | undefined;
  for (let nonce = lower; nonce <= upper; nonce++) {
    const candidate = { hash: subject.hash(nonce), nonce };
    if (target !== undefined && candidate.hash <= target) return candidate;
    if (isBetter(candidate, best)) best = candidate;
  }
  return best!;
}

const failureOf = (done: Promise<unknown>): Promise<string> =>
  done.then(
    () => "",
    (error: Error) => error.message,
  );

describe("GpuSearch, on a double of a device,", () => {
  test("gives the lowest of equal hashes, and with a target the lowest hit, however many tie", async () => {
    for (let seed = 0n; seed < 4n; seed++) {
      // With two levels there are more hits than a device lists.
      const tied = tiedSubject(seed, seed % 2n === 0n ? 64n : 2n);
      const lower = 999_999_000n + 977n * seed;
      const upper = lower + 5_000n + 99n * seed;
      // Upper words that many hashes share, with lower words that few are below.
      for (const target of [undefined, 0n, 1n, (1n << 58n) | 40n, (1n << 63n) | 9n]) {
        const { gpu, subject } = doubleOf(tied);
        const got = await searchOnGpu(gpu, subject, lower, upper, {
          target,
          hostless: true,
        });
        assertEquals(got, bruteForce(tied, lower, upper, target), `${seed}, target ${target}`);
      }
    }
  });

  test("more hits than a device lists: none is lost", async () => {
    const at = 22_000n;
    const hash = (nonce: bigint): bigint => (nonce === at ? 0n : 1n);
    const { gpu, subject } = doubleOf({ ...messageSubject(new Uint8Array()), hash });
    assertEquals(await searchOnGpu(gpu, subject, 20_000n, 40_000n), { hash: 0n, nonce: at });
  });

  test("a target that only the upper word meets does not end the search", async () => {
    const real = messageSubject(messageOf(3));
    const at = 25_000n;
    const odd: Subject = {
      ...real,
      hash: (nonce) => (nonce === at ? 5n : nonce % 1000n === 7n ? 9n : real.hash(nonce)),
    };
    for (const lower of [20_007n, 20_000n]) {
      const { gpu, subject } = doubleOf(odd);
      const got = await searchOnGpu(gpu, subject, lower, 40_000n, { target: 5n });
      assertEquals(got, { hash: 5n, nonce: at });
    }
  });

  test("tells a prefix with its best nonce, and shrinks to what no batch has yet", async () => {
    const { gpu, subject } = doubleOf(tiedSubject(1n, 64n));
    const [lower, upper] = [50_000n, 90_000n];
    const search = new GpuSearch(gpu, subject, lower, upper);
    assertEquals(search.standing, { next: lower });
    const running = search.step();
    // The shader is made first: then the first batch is claimed.
    await Promise.resolve();
    assertEquals(search.shrink(80_000n), 80_000n);
    await running;
    while (search.standing.best === undefined) await search.step();
    const { next, best } = search.standing;
    assertEquals(best, bruteForce(subject, lower, next - 1n));
    assertEquals(search.shrink(lower), next - 1n);
    assert(search.finished);
    assertEquals(search.best, bruteForce(subject, lower, next - 1n));
  });

  test.each(["computes nothing", "computes something else"] as const)(
    "a device that %s is not believed",
    async (fault) => {
      const { gpu, subject } = doubleOf(messageSubject(messageOf(3)), fault);
      const search = searchOnGpu(gpu, subject, 20_000n, 60_000n);
      assertStringIncludes(await failureOf(search), "the device computed");
      assert((await selfTestGpu(gpu)) !== undefined, "nor does it pass the self-test");
      const queue = new GpuQueue(gpu, () => {});
      assertStringIncludes(await failureOf(queue.run()), "fails its self-test");
    },
  );
});

describe("whyRefused", () => {
  const none = { vendor: "", device: "null-backend", description: "", backendType: 1 };
  const mesa = { vendor: "mesa", device: "llvmpipe-256", description: "llvmpipe: Mesa 25" };

  test("refuses bun-webgpu's null adapter by its backend and by its name", () => {
    assert(whyRefused(none)?.includes("null adapter"));
    assert(whyRefused({ ...none, backendType: 6 })?.includes("null adapter"));
    assert(whyRefused({ ...none, device: "" })?.includes("null adapter"));
    assertEquals(whyRefused({ ...mesa, backendType: 6 }), undefined);
  });

  test("adapterLabel says what is software; a label fits into a join", () => {
    assertEquals(adapterLabel({ ...mesa, adapterType: 3 }), "software llvmpipe: Mesa 25");
    assertEquals(adapterLabel({ ...mesa, adapterType: 1, description: "" }), "llvmpipe-256");
    assert(Buffer.byteLength(poolLabel("é".repeat(80))) <= LABEL_BYTES_MAX);
  });
});

// On other systems drivers cannot be hidden from the loader.
if (process.platform === "linux") {
  test("miner.ts --gpu without a usable device says so in a line, and hashes on the processor", async () => {
    const hidden = { VK_DRIVER_FILES: "/nonexistent", VK_ICD_FILENAMES: "/nonexistent" };
    const child = Bun.spawn(
      [
        process.execPath,
        "miner.ts",
        "127.0.0.1:9",
        "--gpu",
        "--threads",
        "1",
        "--niceness",
        "normal",
      ],
      {
        cwd: `${import.meta.dir}/../..`,
        env: { ...scriptEnvironment(), ...hidden },
        stdout: "ignore",
        stderr: "pipe",
      },
    );
    let text = "";
    const decoder = new TextDecoder();
    for await (const bytes of child.stderr) {
      text += decoder.decode(bytes, { stream: true });
      if (text.includes("hashing with 1 thread, kernel")) break;
    }
    child.kill("SIGKILL");
    await child.exited;
    const lines = text.split("\n").filter((line) => line.startsWith("no graphics processor: "));
    assertEquals(lines.length, 1, text);
    assert(/(bun-webgpu is not installed|null adapter).*hashing on the processor/.test(lines[0]!));
  });
}

if (typeof DEVICE === "string") {
  console.log(`gpu: not run on a device: ${DEVICE}`);
  test(`not run on a device: ${DEVICE}`, () => assert(DEVICE !== ""));
} else {
  const gpu = DEVICE;
  afterAll(() => gpu.close());
  console.log(`gpu: run on ${gpu.label}`);

  describe(`on ${gpu.label}`, () => {
    const factor = Number(process.env["KERNEL_TEST_FACTOR"] ?? 1);
    const compare = async (length: number, lower: bigint, count: bigint): Promise<void> => {
      const message = messageOf(length);
      const end = lower + count - 1n;
      const upper = end > UINT64_MAX ? UINT64_MAX : end;
      const got = await searchOnGpu(gpu, messageSubject(message), lower, upper, { hostless: true });
      const expected = bunKernel.bind(message).search(lower, upper);
      assertEquals(got, expected, `${length} bytes, ${lower}..${upper}`);
    };

    test("digits anywhere in one block, before the padding's block, and across two blocks", async () => {
      const lengths = [0, 3, 44, 46, 50, 53, 54, 55, 58, 62, 63, 64, 120, 200];
      const all = factor > 1 ? Array.from({ length: 201 }, (_, i) => i) : lengths;
      for (const length of all) await compare(length, 1_999_990_000n, 20_000n);
    });

    test("every length of nonces, and ranges of few", async () => {
      const counts = [1n, 2n, 63n, 64n, 65n];
      for (const lower of [0n, 99_990n, 2n ** 32n - 40n, 2n ** 53n - 40n, UINT64_MAX - 70n]) {
        for (const count of counts) await compare(5, lower, count);
      }
      await compare(5, 9_999_999_000n, 2_000n);
      await compare(5, UINT64_MAX - 70n, 1_000n);
      await compare(5, 0n, 20_000n);
    });

    test("two million nonces in batches of many sizes; a target's lowest hit", async () => {
      await compare(7, 5_000_000_000n, BigInt(2_000_000 * factor));
      const message = messageOf(7);
      const lower = 5_000_000_000n;
      for (const target of [UINT64_MAX / 3n, UINT64_MAX / 5000n, UINT64_MAX / 300_000n]) {
        const options = { target };
        const subject = messageSubject(message);
        const got = await searchOnGpu(gpu, subject, lower, lower + 2_000_000n, options);
        assertEquals(got, bunKernel.bind(message).search(lower, lower + 2_000_000n, target));
      }
    });

    test("a word equal to the least or to the target's is told, a greater one is not", async () => {
      const subject = messageSubject(messageOf(7));
      const lower = 5_000_000_000n;
      const best = bunKernel.bind(messageOf(7)).search(lower, lower + 9_999n);
      const { shape, state, words, start } = subject.tileAt(lower);
      const shader = await gpu.shader(shape);
      const constants = new Int32Array(shader.constants);
      shader.fill(constants, state, words);
      const batch = { constants, first: Number(lower - start), count: 10_000 };
      const word = Number(best.hash >> 32n);
      const offset = Number(best.nonce - lower);
      const told = await gpu.run(shape, { ...batch, least: word, target: word }, 0);
      assertEquals([[...told.hits], told.lowest], [[offset], offset]);
      const less = await gpu.run(shape, { ...batch, least: word - 1, target: word - 1 }, 0);
      assertEquals([[...less.hits], less.lowest], [[], undefined]);
    });

    test("block headers: block 125,552 of Bitcoin, and ranges up to the last nonce", async () => {
      const header = Uint8Array.fromHex(
        "0100000081cd02ab7e569e8bcd9317e2fe99f2de44d49ab2b8851ba4a308000000000000e320b6c2fffc" +
          "8d750423db8b1eb942ae710e951ed797f7affc8892b0f1fc122bc7f5d74df2b9441a42a14695",
      );
      const nonce = BigInt(new DataView(header.buffer).getUint32(76, true));
      const subject = headerSubject(header);
      const target = 0xffffn << 208n;
      const found = await searchOnGpu(gpu, subject, nonce - 200_000n, nonce + 9n, { target });
      assertEquals(found, { nonce, hash: subject.hash(nonce) });
      const twin = bunHeaderSearcher(header);
      for (const lower of [0n, 2n ** 32n - 50_000n]) {
        const got = await searchOnGpu(gpu, subject, lower, lower + 49_999n, { hostless: true });
        assertEquals(got, twin.search(lower, lower + 49_999n));
      }
    });

    test("GpuPool: finishes, shrinks and stops like the pool of threads, in order", async () => {
      const events: PoolEvent[] = [];
      let heard = Promise.withResolvers<void>();
      const pool = new GpuPool({
        onEvent: (event) => {
          events.push(event);
          heard.resolve();
        },
        onFailed: (reason) => heard.reject(new Error(reason)),
      });
      async function told<K extends PoolEvent["kind"]>(kind: K, id?: number) {
        for (;;) {
          const found = events.find((e) => e.kind === kind && (!("id" in e) || e.id === id));
          if (found !== undefined) return found as Extract<PoolEvent, { kind: K }>;
          heard = Promise.withResolvers();
          await heard.promise;
        }
      }
      const least = (upper: bigint) => bunKernel.bind(Buffer.from("gpu")).search(50_000n, upper);
      const search = { subject: "gpu", lower: 50_000n };
      const made = await told("pool");
      assert(made.rate > 0 && made.label.startsWith("gpu "), made.label);
      pool.command({ kind: "start", search: { ...search, id: 1, upper: 90_000n } });
      pool.command({ kind: "start", search: { ...search, id: 2, upper: UINT64_MAX } });
      pool.command({ kind: "start", search: { ...search, id: 3, upper: UINT64_MAX } });
      pool.command({ kind: "shrink", id: 3, upper: 60_000n });
      assertEquals((await told("finished", 1)).best, least(90_000n));
      assertEquals((await told("shrunk", 3)).upper, 60_000n);
      const { next, best } = await told("progress", 2);
      assertEquals(best, least(next - 1n));
      pool.command({ kind: "stop", id: 2 });
      const stopped = await told("stopped", 2);
      assertEquals(stopped.best, least(stopped.next - 1n));
      assertEquals((await told("finished", 3)).best, least(60_000n));
      assert(pool.searched > 40_000n);
      await pool.close();
    });
  });
}
