/**
 * `bun run build` makes each program one file that needs nothing but Bun beside it: dist/server.js,
 * dist/miner.js, dist/client.js, dist/kv.js, dist/textkv.js, dist/geo.js, dist/mud.js,
 * dist/mapreduce.js. `bun run compile` makes standalone executables of them in dist/bin/, for this
 * machine, or with `--all` for every platform that Bun compiles for. Either makes only the programs
 * that are named behind it, if any are.
 *
 * Names are made short in a one-file program. While NAME.js.map lies beside NAME.js, Bun shows
 * files and lines of the source in a stack trace; nothing else needs it.
 *
 * What is built holds no path of the machine that built it, and looks for nothing outside of
 * itself: the same sources give the same bytes wherever they are built.
 *
 * @module
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { type Inputs, noticeComment, noticesOf, packagesIn, RULE } from "./licences.ts";

/**
 * The programs, and what the file of each may weigh: what it has today, and little more, so that
 * what is added by mistake is noticed. What weighs: docs/architecture.md.
 */
export const BUNDLE_BYTES_MAX = {
  server: 416_000,
  miner: 369_000,
  client: 169_000,
  kv: 376_000,
  textkv: 196_000,
  geo: 276_000,
  mud: 326_000,
  mapreduce: 245_000,
} as const;
type Program = keyof typeof BUNDLE_BYTES_MAX;
const PROGRAMS = Object.keys(BUNDLE_BYTES_MAX) as Program[];
const TARGETS = [
  "bun-linux-x64",
  "bun-linux-x64-musl",
  "bun-linux-arm64",
  "bun-darwin-arm64",
  "bun-windows-x64",
] as const;
/**
 * Started by its own name a program takes no settings, and no code to run before it, from the
 * directory that it happens to be started in.
 */
const SHEBANG = "#!/usr/bin/env -S bun --no-env-file --config=/dev/null";

/** It would differ from one directory to the next. Bun finds a map by its name. */
const DEBUG_ID = /\n*\/\/# debugId=\w+\n*$/;

/** An executable has Bun in it. */
const BUN_NOTICE = `Bun

This executable contains the Bun runtime (MIT licence), which links JavaScriptCore (LGPL 2) and
other libraries statically: https://bun.com/docs/project/licensing`;

const root = join(import.meta.dirname, "..");

/** Builds one-file programs into `directory`; their sizes in bytes by file name. */
async function buildBundles(
  programs: readonly Program[],
  directory: string,
): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const program of programs) {
    const { notices } = await bundle(program, {});
    const banner = `${SHEBANG}\n${noticeComment(notices)}`;
    const { output, map } = await bundle(program, { banner, sourcemap: "external" });
    const code = (await output.text()).replace(DEBUG_ID, "\n");
    const size = Buffer.byteLength(code);
    const most = BUNDLE_BYTES_MAX[program];
    if (size > most) throw new Error(`${program}.js has ${size} bytes, at most ${most} allowed`);
    const file = join(directory, `${program}.js`);
    await Bun.write(file, code);
    chmodSync(file, 0o755);
    await Bun.write(`${file}.map`, portable(await map!.text()));
    sizes[`${program}.js`] = size;
  }
  return sizes;
}

/**
 * Compiles one program into `directory`, for `target` or else this machine, and writes the licence
 * notices beside it; the program's path.
 */
async function compile(program: Program, directory: string, target?: string): Promise<string> {
  const suffix = target === undefined ? "" : `-${target.replace("bun-", "")}`;
  const outfile = join(directory, `${program}${suffix}`);
  const notices = `${(await bundle(program, {})).notices}${RULE}${BUN_NOTICE}`;
  mkdirSync(directory, { recursive: true });
  await Bun.write(join(directory, "NOTICES.txt"), `${notices}\n`);
  await bundle(program, {
    banner: noticeComment(notices),
    compile: {
      outfile,
      // Else it would run what a bunfig.toml of the directory that it is started in preloads.
      autoloadBunfig: false,
      autoloadDotenv: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
      ...(target !== undefined && { target: target as Bun.Build.CompileTarget }),
    },
  });
  return target?.includes("windows") === true ? `${outfile}.exe` : outfile;
}

/** A source map whose files are named from `dist/` on, wherever it was made. */
function portable(text: string): string {
  const {
    debugId: _,
    sources,
    ...map
  } = JSON.parse(text) as { sources: string[]; debugId: string };
  const dist = join(root, "dist");
  const named = sources.map((source) => relative(dist, resolve(source)).replaceAll("\\", "/"));
  return JSON.stringify({ ...map, sources: named });
}

interface Bundle {
  readonly output: Bun.BuildArtifact;
  readonly map: Bun.BuildArtifact | undefined;
  /** The licence notices that must go along with it. */
  readonly notices: string;
}

/** The program as one file. */
async function bundle(
  program: Program,
  options: Pick<Bun.BuildConfig, "banner" | "compile" | "sourcemap">,
): Promise<Bundle> {
  const result = await Bun.build({
    entrypoints: [join(root, `${program}.ts`)],
    target: "bun",
    minify: true,
    metafile: true,
    ...options,
  });
  const map = result.outputs.find(({ kind }) => kind === "sourcemap");
  const [output, ...others] = result.outputs.filter((each) => each !== map);
  if (output === undefined || others.length > 0) {
    throw new Error(`${program} became ${result.outputs.length} files, expected 1`);
  }
  const packages = packagesIn(result.metafile as Inputs);
  return { output, map, notices: noticesOf(root, packages) };
}

const isProgram = (name: string): name is Program => Object.hasOwn(BUNDLE_BYTES_MAX, name);

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { compile: { type: "boolean" }, all: { type: "boolean" } },
    allowPositionals: true,
  });
  const programs = positionals.length === 0 ? PROGRAMS : positionals.filter(isProgram);
  const unknown = positionals.find((name) => !isProgram(name));
  if (unknown !== undefined) {
    throw new Error(`there is no program ${unknown}, expected one of ${PROGRAMS.join(", ")}`);
  }
  if (values.compile !== true) {
    for (const [file, size] of Object.entries(await buildBundles(programs, join(root, "dist")))) {
      console.log(`dist/${file}  ${(size / 1024).toFixed(0)} KiB`);
    }
    return;
  }
  const targets = values.all === true ? TARGETS : [undefined];
  for (const target of targets) {
    for (const program of programs) {
      const file = await compile(program, join(root, "dist", "bin"), target);
      console.log(file.slice(root.length + 1));
    }
  }
}

if (import.meta.main) {
  try {
    await main();
  } catch (error) {
    console.error(`build: ${(error as Error).message}`);
    process.exit(1);
  }
}
