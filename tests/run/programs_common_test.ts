/** What all programs share: help, version, ready line, signals, results that cannot be written. */
import { afterAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { isLoopback, openLine, readyLine } from "../../run/listening.ts";
import { VERSION } from "../../run/version.ts";
import { killAll, Script } from "../support/processes.ts";
import { allTexts } from "../support/texts.ts";

const directory = mkdtempSync(join(tmpdir(), "motherlode-run-"));
const root = join(import.meta.dirname, "../..");
afterAll(async () => {
  await killAll();
  rmSync(directory, { recursive: true });
});

/** A program of a few lines that uses run/ as every program does. */
async function program(name: string, main: string): Promise<string> {
  const path = join(directory, `${name}.ts`);
  const source = [
    `import { readCommandLine } from "${root}/run/args.ts";`,
    `import { printResult, printSoon } from "${root}/run/output.ts";`,
    `import { onSignal, runScript } from "${root}/run/signals.ts";`,
    `const usage = { name: "tool", takes: "", count: [0, 0], about: "Does it.", flags: {} } as const;`,
    `await runScript("tool", async () => {`,
    `  readCommandLine(usage, process.argv.slice(2));`,
    main,
    `});`,
  ];
  await Bun.write(path, source.join("\n"));
  return path;
}

const SERVE = `
  onSignal(async () => process.stderr.write("goodbye\\n"));
  setInterval(() => {}, 1000);
  await printResult("ready\\n");
  return new Promise(() => {});`;

test("-h is --help, --version is the release that package.json names", async () => {
  const path = await program("plain", "return 0;");
  const help = new Script(path, ["-h"]);
  assertEquals(await help.exit(), 0);
  assertStringIncludes(help.stdout, "usage: ");
  const version = new Script(path, ["--version"]);
  assertEquals(await version.exit(), 0);
  const { version: released } = await Bun.file(`${root}/package.json`).json();
  assertEquals(version.stdout, `motherlode ${released}\n`);
  assertEquals(VERSION, released);
});

test.each([
  [
    "OptionError",
    `new OptionError("port", "got x, expected y")`,
    "Cannot use port: got x, expected y",
  ],
  ["UsageError", `new UsageError("x".repeat(5000))`, `${"x".repeat(4000)} ...`],
])("an %s is one line of bounded length with a hint, and exit 2", async (name, thrown, line) => {
  const modules = `const { OptionError } = await import("${root}/base/options.ts");
    const { UsageError } = await import("${root}/run/errors.ts");`;
  const script = new Script(await program(name, `${modules} throw ${thrown};`), []);
  assertEquals([await script.exit(), script.stdout], [2, ""]);
  assertEquals(script.stderr, `tool: ${line} (bun run tool.ts --help)\n`);
});

describe("signals", () => {
  test.each([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("%s ends a program cleanly with %d", async (signal, code) => {
    const script = new Script(await program("serve", SERVE), []);
    await script.said(/ready\n/, "stdout");
    script.kill(signal);
    assertEquals([await script.exit(), script.stderr], [code, "goodbye\n"]);
  });
});

// Only there are /proc and /dev/full.
if (process.platform === "linux") {
  test("a program under nohup outlives its terminal", async () => {
    const path = await program("nohup", SERVE);
    const starter = await program("starter", "return 0;");
    const shell = `trap "" HUP; exec "$0" "$1"`;
    await Bun.write(
      starter,
      `const child = Bun.spawn(["sh", "-c", ${JSON.stringify(shell)}, process.execPath, "${path}"],
          { stdio: ["ignore", "inherit", "inherit"] });
         process.on("SIGHUP", () => child.kill("SIGHUP"));
         process.on("SIGTERM", () => child.kill("SIGTERM"));
         process.exit(await child.exited);`,
    );
    const script = new Script(starter, []);
    await script.said(/ready\n/, "stdout");
    script.kill("SIGHUP");
    script.kill("SIGTERM");
    assertEquals(await script.exit(), 143);
  });
  const goodbye = `onSignal(async () => process.stderr.write("goodbye\\n"));`;
  const many = `for (let i = 0; i < 20; i++) printSoon("line\\n");`;
  test.each([
    ["a result", `await printResult("result\\n"); return 0;`, "", ""],
    ["the help", "return 0;", "--help", ""],
    ["the last lines", `${many} return 0;`, "", ""],
    ["lines on the way", `${goodbye} ${many} return new Promise(() => {});`, "", "goodbye\n"],
  ])("%s that cannot be written: one line, and exit 1", async (name, main, flag, after) => {
    const path = await program(`full ${name}`, main);
    const command = ["sh", "-c", `"$0" "$1" $2 >/dev/full`, process.execPath, path, flag];
    const child = Bun.spawn(command, { stdout: "ignore", stderr: "pipe" });
    const said = await new Response(child.stderr).text();
    assertEquals(await child.exited, 1);
    const line = /^tool: cannot write the result to stdout: ENOSPC[^\n]+\n/.exec(said)?.[0];
    assertEquals(said, `${line}${after}`);
  });
}

test("run/output.ts alone writes to stdout: nothing else would notice that it cannot", async () => {
  const writes = /process\.stdout\.write\(|\bBun\.stdout\b|\bconsole\.log\(/;
  const isTold = (path: string): boolean =>
    path.endsWith(".ts") && !/^(tests|bench|tools)\/|^run\/output\.ts$/.test(path);
  const found = [...(await allTexts())].filter(
    ([path, lines]) =>
      isTold(path) && lines.some((line) => writes.test(line) && !/^\s*\*/.test(line)),
  );
  assertEquals(
    found.map(([path]) => path),
    [],
  );
});

describe("listening", () => {
  test("isLoopback knows what only this machine reaches", () => {
    for (const host of ["127.0.0.1", "127.8.9.1", "::1", "localhost", "::ffff:127.0.0.1"]) {
      assert(isLoopback(host), host);
    }
    for (const host of ["0.0.0.0", "::", "192.168.1.2", "fleet.example", "127.example"]) {
      assert(!isLoopback(host), host);
    }
  });

  test("openLine warns of everything but loopback and says how others reach it", () => {
    assertEquals(readyLine({ host: "::1", port: 7 }), "listening on [::1]:7");
    assertEquals(openLine({ host: "127.0.0.1", port: 7 }), undefined);
    const line = openLine({ host: "10.0.0.9", port: 7 })!;
    assertStringIncludes(line, "others reach this at 10.0.0.9:7; there is no authentication yet");
    const wild = openLine({ host: "0.0.0.0", port: 7 })!;
    assert(/ at (?!0\.0\.0\.0)\S+:7;/.test(wild), wild);
    const poor = openLine({ host: "0.0.0.0", port: 7, answersFromAsked: false })!;
    assertStringIncludes(poor, "classic peers reach it at no other address of this machine");
    const linked = openLine({ host: "fe80::1%br-lan", port: 7 })!;
    assertStringIncludes(linked, "others reach this at [fe80::1%br-lan]:7;");
    const named = openLine({ host: "::", port: 7, advertise: "kv.example:70" })!;
    assertStringIncludes(named, " at kv.example:70;");
  });
});
