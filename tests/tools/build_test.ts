/**
 * What is built does not reach back to where it was built, nor to where it is started, and is the
 * same program as its source.
 */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { delimiter, join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { noticesOf, packagesIn } from "../../tools/licences.ts";
import { BUILD_DIRECTORY, builtElsewhere, builtWhole, COMPILED } from "../support/builds.ts";
import { scriptEnvironment } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

const root = join(import.meta.dirname, "../..");
/** Where two copies of the sources were built. */
let plain = "";
let odd = "";
const children: Bun.Subprocess[] = [];
beforeAll(async () => {
  [plain, odd] = await Promise.all([builtWhole(), builtElsewhere()]);
});
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map((child) => child.exited));
});

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string[], cwd: string, env: Record<string, string> = {}) {
  const stdio = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  const child = Bun.spawn(command, { cwd, env: { ...scriptEnvironment(), ...env }, ...stdio });
  children.push(child);
  return child;
}

async function run(command: string[], cwd: string, env?: Record<string, string>): Promise<Output> {
  const child = start(command, cwd, env);
  const texts = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const [stdout, stderr] = (await Promise.all(texts)) as [string, string];
  return { code: await child.exited, stdout, stderr };
}

const bytesOf = async (...path: string[]): Promise<Buffer> =>
  Buffer.from(await Bun.file(join(...path)).bytes());
const FILES = COMPILED.flatMap((name) => [`dist/${name}.js`, `dist/bin/${name}`]);
const MAPS = COMPILED.map((name) => `dist/${name}.js.map`);

describe("what is built", () => {
  test.each([...FILES, ...MAPS])(
    "%s has the same bytes from two directories, and no path of theirs",
    async (file) => {
      const bytes = await bytesOf(plain, file);
      assert(bytes.equals(await bytesOf(odd, file)), "differs");
      for (const path of [BUILD_DIRECTORY, root, "node_modules/cbor"]) {
        // A map names the files of packages, from its own directory on.
        if (MAPS.includes(file) && path === "node_modules/cbor") continue;
        assert(!bytes.includes(path), `has ${path} in it`);
      }
    },
  );

  test.each(FILES)("%s can be executed and carries every licence notice", async (file) => {
    assertEquals(statSync(join(plain, file)).mode & 0o111, 0o111);
    const bytes = await bytesOf(plain, file);
    for (const licence of ["LICENSE", "node_modules/cbor-x/LICENSE"]) {
      const notice = (await Bun.file(join(root, licence)).text()).trim();
      assert(bytes.includes(notice), `lacks ${licence}`);
    }
  });

  test.each(COMPILED)("%s.js looks for no native addon", async (name) => {
    const bytes = await bytesOf(plain, `dist/${name}.js`);
    for (const word of ["cbor-extract", "createRequire"]) {
      assert(!bytes.includes(word), `has ${word} in it`);
    }
  });

  test("licences are those of whatever is bundled, scoped packages and nested ones too", () => {
    const inputs = ["mod.ts", "../x/node_modules/b/node_modules/@a/c/i.js", "node_modules/b/j.js"];
    const metafile = { inputs: Object.fromEntries(inputs.map((path) => [path, {}])) };
    assertEquals(packagesIn(metafile), ["@a/c", "b"]);
    const bare = join(BUILD_DIRECTORY, "bare");
    mkdirSync(join(bare, "node_modules", "b"), { recursive: true });
    cpSync(join(root, "LICENSE"), join(bare, "LICENSE"));
    let why = "";
    try {
      noticesOf(bare, ["b"]);
    } catch (error) {
      why = (error as Error).message;
    }
    assertStringIncludes(why, "b has no licence file");
  });
});

