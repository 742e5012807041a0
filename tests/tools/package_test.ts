/** Motherlode in somebody else's program: installed from a tarball, type-checked, run, bundled. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serveInstalled } from "../support/registry.ts";

const root = join(import.meta.dirname, "../..");
const home = mkdtempSync(join(tmpdir(), "motherlode-package-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** What README says that a user's tsconfig.json needs, under the strictest rules. */
const TSCONFIG = {
  compilerOptions: {
    target: "esnext",
    module: "preserve",
    lib: ["esnext"],
    types: ["bun"],
    noEmit: true,
    allowImportingTsExtensions: true,
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
  },
};

const PROGRAM = `
import { hashNonce, miner as mining, mine, serve, submit, type client } from "motherlode";
import { listen } from "motherlode/lsp";

console.error("main runs");
const limits = { maxJobs: 10 };
await using server = await serve({ port: 0, limits });
const miner = mine({ port: server.port, threads: 1, kernel: "bun" });
const options: client.SubmitOptions = { port: server.port, message: "hi", lower: 0n, upper: 9_999n };
const job = submit(options);
for await (const { done } of job) if (done < 0n) throw new Error();
const { hash, nonce } = await job.answer;
if (hash !== hashNonce("hi", nonce)) throw new Error("wrong");
const { searched }: mining.MinerStatus = miner.status();
await miner.close();
await (await listen({ port: 0 })).close();
console.log(nonce, searched >= 0n);
`;

async function run(command: string[], cwd: string): Promise<{ code: number; out: string }> {
  const child = Bun.spawn([process.execPath, ...command], {
    cwd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, XDG_CACHE_HOME: join(home, "cache") },
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, out: out + err };
}

const folder = join(home, "user");
const tarball = join(home, "motherlode-0.1.0.tgz");

/** Packs ours, and installs it in a user's folder. */
async function install(): Promise<void> {
  assertEquals((await run(["pm", "pack", "--destination", home, "--quiet"], root)).code, 0);
  await Bun.write(join(folder, "package.json"), '{ "type": "module" }');
  await Bun.write(join(folder, "tsconfig.json"), JSON.stringify(TSCONFIG));
  await Bun.write(join(folder, "main.ts"), PROGRAM);
  const types = join(root, "node_modules/@types/bun");
  const registry = serveInstalled(join(home, "registry"));
  try {
    const from = ["--registry", registry.url];
    const what = [tarball, `@types/bun@${types}`];
    const installed = await run(["add", "--no-save", ...from, ...what], folder);
    assertEquals(installed.code, 0, installed.out);
  } finally {
    await registry.stop();
  }
}

describe("the package, installed from a tarball,", () => {
  beforeAll(install);

  test("is small, type-checks under strict rules, and runs", async () => {
    assert(Bun.file(tarball).size < 2_000_000, `${Bun.file(tarball).size} bytes`);
    const checked = await run(["check", "--no-script"], folder);
    assertEquals(checked.code, 0, checked.out);
    const ran = await run(["main.ts"], folder);
    assertEquals(ran.code, 0, ran.out);
    assertStringIncludes(ran.out, " true");
  });

  test("bundled, starts no thread that would run the user's main module again", async () => {
    const built = await run(["build", "main.ts", "--target=bun", "--outfile=one.js"], folder);
    assertEquals(built.code, 0, built.out);
    const { code, out } = await run(["one.js"], folder);
    assertEquals(code, 1, out);
    assertStringIncludes(out, "Cannot start threads in a bundled program");
    assertEquals(out.split("main runs").length - 1, 1, out);
  });

  test("bundled, works where main does nothing in a Worker and says so", async () => {
    const guarded = PROGRAM.replace(
      'console.error("main runs");',
      "if (!Bun.isMainThread) await new Promise(() => {});\nmining.declareGuardedMain();",
    );
    await Bun.write(join(folder, "guarded.ts"), guarded);
    const built = await run(["build", "guarded.ts", "--target=bun", "--outfile=two.js"], folder);
    assertEquals(built.code, 0, built.out);
    const { code, out } = await run(["two.js"], folder);
    assertEquals(code, 0, out);
    assertStringIncludes(out, " true");
  });
});

test("every package is named in one exact version, and locked in it", async () => {
  const manifest = await Bun.file(join(root, "package.json")).json();
  const lock = await Bun.file(join(root, "bun.lock")).text();
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const all = { ...dependencies, ...devDependencies, ...optionalDependencies };
  assert(Object.keys(all).length > 3);
  for (const [name, range] of Object.entries<string>(all)) {
    const version = range.replace(/^npm:.+@/, "");
    assert(/^\d+\.\d+\.\d+$/.test(version), `${name} is ${range}, expected an exact version`);
    assertStringIncludes(lock, `"${name}": "${range}"`);
    // What comes from JSR is left out of a lock that is made without JSR (CONTRIBUTING.md).
    if (!range.startsWith("npm:@jsr/")) assertStringIncludes(lock, `["${name}@${version}"`);
  }
});
