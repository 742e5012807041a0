/** The root's mod.ts: verbs and rooms, nothing else, and nothing happens by importing it. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import * as face from "../../mod.ts";

const ROOT = join(import.meta.dir, "../..");

test("mod.ts exports verbs, and rooms as namespaces", () => {
  const verbs = Object.entries(face).filter(([, value]) => typeof value === "function");
  assertEquals(verbs.map(([name]) => name).sort(), [
    "connect",
    "hashNonce",
    "listen",
    "mine",
    "openStore",
    "openSystem",
    "serve",
    "submit",
  ]);
  const rooms = Object.entries(face).filter(([, value]) => typeof value === "object");
  assertEquals(verbs.length + rooms.length, Object.keys(face).length);
  for (const [name, room] of rooms) {
    assertEquals(Object.keys(room).length > 0, true, `${name} is empty`);
  }
});

test("importing mod.ts prints nothing and keeps nothing running", async () => {
  const script = 'await import("./mod.ts");';
  const child = Bun.spawn([process.execPath, "-e", script], {
    cwd: ROOT,
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    child.stdout.text(),
    child.stderr.text(),
    child.exited,
  ]);
  assertEquals([stdout, stderr, code], ["", "", 0]);
});
