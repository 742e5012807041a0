/**
 * `bun run tools/test_times.ts [PATTERN...]` runs the tests and prints how long those of each room
 * take, what is done before and after them included, and which single ones take longest. Rooms
 * above their share are marked; whether that is the tests' fault or the machine's is for people to
 * judge. The exit code is that of the tests.
 *
 * @module
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** What a room's tests may take on two idle cores. */
const ROOM_SECONDS_MAX = 25;
/** The slowest tests that are shown. */
const SHOWN = 15;

const root = fileURLToPath(new URL("..", import.meta.url));

/** One test of a JUnit report, or a whole file. */
interface Timed {
  readonly file: string;
  readonly name: string;
  readonly seconds: number;
}

/** The value of an attribute of an XML tag, its five entities replaced. */
function attribute(tag: string, name: string): string {
  const raw = new RegExp(`\\b${name}="([^"]*)"`).exec(tag)?.[1] ?? "";
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return raw.replaceAll(/&(lt|gt|quot|apos|amp);/g, (_, entity: string) => entities[entity]!);
}

function timedIn(report: string, tag: "testcase" | "testsuite"): Timed[] {
  return [...report.matchAll(new RegExp(`<${tag} [^>]*>`, "g"))].map(([text]) => ({
    file: attribute(text, "file"),
    name: attribute(text, "name"),
    seconds: Number(attribute(text, "time")),
  }));
}

function print(report: string): void {
  // The suite of a file has its name; those in it are its blocks of tests.
  const files = timedIn(report, "testsuite").filter(({ file, name }) => file === name);
  const rooms = new Map<string, number>();
  for (const { file, seconds } of files) {
    const room = file.split("/").at(-2)!;
    rooms.set(room, (rooms.get(room) ?? 0) + seconds);
  }
  for (const [room, seconds] of [...rooms].toSorted((a, b) => b[1] - a[1])) {
    const mark = seconds > ROOM_SECONDS_MAX ? `  more than ${ROOM_SECONDS_MAX} s` : "";
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${room}${mark}`);
  }
  console.log(`the slowest tests:`);
  const tests = timedIn(report, "testcase").toSorted((a, b) => b.seconds - a.seconds);
  for (const { file, name, seconds } of tests.slice(0, SHOWN)) {
    console.log(`${seconds.toFixed(1).padStart(7)} s  ${file}: ${name}`);
  }
}

async function main(patterns: readonly string[]): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "motherlode-times-"));
  try {
    const report = join(directory, "junit.xml");
    const reporter = ["--reporter=junit", `--reporter-outfile=${report}`];
    const run = Bun.spawn([process.execPath, "test", ...reporter, ...patterns], {
      cwd: root,
      stdin: "ignore",
      stdout: "inherit",
      stderr: "inherit",
    });
    const code = await run.exited;
    print(await Bun.file(report).text());
    return code;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2));
