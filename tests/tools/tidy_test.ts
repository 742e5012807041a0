/** Keeps the house rules that a program can see; docs/architecture.md says why they are rules. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { circlesIn } from "../support/circles.ts";
import { allTexts, ROOT, type Texts } from "../support/texts.ts";

const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 70;
const LINE_COLUMNS_MAX = 100;
const PROSE_COLUMNS_MAX = 120;
/** A program at the root is readable in one sitting: its arguments, its room, what it prints. */
const ROOT_LINES_MAX = 120;

/** May know clocks, timers, sockets and threads; every other file of a room is a core. */
const ADAPTER = /(^|\/)(\w+_)?(adapter|native|worker)\.ts$|^run\//;
/** Folders that are no rooms. */
const NO_ROOM = ["", "tests", "bench", "tools", "docs"];
/** Not for users: only sim.ts and tests look inside. */
const NO_FACE = ["sim"];
/** Programs that lie in a room, and are no part of it. */
const SCRIPTS = ["channels/check.ts"];
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
const CLOCK_AND_CHANCE: readonly RegExp[] = [
  /\bDate\b(?!")/,
  /\bMath\.random\b/,
  /\bperformance\b\./,
];
const BANNED_IN_CORES: readonly RegExp[] = [
  ...CLOCK_AND_CHANCE,
  /\bset(Timeout|Interval|Immediate)\b/,
  /\bqueueMicrotask\b/,
  /\bPromise\b|\basync\b|\bawait\b/,
  /\bBun\b\./,
  /from "(bun|node:)/,
];

/** What only a real clock knows. Tests wait for events: tests/support/waiting.ts. */
const BANNED_IN_TESTS: readonly RegExp[] = [
  /\bsetTimeout\(|\bBun\.sleep|\bperformance\.now|\bDate\.now|\bnanoseconds\(/,
  /\bsetDefaultTimeout\(|^\s*\}, [\d_]+\);$|\b(TIMEOUT|DEADLINE)_(MS|MILLIS)\b/,
  /^\s*test\(.*, [A-Z_]+_(MS|MILLIS)\);$/,
];
/** Places of the author's machine: nobody else can look them up. */
const ELSEWHERE = new RegExp(["\\.\\./shared\\b", "/work/(shared|main)\\b"].join("|"));
const SELF = "tests/tools/tidy_test.ts";

const everything = await allTexts();
const textsOf = (suffix: string): Texts =>
  new Map([...everything].filter(([path]) => path.endsWith(suffix)));
const sources = textsOf(".ts");
const documents = textsOf(".md");

/** Every line that breaks a rule, as `path:line: why`. */
function offences(
  check: (path: string, lines: string[]) => Iterable<[number, string]>,
  texts: Texts = sources,
): string[] {
  const found: string[] = [];
  for (const [path, lines] of texts) {
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

const partOf = (path: string): string =>
  path.includes("/") && !SCRIPTS.includes(path) ? path.split("/")[0]! : "";

/** Why `from` must not import `to`, if it must not. */
function whyNotImport(from: string, to: string): string | undefined {
  const [a, b] = [partOf(from), partOf(to)];
  if (a === b && a !== "") return undefined;
  if (b === "tests") return a === "tests" ? undefined : "is of the tests";
  if (b === "sim" && !["sim", "tests"].includes(a) && from !== "sim.ts") {
    return "is for sim.ts and tests only";
  }
  if (NO_ROOM.includes(a)) return undefined;
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
    const target = /^(?:import|export|\}).* from "(\.[^"]+)"|\bimport\(?\s*"(\.[^"]+)"/.exec(line);
    const relative = target?.[1] ?? target?.[2];
    if (relative === undefined) continue;
    yield [i + 1, new URL(relative, `file:///${path}`).pathname.slice(1)];
  }
}

/** Modules that have more than one import statement. */
function* importedTwice(_path: string, lines: string[]): Iterable<[number, string]> {
  const seen = new Set<string>();
  for (const [i, line] of lines.entries()) {
    // The last line of a statement, the only one that names the module.
    const target = /^(?:import|\}).* from ("[^"]+")|^import ("[^"]+")/.exec(line);
    const from = target?.[1] ?? target?.[2];
    if (from === undefined) continue;
    if (seen.has(from)) yield [i + 1, `a second import of ${from}`];
    seen.add(from);
  }
}

/** Places in the project that a line of `path` names: what it links to, and files. */
function* placesIn(path: string, line: string): Iterable<string> {
  if (path.endsWith(".md")) {
    for (const [, to] of line.matchAll(/\]\((?!\w+:)([^)#\s]+)/g)) yield join(dirname(path), to!);
  }
  const isComment = path.endsWith(".md") || codeOf(line) === "" || /\/\/ /.test(line);
  if (!isComment || path === "CHANGELOG.md") return;
  for (const [to] of line.matchAll(/(?<![\w/.-])[a-z]\w*\/[\w/]+\.(?:ts|md|json)\b/g)) {
    if (!/^(node_modules|dist)\/|\bROOM\b/.test(to)) yield to;
  }
}

/** Sections of documents that a line cites, as `docs/lsp.md, sections 4 to 7`. */
function* sectionsIn(line: string): Iterable<[string, string]> {
  const cited = /\b(docs\/\w+\.md), sections? (\d+)(?:(?: to | and |, )(\d+))?/g;
  for (const [, document, first, last] of line.matchAll(cited)) {
    yield [document!, first!];
    if (last !== undefined) yield [document!, last];
  }
}

describe("the house rules hold:", () => {
  test("there are files to look at", () => {
    assert(sources.size > 200, `${sources.size} sources`);
    assert(documents.size >= 10, `${documents.size} documents`);
    for (const path of [".ci/run", "bunfig.toml", "docs/lsp.md", "tools/install_emulators", SELF]) {
      assert(everything.has(path), `${path} is not looked at`);
    }
  });

  test(`a file has at most ${FILE_LINES_MAX} lines, one at the root ${ROOT_LINES_MAX}`, () => {
    const max = (path: string): number => (path.includes("/") ? FILE_LINES_MAX : ROOT_LINES_MAX);
    const long = [...sources].filter(([path, lines]) => lines.length - 1 > max(path));
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

  test(`a line of a document has at most ${PROSE_COLUMNS_MAX} columns, tables excepted`, () => {
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        if ([...line].length > PROSE_COLUMNS_MAX && !line.startsWith("|"))
          yield [i + 1, "too long"];
      }
    }
    assertEquals(offences(check, documents), []);
  });

  test("cores know no clock, chance, timer, promise or I/O, nor does the simulator", () => {
    /** A simulated run is a function of its seed: nothing of sim/ is an adapter. */
    const banned = (path: string): readonly RegExp[] => {
      if (path === "sim.ts") return CLOCK_AND_CHANCE;
      if (NO_ROOM.includes(partOf(path))) return [];
      return ADAPTER.test(path) && partOf(path) !== "sim" ? [] : BANNED_IN_CORES;
    };
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      const words = banned(path);
      for (const [i, line] of lines.entries()) {
        const code = codeOf(line);
        for (const word of words) if (word.test(code)) yield [i + 1, line.trim()];
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

  test("a path is not a URL: .pathname has %20 for a blank and %C3%BC for an umlaut", () => {
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        if (/import\.meta\.url\)\.(pathname|href)\b/.test(codeOf(line))) yield [i + 1, line.trim()];
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

  test("no files import one another in a circle, not for their types either", () => {
    const arrows = new Map<string, string[]>();
    for (const [path, lines] of sources) {
      arrows.set(
        path,
        [...imports(path, lines)].map(([, target]) => target),
      );
    }
    assertEquals(circlesIn(arrows), []);
    assertEquals(
      circlesIn(
        new Map([
          ["a", ["b", "c"]],
          ["b", ["a", "c"]],
        ]),
      ),
      ["a -> b -> a"],
    );
  });

  test("every source file opens with a header that says what it is", () => {
    const silent = [...sources].filter(([, lines]) => !/^(\/\*\*|#!|\/\/)/.test(lines[0]!));
    assertEquals(
      silent.map(([path]) => path),
      [],
    );
  });

  test("a module is imported by one statement", () => assertEquals(offences(importedTwice), []));

  test("every room has a face, and package.json and the root's face export it", async () => {
    const { exports } = (await Bun.file(join(ROOT, "package.json")).json()) as {
      exports: Record<string, string>;
    };
    const face = sources.get("mod.ts")!;
    const rooms = new Set([...sources.keys()].map(partOf));
    for (const room of rooms) {
      if (NO_ROOM.includes(room) || NO_FACE.includes(room)) continue;
      assert(sources.has(`${room}/mod.ts`), `${room}/ has no mod.ts`);
      assertEquals(exports[`./${room}`], `./${room}/mod.ts`, `package.json, exports, ./${room}`);
      const isNamed = face.includes(`export * as ${room} from "./${room}/mod.ts";`);
      assert(isNamed, `mod.ts does not export the room ${room} as a namespace`);
    }
  });

  test("names are of one dialect: limits X_MAX, milliseconds _MS, the time nowMs", () => {
    const other = /\bMAX_(?!SAFE_INTEGER|VALUE)[A-Z]|\b[A-Z_]+_MILLIS\b|\bnow: (Millis|number)\b/;
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        if (other.test(codeOf(line))) yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check), []);
  });

  test("what is private is so at run time too: #name, in constructors excepted", () => {
    function* check(_path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        if (/^\s+private (?!constructor\b)/.test(codeOf(line))) yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check), []);
  });

  test("an error with a code is a CodedError, so that users find the same on all", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (NO_ROOM.includes(partOf(path)) || path === "base/coded_error.ts") return;
      const at = lines.findIndex((line) => /\bclass \w+ extends Error\b/.test(codeOf(line)));
      const code = lines.findIndex((line, i) => i > at && /^ {2}readonly code\b/.test(line));
      if (at >= 0 && code >= 0) yield [code + 1, lines[code]!.trim()];
    }
    assertEquals(offences(check), []);
  });

  test("subjects are named as a native reader does: write `a peer that ...`, not `whoever`", () => {
    const word = /\b[Ww]hoever\b/;
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (path === SELF || path === "README.md") return;
      for (const [i, line] of lines.entries()) if (word.test(line)) yield [i + 1, line.trim()];
    }
    assertEquals([...offences(check), ...offences(check, documents)], []);
  });

  test("tests wait for events, and have no time limit but the common one", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (!path.startsWith("tests/") || path.startsWith("tests/support/")) return;
      for (const [i, line] of lines.entries()) {
        const code = codeOf(line);
        for (const word of BANNED_IN_TESTS) if (word.test(code)) yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check), []);
  });

  test("nothing cites what only the author's machine has", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (path === SELF) return;
      for (const [i, line] of lines.entries()) {
        if (ELSEWHERE.test(line)) yield [i + 1, line.trim()];
      }
    }
    assertEquals(offences(check, everything), []);
  });

  test("what documents link to and code cites is there, each cited section too", () => {
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      for (const [i, line] of lines.entries()) {
        for (const to of placesIn(path, line)) {
          if (!existsSync(join(ROOT, to))) yield [i + 1, `there is no ${to}`];
        }
        for (const [document, number] of sectionsIn(line)) {
          const has = documents.get(document)?.some((text) => text.startsWith(`## ${number}. `));
          if (has !== true) yield [i + 1, `${document} has no section ${number}`];
        }
      }
    }
    assertEquals([...offences(check), ...offences(check, documents)], []);
  });

  test("no test is skipped, focused or left to do", () => {
    const soft = /\b(test|it|describe)\.(skip|only|todo)\b|\b(TODO|FIXME)\b/;
    function* check(path: string, lines: string[]): Iterable<[number, string]> {
      if (path === SELF) return;
      for (const [i, line] of lines.entries()) if (soft.test(line)) yield [i + 1, line.trim()];
    }
    assertEquals(offences(check), []);
  });
});
