/** The example at the head of raft/mod.ts runs as it stands there. */
import { test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals } from "@std/assert";

const room = join(import.meta.dir, "..", "..", "raft");

test("the example of raft/mod.ts counts to five on three nodes", async () => {
  const source = await Bun.file(join(room, "mod.ts")).text();
  const [, block] = /```ts\n([^]*?)```/.exec(source) ?? [];
  assert(block, "there is an example");
  const code = block
    .replaceAll(/^ \* ?/gm, "")
    .replaceAll(
      /from "(\.[^"]+)"/g,
      (_, path: string) => `from ${JSON.stringify(join(room, path))}`,
    );
  const directory = mkdtempSync(join(tmpdir(), "motherlode-raft-"));
  const path = join(directory, "example.ts");
  await Bun.write(path, code);
  const child = Bun.spawn([process.execPath, "run", path], { stdout: "pipe", stderr: "inherit" });
  const text = await new Response(child.stdout).text();
  rmSync(directory, { recursive: true });
  assertEquals([text, await child.exited], ["5,5,5\n", 0]);
});
