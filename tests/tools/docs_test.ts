/** What the documentation shows is true: its examples compile and run, its commands are there. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { helpOf } from "../support/helps.ts";
import { killAll, knowKernels, Script } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { allTexts, ROOT } from "../support/texts.ts";

/** A fenced block: where it opens, and its lines without the marks of a comment. */
interface Block {
  readonly path: string;
  readonly line: number;
  readonly language: string;
  readonly lines: string[];
}

const texts = [...(await allTexts())].filter(([path]) => /\.(md|ts)$/.test(path));

function* blocksIn(path: string, lines: readonly string[]): Iterable<Block> {
  let open: Block | undefined;
  for (const [i, line] of lines.entries()) {
    // In a source only doc comments have blocks.
    const text = path.endsWith(".md") ? line : /^\s*\*(?: (.*))?$/.exec(line)?.[1];
    const fence = /^\s*```(\w*)$/.exec(text ?? "");
    if (open === undefined) {
      if (fence) open = { path, line: i + 1, language: fence[1]!, lines: [] };
    } else if (fence) {
      yield open;
      open = undefined;
    } else open.lines.push(text ?? "");
  }
  assert(open === undefined, `${path}:${open?.line}: the block never ends`);
}
const blocks = texts.flatMap(([path, lines]) => [...blocksIn(path, lines)]);
const examples = blocks.filter(({ language }) => language === "ts");
/** The number of each example within its file, as in "README.md 2". */
const nameOf = (example: Block): string => {
  const here = examples.filter(({ path }) => path === example.path);
  return `${example.path} ${here.indexOf(example) + 1}`;
};

const scratch = mkdtempSync(join(tmpdir(), "motherlode-docs-"));

/** What an example takes as given, by its name. */
const GIVEN: Readonly<Record<string, string>> = {
  "base/fields.ts 1": "declare function reject(): void;",
  "docs/channels.md 2": `import type { Channel } from "./channels/mod.ts";
    declare const stop: Channel<never>, input: Channel<number>, output: Channel<number>;`,
  "lsp/frame.ts 1": `
    declare let buffer: Uint8Array, datagram: Uint8Array, payload: Uint8Array;
    declare let connId: number, sentDatagrams: number, seq: number;
    declare let key: { readonly high: number; readonly low: number };
    declare function count(reason: string | undefined): void;
    declare function take(seq: number, payload: Uint8Array): void;`,
  "run/disk.ts 1": `import type { Machine } from "../base/machine.ts";
    import type { StoredState, StoreEffect, StoreInput } from "../base/store.ts";
    declare const directory: string;
    declare class Counter implements Machine<StoreInput, StoreEffect> {
      constructor(state: StoredState);
      handle(): void;
      poll(): StoreEffect | undefined;
      wakeAtMs(): number | undefined;
    }`,
};

/** A fleet for examples that search: they name a port, and a range that takes a while. */
const FLEET = `import { hashNonce, mine as run, serve as open } from "${ROOT}mod.ts";
const fleet = await open({ port: 0 });
const worker = run({ port: fleet.port, threads: 1, niceness: "normal" });`;
const FLEET_CLOSED = "await worker.close(); await fleet.close();";

/** How an example is run: what goes before and after it, what is replaced, what it must print. */
interface Run {
  readonly before?: string;
  readonly replace?: Readonly<Record<string, string>>;
  readonly after?: string;
  readonly stdout?: string;
}
const SEARCH: Run = {
  before: FLEET,
  replace: { "port: 6060": "port: fleet.port", "10n ** 9n": "99_999n" },
  after: `console.log(hash === hashNonce("hello", nonce)); ${FLEET_CLOSED}`,
  stdout: "true\n",
};
const RUNS: Readonly<Record<string, Run>> = {
  "README.md 1": SEARCH,
  "README.md 2": {
    after: "console.log(new TextDecoder().decode(await client.read()));",
    stdout: "hello\n",
  },
  "actors/mod.ts 1": { stdout: "42\n" },
  "channels/mod.ts 1": { stdout: "" },
  "client/mod.ts 1": SEARCH,
  "docs/actors.md 1": { stdout: "2 5\nRangeError: cannot add -1\n1\nstopped\n" },
  "docs/channels.md 1": { stdout: '{\n  done: false,\n  value: "a",\n}\nb\nc\n' },
  "docs/kv.md 1": {
    before: `import { kv } from "${ROOT}mod.ts";\nawait using server = await kv.serveStore({ port: 0 });`,
    replace: { '"127.0.0.1:6070"': "`127.0.0.1:${server.port}`" },
    stdout: "true 2\nx 3\ny 1\n1 x Uint8Array(1) [ 49 ]\n",
  },
  "docs/raft.md 1": {
    // Three nodes in one process on a busy machine: nobody is to be missed for a pause of all.
    replace: {
      "port: 6070": "port: 0",
      '{ group: "counter" }': '{ group: "counter", params: { electionMs: 1000, quorumMs: 9000 } }',
    },
    stdout: "5 5 5\n",
  },
  "docs/storage.md 1": {
    replace: { '"data"': JSON.stringify(join(scratch, "data")) },
    stdout: '{\n  kind: "stored",\n  token: 1,\n}\n',
  },
  "kv/mod.ts 1": { stdout: "1 false hello\n2\n" },
  "kv/mod.ts 2": { stdout: "not linearizable\n" },
  "lsp/mod.ts 1": { stdout: "hello\n" },
  "miner/mod.ts 1": {
    before: FLEET,
    replace: { "port: 6060": "port: fleet.port", "await miner": "void miner.close(); await miner" },
    after: FLEET_CLOSED,
    stdout: "",
  },
  "mod.ts 1": { stdout: "true\n" },
  "raft/mod.ts 1": { stdout: "5,5,5\n" },
};

/** What an example of Raft ends with on a machine that pauses for longer than a leader may. */
const DISTURBED =
  /^ReplicaError: (the lead was lost meanwhile|it took too long|this node does not lead)/m;
/** So often an example that ended so is begun anew, at most. */
const TURNS_MAX = 20;

/** The examples that run: those of the front page, of every room, and others by their recipe. */
const programs = examples
  .map(nameOf)
  .filter((name) => /^README\b|\bmod\.ts /.test(name) || RUNS[name] !== undefined);

/** The example as a module that may lie anywhere. */
function moduleOf(example: Block, before = ""): string {
  const directory = join(ROOT, dirname(example.path.startsWith("docs/") ? "." : example.path));
  const code = `${before}\n${example.lines.join("\n")}\nexport {};\n`;
  return code.replaceAll(/ from "(\.[^"]+)"/g, (_, to: string) => {
    return ` from ${JSON.stringify(join(directory, to))}`;
  });
}
const fileOf = (name: string): string => `${name.replaceAll(/\W/g, "_")}.ts`;

beforeAll(knowKernels);
afterAll(async () => {
  await killAll();
  rmSync(scratch, { recursive: true });
});

describe("examples", () => {
  test("are found, and what this test says of them is of use", () => {
    const names = examples.map(nameOf);
    assert(names.length >= 11, names.join());
    for (const name of [...Object.keys(GIVEN), ...Object.keys(RUNS)]) {
      assert(names.includes(name), `there is no example ${name}`);
    }
  });

  test("have the types that they should have", async () => {
    const directory = join(scratch, "types");
    for (const example of examples) {
      const name = nameOf(example);
      await Bun.write(join(directory, fileOf(name)), moduleOf(example, GIVEN[name]));
    }
    const compilerOptions = {
      declaration: false,
      isolatedDeclarations: false,
      typeRoots: [join(ROOT, "node_modules/@types")],
    };
    const config = { extends: join(ROOT, "tsconfig.json"), compilerOptions, include: ["*.ts"] };
    await Bun.write(join(directory, "tsconfig.json"), JSON.stringify(config));
    const check = new Script("check", ["--no-script", "--no-pretty", "-p", directory]);
    const code = await check.exit();
    assertEquals([code, check.stdout + check.stderr], [0, check.stdout + check.stderr]);
  });

  const inTurn = sideBySide();
  for (const name of programs) {
    const { before, replace = {}, after = "", stdout } = RUNS[name] ?? {};
    inTurn(`run: ${name}`, async () => {
      let code = moduleOf(examples.find((example) => nameOf(example) === name)!);
      for (const [from, to] of Object.entries(replace)) {
        assertStringIncludes(code, from);
        code = code.replace(from, to);
      }
      const path = join(scratch, fileOf(name));
      await Bun.write(path, `${before ?? ""}\n${code}\n${after}\n`);
      let program: Script;
      let exit: number;
      let turns = 0;
      do {
        program = new Script(path, []);
        exit = await program.exit();
      } while (DISTURBED.test(program.stderr) && ++turns < TURNS_MAX);
      assertEquals([exit, program.stdout], [0, stdout ?? program.stdout], program.stderr);
    });
  }
});

/** A command of Bun's in the documentation: what it starts, and the flags that it is given. */
interface Command {
  readonly at: string;
  readonly target: string;
  readonly flags: string[];
}
/** What a word after `bun` is without a file or a script of that name. */
const BUN_VERBS = ["install", "test", "add", "fmt", "check", "run", "pm", "x"];

function commandIn(at: string, text: string): Command | undefined {
  const found = /^(?:npx -y bun@[\d.]+|bun) (?:run )?([a-z][\w./-]*)(.*)$/.exec(text.trim());
  if (found === null) return undefined;
  /** What is built of it. */
  const target = found[1]!.replace(/\.js$/, ".ts");
  const flags = [...found[2]!.matchAll(/(?<![\w-])--([a-z][\w-]*)/g)].map(([, flag]) => flag!);
  return { at, target, flags };
}

function* commandsIn(path: string, lines: readonly string[]): Iterable<Command | undefined> {
  for (const [i, line] of lines.entries()) {
    const at = `${path}:${i + 1}`;
    const isComment = /^\s*(\/\*\*|\*|\/\/)/.test(line);
    if (path.endsWith(".ts") && !isComment) continue;
    for (const [, code] of line.matchAll(/`(bun [^`]+)`/g)) yield commandIn(at, code!);
    const row = path === "README.md" && /^\| `([\w/]+\.ts)\b/.exec(line);
    if (row) yield commandIn(at, `bun run ${row[1]} ${line.replaceAll(/[`,;|]/g, " ")}`);
  }
}
const shellCommands = blocks
  .filter(({ language }) => language === "sh")
  .flatMap(({ path, line, lines }) => {
    return lines.flatMap((text, i) => {
      return text.split("&&").map((part) => commandIn(`${path}:${line + i + 1}`, part));
    });
  });
const commands = [
  ...texts.flatMap(([path, lines]) => [...commandsIn(path, lines)]),
  ...shellCommands,
].filter((command) => command !== undefined);

const { scripts } = (await Bun.file(join(ROOT, "package.json")).json()) as {
  scripts: Record<string, string>;
};
/** The file that a command starts, if it is one of ours. */
function fileStarted(target: string): string | undefined {
  if (target.endsWith(".ts")) return target;
  return /\b[\w/]+\.ts\b/.exec(scripts[target] ?? "")?.[0];
}

/** What it shows with --help. */
async function helpText(file: string, ...verb: string[]): Promise<string> {
  const { code, stdout, stderr } = await helpOf(file, ...verb);
  assertEquals([code, stderr], [0, ""], `${file} ${verb.join()} --help`);
  return stdout;
}

describe("commands", () => {
  test("name scripts that are there", () => {
    assert(commands.length > 60, `${commands.length} commands`);
    const missing = commands.filter(({ target }) => {
      if (target.endsWith(".ts")) return !existsSync(join(ROOT, target));
      return scripts[target] === undefined && !BUN_VERBS.includes(target);
    });
    assertEquals(missing, []);
  });

  test("give flags that the script has", async () => {
    const used = new Set(commands.map(({ target }) => fileStarted(target)));
    const helps = new Map<string, string>();
    const reading = [...used].map(async (file) => {
      if (file === undefined || !existsSync(join(ROOT, file))) return;
      const source = await Bun.file(join(ROOT, file)).text();
      // A tool without --help says in its source what it takes.
      helps.set(file, source.replaceAll(/^\s+"?([a-z][\w-]*)"?: \{ type: /gm, "--$1 "));
      if (!/\b(readCommandLine|runServing)\(/.test(source)) return;
      const help = await helpText(file);
      const verbs = / VERB /.test(help) ? help.matchAll(/^ {2}([a-z]+)(?: .*)?$/gm) : [];
      const more = await Promise.all([...verbs].map(([, verb]) => helpText(file, verb!)));
      helps.set(file, [help, ...more].join("\n"));
    });
    await Promise.all(reading);
    assert(helps.has("server.ts") && helps.has("bench/fleet.ts"), [...helps.keys()].join());
    const wrong = commands.flatMap(({ at, target, flags }) => {
      const help = helps.get(fileStarted(target) ?? "");
      if (help === undefined) return [];
      const known = new Set([...help.matchAll(/--([a-z][\w-]*)/g)].map(([, flag]) => flag!));
      return flags.filter((flag) => !known.has(flag)).map((flag) => `${at}: ${target} --${flag}`);
    });
    assertEquals(wrong, []);
  });
});
