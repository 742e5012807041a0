/** Machine code in child processes: what is right passes; what dies, hangs or lies is struck. */
import { afterAll, describe, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { startProbe } from "../../miner/kernels/probe_adapter.ts";
import { probeProgramText } from "../../miner/kernels/probe_program_native.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { NATIVE, PLANTED, planOf } from "./planted.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-probe-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** An executable file that is a shell script. */
function script(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

test("the child's program names nothing but what it is given and the language has", () => {
  const given = [
    "require",
    "JSON",
    "Error",
    "BigInt",
    "Math",
    "Number",
    "String",
    "performance",
    "process",
  ];
  const known = [...given, "BigUint64Array", "Int32Array", "Uint8Array"];
  const scan = new Bun.Transpiler({ loader: "js" }).scan(probeProgramText());
  assertEquals(scan.exports, []);
  // What is neither known nor declared would be read from the global object: there it is missed.
  const touched = new Set<string>();
  const world = new Proxy({} as Record<string, unknown>, {
    has: (_, name) => typeof name === "string",
    get: (_, name) => {
      if (typeof name !== "string") return undefined;
      touched.add(name);
      if (name === "require") return (of: string) => (of === "node:fs" ? fs : {});
      return (globalThis as unknown as Record<string, unknown>)[name];
    },
  });
  const said: string[] = [];
  const job = Buffer.from(JSON.stringify({ library: "" }));
  const input = Buffer.concat([Buffer.from(Uint32Array.of(job.length).buffer), job]);
  const fs = { readFileSync: () => input, writeSync: (_: number, text: string) => said.push(text) };
  // oxlint-disable-next-line no-implied-eval, no-new-func
  new Function("world", `with (world) { ${probeProgramText()} }`)(world);
  assertStringIncludes(said.join(), "no C library");
  for (const name of touched) assert(known.includes(name), `names ${name}`);
});

if (NATIVE.length === 0) console.warn("not run here: machine code in child processes");
else {
  const first = NATIVE[0]!;
  const beside = sideBySide();

  describe("startProbe()", () => {
    beside("passes the part that is measured of every kernel, with its rate", async () => {
      for (const name of NATIVE) {
        const probed = await startProbe(planOf(name, false), { measureMillis: 5 }).result;
        assert(probed.kind === "passed" && probed.rate > 0, `${name}: ${JSON.stringify(probed)}`);
      }
    });

    beside("passes all code of a kernel, digits across blocks and headers included", async () => {
      const plan = planOf(first, true);
      const steps = plan.steps.map(({ what }) => what);
      for (const what of ["block headers", "digits across two blocks"]) {
        assert(steps.includes(what), `no ${what} in ${steps.join()}`);
      }
      assertEquals((await startProbe(plan, { measureMillis: 5 }).result).kind, "passed");
    });

    beside("strikes off code that dies, and says of what and where", async () => {
      const probed = await startProbe(planOf(first, true, PLANTED.dies)).result;
      assertEquals(probed, { kind: "struck", why: "died: SIGILL (shape single:3,4)" });
    });

    beside("strikes off code that only dies for one shape", async () => {
      const { steps, ...rest } = planOf(first, true);
      const planted = steps.map((step) => {
        if (step.what !== "block headers") return step;
        // Planted code has one entry.
        const calls = step.calls.filter(({ judged }) => judged);
        return { ...step, code: [PLANTED.dies], calls };
      });
      const probed = await startProbe({ steps: planted, ...rest }).result;
      assertEquals(probed, { kind: "struck", why: "died: SIGILL (block headers)" });
    });

    beside(
      "strikes off code that runs on for ever, by the processor time that it took",
      async () => {
        const probed = await startProbe(planOf(first, false, PLANTED.loops), { cpuSeconds: 0 })
          .result;
        assertEquals(probed, { kind: "struck", why: "ran on for ever (shape single:3,4)" });
      },
    );

    if (process.arch === "x64" && process.platform === "linux") {
      beside("strikes off code that hangs and takes no processor time", async () => {
        const options = { silenceMillis: 3000 };
        const probed = await startProbe(planOf(first, false, PLANTED.sleeps), options).result;
        assertEquals(probed, { kind: "struck", why: "hung (shape single:3,4)" });
      });
    }

    beside("strikes off code that computes wrong hashes", async () => {
      const lies = await startProbe(planOf(first, false, PLANTED.lies)).result;
      assertEquals(lies, { kind: "struck", why: "computed wrong hashes (shape single:3,4)" });
      const plan = planOf(first, true);
      for (const at of [0, plan.steps.length - 1]) {
        // One bit of what one step expects: as if the code had got that wrong.
        const expected = plan.expected.map((answers, step) => {
          if (step !== at) return answers;
          return answers.map((answer) => ({ ...answer, words: answer.words.map((w) => w ^ 1) }));
        });
        const probed = await startProbe({ ...plan, expected }, { measureMillis: 1 }).result;
        const why = `computed wrong hashes (${plan.steps[at]!.what})`;
        assertEquals(probed, { kind: "struck", why });
      }
    });

    beside("judges nothing when it is stopped or there is no child to be had", async () => {
      const plan = planOf(first, false);
      const stopped = startProbe(planOf(first, false, PLANTED.loops));
      stopped.stop();
      assertEquals((await stopped.result).kind, "unjudged");
      const why = async (executable: string): Promise<string> => {
        const probed = await startProbe(plan, { executable }).result;
        return probed.kind === "unjudged" ? probed.why : JSON.stringify(probed);
      };
      assertStringIncludes(await why(join(directory, "none")), "no child process can be had");
      assertStringIncludes(await why(script("fails", "exit 3")), "did not work: exit code 3");
      assertStringIncludes(await why(script("raves", "echo x")), "said what makes no sense");
    });

    beside("judges nothing by a child that runs on another processor", async () => {
      const hello = JSON.stringify({ kind: "hello", processor: [1, 2, 3] });
      const executable = script("other", `echo '${hello}'; cat >/dev/null`);
      const probed = await startProbe(planOf(first, false, PLANTED.dies), { executable }).result;
      assertEquals(probed.kind, "unjudged");
      assertStringIncludes(JSON.stringify(probed), "another processor");
    });

    const emulator = Bun.which("qemu-x86_64");
    if (process.arch === "x64" && emulator !== null) {
      beside("judges nothing by a child that is emulated, though this process is not", async () => {
        const run = `exec "${emulator}" -cpu Haswell "${process.execPath}" "$@"`;
        const executable = script("emulated", run);
        const probed = await startProbe(planOf(first, false), { executable }).result;
        const why = "a child process runs on another processor than this one";
        assertEquals(probed, { kind: "unjudged", why });
      });
    }
  });
}
