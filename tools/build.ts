/**
 * `bun run build` makes each program one file that needs nothing but Bun beside it: dist/server.js,
 * dist/miner.js, dist/client.js, dist/kv.js, dist/textkv.js, dist/geo.js, dist/mud.js,
 * dist/mapreduce.js. `bun run compile` makes standalone executables of them in dist/bin/, for this
 * machine, or with `--all` for every platform that Bun compiles for.
 *
 * What is built holds no path of the machine that built it, and looks for nothing outside of
 * itself: the same sources give the same bytes wherever they are built.
 *
 * @module
 */
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Inputs, noticeComment, noticesOf, packagesIn, RULE } from "./licences.ts";

const PROGRAMS = ["server", "miner", "client", "kv", "textkv", "geo", "mud", "mapreduce"] as const;
/** A file that people copy to their machines stays below this, as the README says. */
export const BUNDLE_BYTES_MAX = 384_000;
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

/** An executable has Bun in it. */
const BUN_NOTICE = `Bun

This executable contains the Bun runtime (MIT licence), which links JavaScriptCore (LGPL 2) and
other libraries statically: https://bun.com/docs/project/licensing`;

const root = join(import.meta.dirname, "..");

/** Builds the one-file programs into `directory`; their sizes in bytes by file name. */
export async function buildBundles(directory: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const program of PROGRAMS) {
    const { notices } = await bundle(program, {});
    const banner = `${SHEBANG}\n${noticeComment(notices)}`;
    const { output } = await bundle(program, { banner });
    const { size } = output;
    if (size > BUNDLE_BYTES_MAX) {
      throw new Error(`${program}.js has ${size} bytes, at most ${BUNDLE_BYTES_MAX} allowed`);
    }
    const file = join(directory, `${program}.js`);
    await Bun.write(file, output);
    chmodSync(file, 0o755);
    sizes[`${program}.js`] = size;
  }
  return sizes;
}

/**
 * Compiles one program into `directory`, for `target` or else this machine, and writes the licence
 * notices beside it; the program's path.
 */
export async function compile(
  program: string,
  directory: string,
  target?: string,
): Promise<string> {
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

/** The program as one file, and the licence notices that must go along with it. */
async function bundle(
  program: string,
  options: { readonly banner?: string; readonly compile?: Bun.CompileBuildOptions },
): Promise<{ output: Bun.BuildArtifact; notices: string }> {
  const result = await Bun.build({
    entrypoints: [join(root, `${program}.ts`)],
    target: "bun",
    minify: true,
    metafile: true,
    ...options,
  });
  const [output, ...others] = result.outputs;
  if (output === undefined || others.length > 0) {
    throw new Error(`${program} became ${result.outputs.length} files, expected 1`);
  }
  const packages = packagesIn(result.metafile as Inputs);
  return { output, notices: noticesOf(root, packages) };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { compile: { type: "boolean" }, all: { type: "boolean" } },
  });
  if (values.compile !== true) {
    for (const [file, size] of Object.entries(await buildBundles(join(root, "dist")))) {
      console.log(`dist/${file}  ${(size / 1024).toFixed(0)} KiB`);
    }
    return;
  }
  const targets = values.all === true ? TARGETS : [undefined];
  for (const target of targets) {
    for (const program of PROGRAMS) {
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
