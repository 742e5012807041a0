/** Keeps the house rules that a program can see; docs/architecture.md says why they are rules. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { Glob } from "bun";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;

/** May know clocks, timers, sockets and threads; every other file of a room is a core. */
const ADAPTER = /(^|\/)(\w+_)?(adapter|native|worker)\.ts$|^run\//;
/** Folders that are no rooms. */
const NO_ROOM = ["", "tests", "bench", "tools", "docs"];
/** Below what each room stands: the rooms that it may import. Scripts, tests and tools see all. */
const PEER = ["base", "channels", "run", "work", "lsp", "peer"];
const BELOW: Readonly<Record<string, readonly string[]>> = {
  base: [],
  channels: ["base"],
  run: ["base", "channels"],
  work: ["base"],
  lsp: ["base", "channels", "run"],
  peer: ["base", "channels", "run", "lsp"],
  raft: PEER,
  server: [...PEER, "raft"],
  miner: PEER,
  client: PEER,
  kv: [...PEER, "raft"],
  textkv: [...PEER, "raft", "kv"],
  mapreduce: [...PEER, "raft", "server", "miner", "client"],
  actors: PEER,
  geo: [...PEER, "actors"],
  mud: [...PEER, "actors", "geo", "client"],
};
const BANNED_IN_CORES: readonly RegExp[] = [
  /\bDate\b(?!")/,
  /\bMath\.random\b/,
  /\bperformance\b\./,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bPromise\b|\basync\b|\bawait\b/,
  /\bBun\b\./,
  /from "(bun|node:)/,
];

const root = new URL("../..", import.meta.url).pathname;
const files = [...new Glob("**/*.ts").scanSync({ cwd: root })]
  .filter((path) => !/^(node_modules|dist)\/|^tests\/data\//.test(path))
  .sort();
const sources = new Map<string, string[]>();
for (const path of files) sources.set(path, (await Bun.file(`${root}/${path}`).text()).split("\n"));

/** Every line that breaks a rule, as `path:line: why`. */
function offences(check: (path: string, lines: string[]) => Iterable<[number, string]>): string[] {
  const found: string[] = [];
  for (const [path, lines] of sources) {
    for (const [line, why] of check(path, lines)) found.push(`${path}:${line}: ${why}`);
  }
  return found;
}

function* longFunctions(lines: string[]): Iterable<[number, string]> {
  for (let start = 0; start < lines.length; start++) {
    const head = lines[start]!;
    const indent = /^ */.exec(head)![0];
    const opens =
      /^\s*(export )?(default )?(async )?function\b|^ {2}[\w#*[][^=;]*\) ?(: [^=]+)?\{$/;
    if (!opens.test(head) || /^\s*(if|for|while|switch|describe|test)\b/.test(head)) continue;
    const end = lines.findIndex((line, i) => i > start && line.startsWith(`${indent}}`));
    if (end - start + 1 > FUNCTION_LINES_MAX) yield [start + 1, `${end - start + 1} lines`];
  }
}

/** The code of a line: no comment, no string. */
function codeOf(line: string): string {
  if (/^\s*(\*|\/\*|\/\/)/.test(line)) return "";
  return line.replace(/\/\/ .*$/, "").replace(/(?<!from )(["'`])(?:\\.|(?!\1).)*\1/g, '""');
}

const partOf = (path: string): string => (path.includes("/") ? path.split("/")[0]! : "");

/** Why `from` must not import `to`, if it must not. */
function whyNotImport(from: string, to: string): string | undefined {
  const [a, b] = [partOf(from), partOf(to)];
  if (a === b && a !== "") return undefined;
  if (b === "tests") return a === "tests" ? undefined : "is of the tests";
  if (NO_ROOM.includes(a))
    return b === "sim" && a === "" && from !== "sim.ts" ? "is of the simulator" : undefined;
  if (b === "") return "stands above all rooms";
  if (a === "sim") return undefined;
  if (BELOW[a] === undefined) return `is imported by ${a}, of which no rule is known`;
  if (!BELOW[a].includes(b)) return `is not below ${a}`;
  if (["base", "work"].includes(b)) return undefined;
  if (["run", "peer"].includes(b))
    return a === "peer" || ADAPTER.test(from) ? undefined : "is for adapters only";
  return to === `${b}/mod.ts` ? undefined : `is not the face of ${b}`;
}

function* imports(path: string, lines: string[]): Iterable<[number, string]> {
  for (const [i, line] of lines.entries()) {
    const target = /^(?:import|export|\}).* from "(\.[^"]+)"|^import "(\.[^"]+)"/.exec(line);
    const relative = target?.[1] ?? target?.[2];
    if (relative === undefined) continue;
    yield [i + 1, new URL(relative, `file:///${path}`).pathname.slice(1)];
  }
}

describe("the house rules hold:", () => {
  test("there are files to look at", () => assert(files.length > 10, `${files.length} files`));

  test(`a file has at most ${FILE_LINES_MAX} lines`, () => {
    const long = [...sources].filter(([, lines]) => lines.length - 1 > FILE_LINES_MAX);
    assertEquals(
      long.map(([path, lines]) => `${path}: ${lines.length - 1}`),
      [],
    );
  });

  test(`a function has at most ${FUNCTION_LINES_MAX} lines`, () => {
    assertEquals(
      offences((_path, lines) => longFunctions(lines)),
      [],
    );
  });

  test(`a line has at most ${LINE_COLUMNS_MAX} columns`, () => {
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        const text = codeOf(line) !== "" && /["'`/]/.test(line);
        if (line.length > LINE_COLUMNS_MAX && !text) yield [i + 1, "too long"];
      }
    }
    assertEquals(offences(check), []);
  });

  test("cores know no clock, chance, timer, promise or I/O", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (NO_ROOM.includes(partOf(path)) || ADAPTER.test(path)) return;
      for (const [i, line] of lines.entries()) {
        const code = codeOf(line);
        for (const word of BANNED_IN_CORES) if (word.test(code)) yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check), []);
  });

  test("text is decoded with every byte kept: a TextDecoder eats U+FEFF unless told not to", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (NO_ROOM.includes(partOf(path))) return;
      for (const [i, line] of lines.entries()) {
        if (!/new TextDecoder\(/.test(codeOf(line)) || line.includes("ignoreBOM: true")) continue;
        yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check), []);
  });

  test("nobody imports cbor-x whole: it would look for a native addon", () => {
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        if (/from "cbor-(x|extract)"|\(["']cbor-(x|extract)["']\)/.test(line)) yield [i + 1, line];
      }
    }
    assertEquals(offences(check), []);
  });

  test("imports point one way", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      for (const [line, target] of imports(path, lines)) {
        const why = whyNotImport(path, target);
        if (why !== undefined) yield [line, `${target} ${why}`];
      }
    }
    assertEquals(offences(check), []);
  });

  test("every source file opens with a header that says what it is", () => {
    const silent = [...sources].filter(([, lines]) => !/^(\/\*\*|#!|\/\/)/.test(lines[0]!));
    assertEquals(
      silent.map(([path]) => path).filter((path) => !path.startsWith("tests/")),
      [],
    );
  });

  test("no test is skipped, focused or left to do", () => {
    const soft = /\b(test|it|describe)\.(skip|only|todo)\b|\b(TODO|FIXME)\b/;
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (path === "tests/tools/tidy_test.ts") return;
      for (const [i, line] of lines.entries()) if (soft.test(line)) yield [i + 1, line.trim()];
    }
    assertEquals(offences(check), []);
  });
});
