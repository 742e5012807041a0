/** A pool whose kernels die, hang or lie when they are proved: it works on, and says so once. */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { KERNEL_NAMES } from "../../miner/kernel_choice.ts";
import { chooseKernel } from "../../miner/kernel_choice_adapter.ts";
import { RecordStore } from "../../miner/kernels/record_store_adapter.ts";
import type { KernelVerdict } from "../../miner/kernels/selection.ts";
import { Pool } from "../../miner/pool_adapter.ts";
import { Prover, type ProverOptions } from "../../miner/prover_adapter.ts";
import type { PoolEvent } from "../../miner/types.ts";
import type { Candidate } from "../../work/candidate.ts";
import { bruteForce } from "../support/brute_force.ts";
import { NATIVE, PLANTED, plantedPlanner } from "./planted.ts";

const message = "prover";
const root = mkdtempSync(join(tmpdir(), "motherlode-prover-"));
const pools: Pool[] = [];
// A pool that has nothing to do makes code for what may come: not beside the next test.
afterEach(() => Promise.all(pools.splice(0).map((pool) => pool.close())));
afterAll(() => rmSync(root, { recursive: true }));
let made = 0;
const fresh = (): string => join(root, String(++made));

/** A pool of one thread. */
class Rig {
  readonly pool: Pool;
  readonly logs: string[] = [];
  /** All verdicts, and who waits for the next. */
  readonly verdicts: KernelVerdict[] = [];
  #onVerdict = (): void => {};
  readonly #found = new Map<number, (best: Candidate) => void>();
  #last = 0;

  constructor(options: ProverOptions, kernel?: string) {
    const onEvent = (event: PoolEvent): void => {
      if (event.kind === "finished") this.#found.get(event.id)?.(event.best);
    };
    this.pool = new Pool({
      threads: 1,
      niceness: "normal",
      prover: new Prover(options),
      onEvent,
      onLog: (text) => this.logs.push(text),
      onKernel: (verdict) => {
        this.verdicts.push(verdict);
        this.#onVerdict();
      },
      ...(kernel !== undefined && { kernel }),
    });
    pools.push(this.pool);
  }

