/**
 * `bun run build` makes each program one file that needs nothing but Bun beside it: dist/server.js,
 * dist/miner.js, dist/client.js. `bun run compile` makes standalone executables of them in
 * dist/bin/, for this machine, or with `--all` for every platform that Bun compiles for.
 *
 * @module
 */
import { parseArgs } from "node:util";

const PROGRAMS = ["server", "miner", "client"] as const;
/** A file that people copy to their machines stays below this. */
const BUNDLE_BYTES_MAX = 300 * 1024;
const TARGETS = [
  "bun-linux-x64",
  "bun-linux-x64-musl",
  "bun-linux-arm64",
  "bun-darwin-arm64",
  "bun-windows-x64",
] as const;

const root = new URL("..", import.meta.url).pathname;

/** Builds the one-file programs into `directory`; their sizes in bytes by file name. */
export async function buildBundles(directory: string): Promise<Record<string, number>> {
  const sizes: Record<string, number> = {};
  for (const program of PROGRAMS) {
    const result = await Bun.build({
      entrypoints: [`${root}${program}.ts`],
      target: "bun",
      minify: true,
      banner:
        "#!/usr/bin/env bun\n// Motherlode, MIT licence, Copyright (c) 2026 The Motherlode authors",
    });
    const [bundle, ...others] = result.outputs;
    if (bundle === undefined || others.length > 0) {
      throw new Error(`${program} became ${result.outputs.length} files, expected 1`);
    }
    if (bundle.size > BUNDLE_BYTES_MAX) {
      throw new Error(
        `${program}.js has ${bundle.size} bytes, at most ${BUNDLE_BYTES_MAX} allowed`,
      );
    }
    await Bun.write(`${directory}/${program}.js`, bundle);
    sizes[`${program}.js`] = bundle.size;
  }
  return sizes;
}

/** Compiles one program into `directory`, for `target` or else this machine; its path. */
export async function compile(
  program: string,
  directory: string,
  target?: string,
): Promise<string> {
  const suffix = target === undefined ? "" : `-${target.replace("bun-", "")}`;
  const file = `${directory}/${program}${suffix}`;
  const flags = target === undefined ? [] : [`--target=${target}`];
  const command = ["build", "--compile", "--minify", ...flags, `${root}${program}.ts`];
  const child = Bun.spawn([process.execPath, ...command, "--outfile", file], {
    stdout: "pipe",
    stderr: "pipe",
  });
  const errors = await new Response(child.stderr).text();
  if ((await child.exited) !== 0) throw new Error(`cannot compile ${file}: ${errors.trim()}`);
  return file;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { compile: { type: "boolean" }, all: { type: "boolean" } },
  });
  if (values.compile !== true) {
    for (const [file, size] of Object.entries(await buildBundles(`${root}dist`))) {
      console.log(`dist/${file}  ${(size / 1024).toFixed(0)} KiB`);
    }
    return;
  }
  const targets = values.all === true ? TARGETS : [undefined];
  for (const target of targets) {
    for (const program of PROGRAMS) {
      const file = await compile(program, `${root}dist/bin`, target);
      console.log(file.slice(root.length));
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
