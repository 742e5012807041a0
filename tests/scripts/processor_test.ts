/**
 * The processor under us: every kernel that it is said to run does so in a process of its own, and
 * so does a small fleet. On an emulated processor `EXPECTED_KERNELS` names the kernels that it must
 * have, and no others (.ci/run).
 */
import { afterAll, describe, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { assert, assertEquals } from "@std/assert";
import { nativeKernel as bunKernel } from "../../miner/bun_kernel_native.ts";
import { detect } from "../../miner/kernels/mod.ts";
import { killAll, Script, startServer } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

const KERNELS = fileURLToPath(new URL("../../miner/kernels/mod.ts", import.meta.url));
const MESSAGE = "this processor";
/** Few: emulated, a fleet does about ten thousand a second. */
const LAST_NONCE = 29_999n;

const usable = detect().flatMap((row) => (row.usable ? [row.name] : []));
const expected = Bun.env["EXPECTED_KERNELS"]?.split(",") ?? usable;

afterAll(killAll);

describe("this processor", () => {
  test("has the kernels that are expected of it", () => assertEquals(usable, expected));

  const beside = sideBySide();

  beside("runs each of them in another process, which passes its self-test and lives", async () => {
    const program = `
      import { createKernel, detect } from ${JSON.stringify(KERNELS)};
      for (const { name, usable } of detect()) {
        if (!usable) continue;
        createKernel(name);
        console.log(name);
      }`;
    const child = Bun.spawn([process.execPath, "-e", program], { stdout: "pipe", stderr: "pipe" });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    await child.exited;
    const end = child.signalCode ?? `exit ${child.exitCode}`;
    assertEquals([...stdout.split("\n").slice(0, -1), end], [...expected, "exit 0"], stderr);
  });

  beside("is enough for a small fleet", async () => {
    const { server, at } = await startServer();
    const miner = new Script("miner.ts", [at, "--niceness", "normal"]);
    const client = new Script("client.ts", [at, MESSAGE, String(LAST_NONCE)]);
    const dead = miner.process.exited.then((code) => `the miner ended, ${code}: ${miner.stderr}`);
    assertEquals(await Promise.race([client.exit(), dead]), 0);
    const least = bunKernel.bind(Buffer.from(MESSAGE)).search(0n, LAST_NONCE);
    assertEquals(client.stdout, `Result ${least.hash} ${least.nonce}\n`);
    const [line, kernel] = await miner.said(/^kernel ([\w-]+): .*\n/m);
    console.warn(`a miner on this processor: ${line.trim()}`);
    assert(expected.includes(kernel!), `it hashes with ${kernel}, expected one of ${expected}`);
    assert(!line.includes("struck off"), line);
    miner.kill("SIGTERM");
    assertEquals(await miner.exit(), 143);
    server.kill("SIGTERM");
    assertEquals(await server.exit(), 143);
    assert(/job \S+ answered/.test(server.stderr), server.stderr);
  });
});
