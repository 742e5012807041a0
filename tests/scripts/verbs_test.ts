/** The client's verbs for jobs that are there already, as a person types them. */
import { afterAll, describe, test } from "bun:test";
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { helpOf } from "../support/helps.ts";
import { killAll, Script, startMiner, startServer } from "../support/processes.ts";

afterAll(killAll);

async function client(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const script = new Script("client.ts", args);
  const code = await script.exit();
  return { code, out: script.stdout, err: script.stderr };
}

describe("client.ts", () => {
  test.each(["wait", "status", "list", "cancel", "forget"])(
    "%s --help names itself",
    async (verb) => {
      const { code, stdout } = await helpOf("client.ts", verb);
      assertEquals(code, 0);
      assertMatch(
        stdout,
        new RegExp(`^usage: bun run client\\.ts ${verb} HOST\\[:PORT\\]\\S*( ID)?\n\n\\S`),
      );
    },
  );

  test("a detached job is seen, waited for and forgotten by its id alone", async () => {
    const { at } = await startServer("--quiet", "--memory");
    const submitted = await client("submit", at, "walk away", "99999", "--detach");
    assertMatch(submitted.out, /^[a-z]{5}-[a-z]{5}\n$/);
    const id = submitted.out.trim();
    const waiting = await client("status", at, id);
    assertEquals(waiting.code, 0);
    assertMatch(waiting.out, new RegExp(`^${id} +\\S`));
    const other = (await client("submit", at, "never mind", "2^40", "--detach")).out.trim();
    const { out: list } = await client("list", at, "--json");
    const ids = list
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { id: string }).id);
    assertEquals(ids.toSorted(), [id, other].toSorted());
    assertEquals((await client("cancel", at, other)).code, 0);
    assertEquals((await client("status", at, other)).code, 3);
    await using _ = startMiner(at);
    const answer = await client("wait", at, id);
    assertEquals(answer.code, 0);
    assertMatch(answer.out, /^Result \d+ \d+\n$/);
    // Anyone who has the id may ask again.
    assertEquals((await client("wait", at, id, "--quiet")).out, answer.out);
    const late = await client("cancel", at, id);
    assertEquals(late.code, 3);
    assertStringIncludes(late.err, id);
    assertEquals((await client("forget", at, id)).code, 0);
    const gone = await client("wait", at, id);
    assertEquals([gone.code, gone.out], [3, ""]);
    assertEquals((await client("forget", at, id)).code, 3);
    assertMatch(gone.err, new RegExp(`^client: .*${id}.*\n$`, "m"));
  });

  test("a verb without its id ends with one line and 2", async () => {
    const { code, err } = await client("wait", "127.0.0.1");
    assertEquals(code, 2);
    assertMatch(
      err,
      /^client: got 1 argument, expected wait HOST\[:PORT\]\[,HOST\[:PORT\]…\] ID .*\n$/,
    );
  });
});
