/**
 * Programs as users build them, in two copies of the sources: made once for all tests that ask.
 *
 * @module
 */
import { cpSync, existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals } from "@std/assert";
import { leftovers } from "./leftovers.ts";
import { ROOT } from "./texts.ts";

/** The programs that are compiled, too. */
export const COMPILED = ["server", "miner", "client"] as const;

/** Holds both copies, and no other. */
export const BUILD_DIRECTORY: string = mkdtempSync(join(tmpdir(), "motherlode-build-"));
leftovers.add(BUILD_DIRECTORY);

/** cbor-x's native addon and what it is loaded by, where they are installed. */
const ADDON = [
  "cbor-extract",
  "@cbor-extract",
  "node-gyp-build-optional-packages",
  "detect-libc",
] as const;

/** Copies the sources and what they depend on, cbor-x's native addon included if there is one. */
function checkOut(into: string): void {
  const left = ["node_modules", ".git", "dist", "tests"].map((name) => join(ROOT, name));
  cpSync(ROOT, into, { recursive: true, filter: (path) => !left.includes(path) });
  for (const name of [...ADDON, "cbor-x"]) {
    const from = join(ROOT, "node_modules", name);
    if (!existsSync(from)) continue;
    cpSync(from, join(into, "node_modules", name), { recursive: true, dereference: true });
  }
}

/** Calls the build as users do, in the directory `cwd`. */
async function build(cwd: string, at: string, ...args: readonly string[]): Promise<void> {
  const command = [process.execPath, "run", join(at, "tools/build.ts"), ...args];
  const child = Bun.spawn(command, { cwd, stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const stderr = await child.stderr.text();
  assertEquals([await child.exited, stderr], [0, ""]);
}

/** Calls `make` when it is asked for the first time, and gives what came of that ever after. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => (made ??= make());
}

/** A copy of the sources with every program as one file, and {@link COMPILED}; its path. */
export const builtWhole: () => Promise<string> = once(async () => {
  const at = join(BUILD_DIRECTORY, "plain");
  checkOut(at);
  await build(at, at);
  await build(at, at, "--compile", ...COMPILED);
  return at;
});

/**
 * Another one, with {@link COMPILED} in both forms. Its path is to be no hindrance and to leave no
 * trace; nor is it where the build was called.
 */
export const builtElsewhere: () => Promise<string> = once(async () => {
  const at = join(BUILD_DIRECTORY, "a b ü");
  checkOut(at);
  await build(BUILD_DIRECTORY, at, ...COMPILED);
  await build(BUILD_DIRECTORY, at, "--compile", ...COMPILED);
  return at;
});
