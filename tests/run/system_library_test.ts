/** The C library is the one that runs already, never what lies in the current directory. */
import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, isAbsolute, join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { systemLibrary, systemLibraryPath } from "../../run/system_library.ts";

const MODULE = join(import.meta.dirname, "../../run/system_library.ts");
const directory = mkdtempSync(join(tmpdir(), "motherlode-library-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** A line of /proc/self/maps. */
const mapped = (path: string): string =>
  `7f9c677c0000-7f9c67916000 r-xp 00026000 fe:00 339380                     ${path}\n`;

describe("systemLibraryPath()", () => {
  test.each([
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "/lib64/libc-2.17.so",
    "/nix/store/abc-glibc-2.40-66/lib/libc.so.6",
    "/lib/ld-musl-aarch64.so.1",
    "/lib/libc.musl-x86_64.so.1",
  ])("finds %s among what is mapped", (path) => {
    const maps = (): string => mapped("/usr/bin/bun") + mapped("/lib/libcap.so.2") + mapped(path);
    assertEquals(systemLibraryPath("linux", maps), path);
  });

  test("knows none where nothing like it is mapped, or the maps cannot be read", () => {
    assertEquals(
      systemLibraryPath("linux", () => mapped("/lib/libcap.so.2")),
      undefined,
    );
    assertEquals(
      systemLibraryPath("linux", () => {
        throw new Error("no /proc");
      }),
      undefined,
    );
    assertEquals(systemLibraryPath("win32"), undefined);
  });

  test("is absolute here, and its functions can be called", () => {
    const path = systemLibraryPath();
    if (path === undefined) return console.warn(`not run here: a C library of ${process.platform}`);
    assert(isAbsolute(path));
    const { getpid } = systemLibrary({ getpid: { args: [], returns: "i32" } });
    assertEquals(getpid(), process.pid);
  });
});

describe("systemLibrary()", () => {
  const call = `
    const { systemLibrary } = await import(${JSON.stringify(MODULE)});
    try {
      console.log(systemLibrary({ getpid: { args: [], returns: "i32" } }).getpid() === process.pid);
    } catch (error) {
      console.log(error.message);
    }`;

  /** What a process prints that makes the call in a directory with a file of each name. */
  function saidBeside(names: readonly string[], env: Record<string, string>): string {
    for (const name of names) writeFileSync(join(directory, name), "no library at all");
    const { stdout, stderr } = Bun.spawnSync([process.execPath, "-e", call], {
      cwd: directory,
      env: { ...Bun.env, ...env },
    });
    return stdout.toString() + stderr.toString();
  }

  test("names the true reason where this process may not make code", () => {
    const said = saidBeside([], { BUN_JSC_useJIT: "0" });
    if (systemLibraryPath() === undefined) return assertStringIncludes(said, "no C library");
    assertStringIncludes(said, "requires the JIT");
  });

  test("opens nothing that lies in the current directory", () => {
    const path = systemLibraryPath();
    if (path === undefined) return console.warn("not run here: no C library");
    const names = [basename(path), "libc.so", "libc.so.6", "libc.musl-x86_64.so.1"];
    assertEquals(saidBeside(names, {}), "true\n");
    const refused = saidBeside(names, { BUN_JSC_useJIT: "0" });
    assert(!refused.includes(directory), refused);
  });
});
