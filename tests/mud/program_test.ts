/** mud.ts as people run it: two players on one server, bots, the demo, and what it refuses. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { type RunningGeo, serveGeo } from "../../geo/mod.ts";
import { until } from "../support/waiting.ts";
import { killTyped, Typed, TypedAtTerminal } from "./typed.ts";

let server: RunningGeo;
/** What takes its time by itself is started at once. */
let demo: Typed;
let refused: readonly Typed[];
beforeAll(async () => {
  server = await serveGeo({ port: 0, actors: 2 });
  demo = new Typed("demo", "--seconds", "3", "--bots", "6");
  refused = refusals().map(([args]) => new Typed(...args));
});
afterAll(async () => {
  await killTyped();
  await server.close();
});

/** Command lines, and what they end with. */
function refusals(): readonly (readonly [readonly string[], number, string])[] {
  return [
    [[at(), "a/b"], 2, 'NAME is "a/b", expected 1 to 20 letters, digits, _ and -'],
    [[at(), "x".repeat(21)], 2, "expected 1 to 20 letters"],
    [[at()], 2, "got 1 argument"],
    [["127.0.0.1:1", "ann"], 1, "127.0.0.1:1"],
    [[at(), "ann", "--fleet", "x:y"], 2, "--fleet"],
    [["bot", at(), "0"], 2, "N"],
    [["bot", at(), "3", "--names", "a b"], 2, "no player's name"],
  ];
}

const at = (): string => `127.0.0.1:${server.port}`;

describe("two players", () => {
  test("see each other, speak, and leave", async () => {
    const ann = new Typed(at(), "ann");
    await ann.shows(/Welcome, ann. You are an Undergraduate.\nYou stand on floor 5/);
    const bob = new Typed(at(), "bob");
    await bob.shows(/Welcome, bob/);
    await ann.shows(/bob is in the game\./);
    bob.type("say good morning");
    await ann.shows(/bob: good morning/);
    bob.type("move bridge");
    await ann.shows(/bob goes away\./);
    ann.type("who");
    await ann.shows(/ann +Undergraduate +floor 5\nbob +Undergraduate +the bridge/);
    assertEquals(await bob.end(), 0);
    await ann.shows(/bob has left the game\./);
    ann.signal("SIGTERM");
    assertEquals(await ann.end(), 143);
  });

  test("whose lines come from a file are done one after the other; --json is for programs", async () => {
    const cat = new Typed(at(), "cat", "--json");
    cat.type(
      "move 7",
      "stats",
      "hlep",
      "",
      "buy cpu",
      "solve",
      "inv",
      "resign",
      ...Array(20).fill("inv"),
    );
    assertEquals(await cat.end(), 0);
    const events = cat.output
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { kind: string });
    const kinds = events.map(({ kind }) => kind);
    const first = ["welcome", "moved", "stats", "refused", "refused", "problem", "inventory"];
    assertEquals(kinds.slice(0, 7), first);
    assertEquals(kinds.filter((kind) => kind === "inventory").length, 21);
    assertEquals(kinds.at(-1), "bye");
  });
});

if (process.platform !== "win32") {
  test("a player at a terminal who types Ctrl-D gets what is under way done, and leaves", async () => {
    await using dan = new TypedAtTerminal(at(), "dan");
    await dan.shows(/dan> /);
    dan.type("who\r\u0004");
    assertEquals(await dan.exit(), 0);
    // What was asked for before, and nothing else: no stack, and no prompt behind the goodbye.
    assert(/dan +Undergraduate +floor 5\n[^>]*Goodbye\.\n$/.test(dan.plain), dan.plain);
  });
}

describe("what cannot be", () => {
  test("is refused in one line each", async () => {
    for (const [i, [args, code, text]] of refusals().entries()) {
      assertEquals([args, await refused[i]!.end()], [args, code]);
      assertStringIncludes(refused[i]!.errors, text);
      assertEquals(refused[i]!.errors.trim().split("\n").length, 1, refused[i]!.errors);
      assertEquals(refused[i]!.output, "");
    }
  });
});

test("bots keep books that add up, and SIGINT ends them as --seconds does", async () => {
  const bots = new Typed("bot", at(), "3", "--names", "robot", "--seed", "1", "--seconds", "1000");
  await until("3 bots", () => /3 bots: mined/.test(bots.errors));
  bots.signal("SIGINT");
  assertEquals(await bots.end(), 130);
  assertEquals(bots.output.match(/^robot-[123] has earned -?\d+ coins?/gm)?.length, 3);
});

test("the demo kills a server and brings it back, and every coin has a reason", async () => {
  const code = await demo.end();
  assertEquals([code, demo.errors.match(/is killed|is back/g)], [0, ["is killed", "is back"]]);
  assert(/every coin, piece of hardware and hit has a reason/.test(demo.output), demo.output);
});