describe("started in a stranger's directory", () => {
  const foreign = join(BUILD_DIRECTORY, "foreign");
  const marker = join(foreign, "foreign_code_ran");
  const bin = join(BUILD_DIRECTORY, "bin");
  const path = { PATH: `${bin}${delimiter}${process.env["PATH"] ?? ""}` };
  beforeAll(async () => {
    const write = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");`;
    await Bun.write(join(foreign, "evil.js"), write);
    await Bun.write(join(foreign, "bunfig.toml"), 'preload = ["./evil.js"]\n');
    await Bun.write(join(foreign, ".env"), `MOTHERLODE_GPU_DIR=${foreign}\n`);
    await Bun.write(join(foreign, "node_modules/bun-webgpu/index.js"), write);
    // Started by its own name, a one-file program finds Bun on the PATH.
    mkdirSync(bin);
    symlinkSync(process.execPath, join(bin, "bun"));
  });

  const beside = sideBySide();
  for (const built of FILES) {
    beside(`${built} runs nothing of it, and its help names it`, async () => {
      const file = join(plain, built);
      const word = /[^\w./-]/.test(file) ? `'${file}'` : file;
      const name = built.endsWith(".js") ? `bun ${word}` : word;
      const { code, stdout, stderr } = await run([file, "--help"], foreign, path);
      assertEquals([code, stderr, existsSync(marker)], [0, "", false]);
      assertStringIncludes(stdout, `usage: ${name}`);
      const wrong = await run([file, "--nope"], foreign, path);
      assertEquals(wrong.code, 2);
      assertStringIncludes(wrong.stderr, `(${name} --help)`);
    });
  }

  // Regression: bun-webgpu was taken from there, or from where the .env there said.
  for (const file of ["dist/bin/miner", "dist/miner.js"]) {
    beside(`${file} --gpu runs nothing of it`, async () => {
      // It dials nobody for so long that it has told about the device before it gives up.
      const args = ["127.0.0.1:1", "--gpu", "--epoch-millis", "60000", "--threads", "1"];
      const miner = start([join(plain, file), ...args], foreign, path);
      const decoder = new TextDecoder();
      let said = "";
      for await (const bytes of miner.stderr) {
        said += decoder.decode(bytes, { stream: true });
        if (said.includes("bun-webgpu is not installed")) break;
      }
      miner.kill("SIGTERM");
      assertEquals([await miner.exited, existsSync(marker)], [143, false], said);
    });
  }
});

describe("from source, one file, or compiled:", () => {
  // Without its native addon, and it loads only on the builder's machine, cbor-x once dropped the
  // mark: such programs answered another job than the one that was asked for.
  const MESSAGE = `\ufeff${"a".repeat(62)}`;
  const ENV = { CBOR_NATIVE_ACCELERATION_DISABLED: "true" };
  type Kind = "source" | "file" | "compiled";

  function program(kind: Kind, name: (typeof COMPILED)[number], ...args: string[]) {
    if (kind === "source")
      return start([process.execPath, join(root, `${name}.ts`), ...args], root);
    const file = join(plain, "dist", ...(kind === "file" ? [`${name}.js`] : ["bin", name]));
    const command = kind === "file" ? [process.execPath, file] : [file];
    return start([...command, ...args], BUILD_DIRECTORY, ENV);
  }

  const MINER = ["--threads", "1", "--niceness", "normal", "--kernel", "bun"];
  const beside = sideBySide();
  for (const [a, b, c] of [
    ["source", "file", "compiled"],
    ["file", "compiled", "source"],
    ["compiled", "source", "file"],
  ] as const) {
    beside(`a ${a} server, a ${b} miner and a ${c} client agree on every byte`, async () => {
      const serving = program(a, "server", "0");
      const { value } = await serving.stdout.getReader().read();
      const [, at] = /^listening on (\S+)\n/.exec(new TextDecoder().decode(value))!;
      const mining = program(b, "miner", at!, ...MINER);
      const asking = program(c, "client", at!, MESSAGE, "999");
      assertEquals(await new Response(asking.stdout).text(), "Result 55629047978900249 525\n");
      mining.kill();
      serving.kill();
    });
  }
});

test("from source, no program loads a native addon that nobody asked for", async () => {
  const code =
    'await import("./mod.ts"); for (const n of ["server", "miner", "client"]) ' +
    "await import(`./${n}.ts`); " +
    'console.log((await import("cbor-x/decode")).isNativeAccelerationEnabled)';
  const { stdout, stderr } = await run([process.execPath, "-e", code], root);
  assertEquals([stdout, stderr], ["false\n", ""]);
});