  /** What the pool came to the `count`th time, having searched rightly before and after. */
  async verdict(count = 1): Promise<KernelVerdict> {
    const before = this.#search();
    while (this.verdicts.length < count) {
      await new Promise<void>((resolve) => (this.#onVerdict = resolve));
    }
    const expected = bruteForce(message, 90n, 3000n);
    assertEquals([await before, await this.#search()], [expected, expected]);
    return this.verdicts[count - 1]!;
  }

  #search(): Promise<Candidate> {
    const id = ++this.#last;
    const found = new Promise<Candidate>((resolve) => this.#found.set(id, resolve));
    this.pool.command({
      kind: "start",
      search: { id, subject: message, lower: 90n, upper: 3000n },
    });
    return found;
  }
}

const probe = { measureMillis: 2, cpuSeconds: 0 };

if (NATIVE.length === 0) console.warn("not run here: proving machine code");
else {
  const first = NATIVE[0]!;

  /** Records by which of the kernels of machine code only the first two are left to try. */
  function twoLeft(): string {
    const directory = fresh();
    const struck = { kind: "struck", why: "not in this test" } as const;
    new RecordStore(directory).save(new Map(NATIVE.slice(2).map((name) => [name, struck])));
    return directory;
  }

  describe("a pool that proves its kernels", () => {
    test.each([
      ["dies", "died: SIGILL"],
      ["loops", "ran on for ever"],
      ["lies", "computed wrong hashes"],
    ] as const)("works on when a kernel %s, with one line that names it", async (fault, why) => {
      const planner = plantedPlanner({ [first]: PLANTED[fault] });
      const rig = new Rig({ directory: twoLeft(), planner, probe });
      const { name, reason } = await rig.verdict();
      assert(name !== first && KERNEL_NAMES.includes(name), name);
      assertStringIncludes(reason, `${first} is struck off: ${why}`);
      const lines = rig.logs.filter((line) => line.includes(first));
      assertEquals(lines.length, 1, rig.logs.join("\n"));
      assertStringIncludes(lines[0]!, `kernel ${first} is struck off: ${why}`);
      assertStringIncludes(lines[0]!, "report");
    });

    test("works with what is safe when all of them die", async () => {
      const planted = Object.fromEntries(NATIVE.map((name) => [name, PLANTED.dies]));
      const rig = new Rig({ planner: plantedPlanner(planted), probe });
      assertEquals((await rig.verdict()).name, "bun");
      assertEquals(rig.logs.length, NATIVE.length, rig.logs.join("\n"));
    });

    test("uses no machine code where there is no child, and says so in one line", async () => {
      for (const kernel of [undefined, first]) {
        const executable = join(root, "no such file");
        const rig = new Rig({ planner: plantedPlanner(), probe: { ...probe, executable } }, kernel);
        const { name, reason } = await rig.verdict();
        assertEquals(name, "bun");
        assertStringIncludes(reason, "no child process can be had");
        assertEquals(rig.logs.length, 1, rig.logs.join("\n"));
      }
    });

    test("goes on with another kernel when the one that is asked for dies", async () => {
      const planner = plantedPlanner({ [first]: PLANTED.dies });
      const rig = new Rig({ directory: twoLeft(), planner, probe }, first);
      assert((await rig.verdict()).name !== first);
      assertEquals(planner.asked[0], { kernel: first, whole: true });
    });

    test("knows at the next start what it found out, strikes included", async () => {
      const directory = fresh();
      const planted = Object.fromEntries(NATIVE.slice(1).map((name) => [name, PLANTED.dies]));
      const learned = await new Rig({
        directory,
        planner: plantedPlanner(planted),
        probe,
      }).verdict();
      assertEquals(learned.name, first);
      const planner = plantedPlanner();
      const rig = new Rig({ directory, planner, probe });
      assertEquals(await rig.verdict(), learned);
      assertEquals([planner.asked, rig.logs], [[], []]);
    });

    test("takes over what another process found out meanwhile", async () => {
      const directory = twoLeft();
      const planner = plantedPlanner();
      const late = new Prover({ directory, planner, probe });
      const learned = await new Rig({ directory, planner: plantedPlanner(), probe }).verdict();
      assertEquals(late.known({}), undefined);
      const verdict = await new Promise((onDone) => late.learn({}, { onDone }));
      assertEquals([verdict, planner.asked], [learned, []]);
    });

    test("says that a kernel that is asked for was struck off before", async () => {
      const directory = twoLeft();
      const rig = (): Rig => {
        return new Rig(
          { directory, planner: plantedPlanner({ [first]: PLANTED.dies }), probe },
          first,
        );
      };
      await rig().verdict();
      const again = rig();
      await again.verdict();
      assertEquals(again.logs.length, 1, again.logs.join("\n"));
      assertStringIncludes(again.logs[0]!, `kernel ${first} cannot be used`);
      assertStringIncludes(again.logs[0]!, `${first} is struck off: died: SIGILL`);
    });

    test("proves anew what a record says of other code", async () => {
      const directory = fresh();
      const other = { kind: "works", rate: 1e12, whole: true, digests: [1n] } as const;
      new RecordStore(directory).save(new Map(NATIVE.map((name) => [name, other])));
      const planner = plantedPlanner();
      const rig = new Rig({ directory, planner, probe });
      const { rate, name } = await rig.verdict();
      assert(rate < other.rate && planner.asked.length >= NATIVE.length);
      const record = new RecordStore(directory).load().get(name)!;
      assert(record.kind === "works" && record.digests.length > 1, name);
      assertEquals(rig.logs, []);
    });

    test("ends the child when it is closed", async () => {
      // The child holds one end of a pipe, which therefore ends with it.
      const [bun, pipe] = [join(root, "bun"), join(root, "pipe")];
      assertEquals(Bun.spawnSync(["mkfifo", pipe]).exitCode, 0);
      writeFileSync(bun, `#!/bin/sh\nexec 9>"${pipe}"\nexec "${process.execPath}" "$@"\n`);
      chmodSync(bun, 0o755);
      const { stdout } = Bun.spawn(["sh", "-c", `exec <"${pipe}"; echo open; exec cat`]);
      const planner = plantedPlanner({ [first]: PLANTED.loops });
      const rig = new Rig({ planner, probe: { cpuSeconds: 600, executable: bun } });
      const reader = stdout.getReader();
      assertEquals(new TextDecoder().decode((await reader.read()).value), "open\n");
      await rig.pool.close();
      assertEquals((await reader.read()).done, true);
      assertEquals(rig.logs, []);
    });
  });

  describe("chooseKernel()", () => {
    test("renews the records: what was struck off is tried again", async () => {
      const cacheDirectory = fresh();
      const struck = { kind: "struck", why: "once upon a time" } as const;
      new RecordStore(cacheDirectory).save(new Map(NATIVE.map((name) => [name, struck])));
      const known = await chooseKernel({ cacheDirectory });
      assert(!NATIVE.includes(known.kernel.name));
      const row = known.table.find(({ name }) => name === first)!;
      assertEquals([row.usable, row.reason], [false, "struck off: once upon a time"]);
      await expect(chooseKernel({ cacheDirectory, forced: first })).rejects.toThrow("upon a time");
      const { kernel } = await chooseKernel({ cacheDirectory, forced: first, renewMillis: 2 });
      assertEquals(kernel.name, first);
      assertEquals(new RecordStore(cacheDirectory).load().get(first)?.kind, "works");
    });
  });
}
