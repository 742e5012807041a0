/** The tables of planted faults stay true to the code; tools/mutants.ts runs them. */
import { test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { join } from "node:path";
import { mutantsOf, plant, roomsWithMutants } from "../../tools/mutants.ts";

const root = join(import.meta.dir, "../..");

test("every planted fault names exactly one line of its file, and changes it", async () => {
  const rooms = roomsWithMutants();
  assert(rooms.length > 0);
  const stale: string[] = [];
  for (const room of rooms) {
    const seen = new Set<string>();
    for (const mutant of await mutantsOf(room)) {
      const source = await Bun.file(join(root, mutant.file)).text();
      const faulty = plant(source, mutant);
      if (faulty === undefined || faulty === source) stale.push(`${mutant.file}: ${mutant.line}`);
      assert(mutant.breaks.length > 10, mutant.line);
      seen.add(`${mutant.file} ${mutant.line} ${mutant.becomes}`);
    }
    assertEquals(seen.size, (await mutantsOf(room)).length, `${room}: a fault is listed twice`);
  }
  assertEquals(stale, []);
});

test("plant keeps the indentation, and refuses a line that is there twice or not at all", () => {
  const mutant = { file: "", line: "b();", becomes: "c();", breaks: "" };
  assertEquals(plant("a();\n  b();\n", mutant), "a();\n  c();\n");
  assertEquals(plant("b();\n  b();\n", mutant), undefined);
  assertEquals(plant("a();\n", mutant), undefined);
});
