/**
 * What is built does not reach back to where it was built, nor to where it is started, and is the
 * same program as its source.
 */
import { afterAll, beforeAll, beforeEach, describe, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { noticesOf, packagesIn } from "../../tools/licences.ts";

const PROGRAMS = ["server", "miner", "client"] as const;
const root = join(import.meta.dirname, "../..");
const directory = mkdtempSync(join(tmpdir(), "motherlode-build-"));
/** The same sources twice; a path is to be no hindrance and to leave no trace. */
const [plain, odd] = ["plain", "a b ü"].map((name) => join(directory, name)) as [string, string];
const children: Bun.Subprocess[] = [];
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map((child) => child.exited));
  rmSync(directory, { recursive: true });
});

interface Output {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string[], cwd: string, env: Record<string, string> = {}) {
  const stdio = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  const child = Bun.spawn(command, { cwd, env: { ...process.env, ...env }, ...stdio });
  children.push(child);
  return child;
}

async function run(command: string[], cwd: string, env?: Record<string, string>): Promise<Output> {
  const child = start(command, cwd, env);
  const texts = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const [stdout, stderr] = (await Promise.all(texts)) as [string, string];
  return { code: await child.exited, stdout, stderr };
}

/** cbor-x's native addon and what it is loaded by, where they are installed. */
const ADDON = [
  "cbor-extract",
  "@cbor-extract",
  "node-gyp-build-optional-packages",
  "detect-libc",
] as const;

/** Copies the sources and what they depend on, cbor-x's native addon included if there is one. */
function checkOut(into: string): void {
  const left = ["node_modules", ".git", "dist", "tests"].map((name) => join(root, name));
  cpSync(root, into, { recursive: true, filter: (path) => !left.includes(path) });
  for (const name of [...ADDON, "cbor-x"]) {
    const from = join(root, "node_modules", name);
    if (!existsSync(from)) continue;
    cpSync(from, join(into, "node_modules", name), { recursive: true, dereference: true });
  }
}

/** Builds everything in the checkout `at`; what the tests call is what users call. */
async function buildIn(at: string): Promise<void> {
  checkOut(at);
  for (const args of [[], ["--compile"]]) {
    const command = [process.execPath, "run", join(at, "tools/build.ts"), ...args];
    const { code, stderr } = await run(command, at === odd ? directory : at);
    assertEquals([code, stderr], [0, ""]);
  }
}

beforeAll(async () => {
  await buildIn(plain);
  await buildIn(odd);
});

const bytesOf = async (...path: string[]): Promise<Buffer> =>
  Buffer.from(await Bun.file(join(...path)).bytes());
const FILES = PROGRAMS.flatMap((name) => [`dist/${name}.js`, `dist/bin/${name}`]);
const MAPS = PROGRAMS.map((name) => `dist/${name}.js.map`);

describe("what is built", () => {
  test.each([...FILES, ...MAPS])(
    "%s has the same bytes from two directories, and no path of theirs",
    async (file) => {
      const bytes = await bytesOf(plain, file);
      assert(bytes.equals(await bytesOf(odd, file)), "differs");
      for (const path of [directory, root, "node_modules/cbor"]) {
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

  test.each(PROGRAMS)("%s.js looks for no native addon", async (name) => {
    const bytes = await bytesOf(plain, `dist/${name}.js`);
    for (const word of ["cbor-extract", "createRequire"]) {
      assert(!bytes.includes(word), `has ${word} in it`);
    }
  });

  test("licences are those of whatever is bundled, scoped packages and nested ones too", () => {
    const inputs = ["mod.ts", "../x/node_modules/b/node_modules/@a/c/i.js", "node_modules/b/j.js"];
    const metafile = { inputs: Object.fromEntries(inputs.map((path) => [path, {}])) };
    assertEquals(packagesIn(metafile), ["@a/c", "b"]);
    const bare = join(directory, "bare");
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
  const foreign = join(directory, "foreign");
  const marker = join(foreign, "foreign_code_ran");
  const path = { PATH: `${join(directory, "bin")}${delimiter}${process.env["PATH"] ?? ""}` };
  beforeAll(async () => {
    const write = `require("node:fs").writeFileSync(${JSON.stringify(marker)}, "");`;
    await Bun.write(join(foreign, "evil.js"), write);
    await Bun.write(join(foreign, "bunfig.toml"), 'preload = ["./evil.js"]\n');
    await Bun.write(join(foreign, ".env"), `MOTHERLODE_GPU_DIR=${foreign}\n`);
    await Bun.write(join(foreign, "node_modules/bun-webgpu/index.js"), write);
    // Started by its own name, a one-file program finds Bun on the PATH.
    mkdirSync(join(directory, "bin"));
    symlinkSync(process.execPath, join(directory, "bin", "bun"));
  });

  beforeEach(() => rmSync(marker, { force: true }));

  test.each(FILES)("%s runs nothing of it, and its help names it", async (built) => {
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

  // Regression: bun-webgpu was taken from there, or from where the .env there said.
  test.each(["dist/bin/miner", "dist/miner.js"])("%s --gpu runs nothing of it", async (file) => {
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
});

describe("from source, one file, or compiled:", () => {
  // Without its native addon, and it loads only on the builder's machine, cbor-x once dropped the
  // mark: such programs answered another job than the one that was asked for.
  const MESSAGE = `\ufeff${"a".repeat(62)}`;
  const ENV = { CBOR_NATIVE_ACCELERATION_DISABLED: "true" };
  type Kind = "source" | "file" | "compiled";

  function program(kind: Kind, name: (typeof PROGRAMS)[number], ...args: string[]) {
    if (kind === "source")
      return start([process.execPath, join(root, `${name}.ts`), ...args], root);
    const file = join(plain, "dist", ...(kind === "file" ? [`${name}.js`] : ["bin", name]));
    const command = kind === "file" ? [process.execPath, file] : [file];
    return start([...command, ...args], directory, ENV);
  }

  test.each<[Kind, Kind, Kind]>([
    ["source", "file", "compiled"],
    ["file", "compiled", "source"],
    ["compiled", "source", "file"],
  ])("a %s server, a %s miner and a %s client agree on every byte", async (...kinds) => {
    const serving = program(kinds[0], "server", "0");
    const { value } = await serving.stdout.getReader().read();
    const [, at] = /^listening on (\S+)\n/.exec(new TextDecoder().decode(value))!;
    const mining = program(kinds[1], "miner", at!, "--threads", "1", "--niceness", "normal");
    const asking = program(kinds[2], "client", at!, MESSAGE, "999");
    assertEquals(await new Response(asking.stdout).text(), "Result 55629047978900249 525\n");
    mining.kill();
    serving.kill();
  });
});

test("from source, no program loads a native addon that nobody asked for", async () => {
  const code =
    'await import("./mod.ts"); for (const n of ["server", "miner", "client"]) ' +
    "await import(`./${n}.ts`); " +
    'console.log((await import("cbor-x/decode")).isNativeAccelerationEnabled)';
  const { stdout, stderr } = await run([process.execPath, "-e", code], root);
  assertEquals([stdout, stderr], ["false\n", ""]);
});
