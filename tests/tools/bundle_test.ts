/** What `bun run build` and `bun run compile` make works alone, with nothing else beside it. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { copyFileSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { detect } from "../../miner/kernels/mod.ts";
import { BUNDLE_BYTES_MAX } from "../../tools/build.ts";
import { builtWhole, COMPILED } from "../support/builds.ts";
import { resultLine } from "../support/least.ts";
import { scriptEnvironment } from "../support/processes.ts";
import { sideBySide } from "../support/side_by_side.ts";

const MESSAGE = "one file";
const UPPER = 3_000_000n;

const directory = mkdtempSync(join(tmpdir(), "motherlode-bundle-"));
/** The one-file programs and nothing else; and the compiled ones. */
const [files, compiled] = [join(directory, "files"), join(directory, "compiled")];
/** Every fleet begins with no records of kernels. */
let caches = 0;
const children: Bun.Subprocess[] = [];
afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map((child) => child.exited));
  rmSync(directory, { recursive: true });
});

function start(
  command: string[],
  env = scriptEnvironment(),
): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const stdio = { stdin: "ignore", stdout: "pipe", stderr: "pipe" } as const;
  const child = Bun.spawn(command, { cwd: files, env, ...stdio });
  children.push(child);
  return child;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { value } = await stream.getReader().read();
  return new TextDecoder().decode(value).split("\n")[0]!;
}

/** Runs a fleet of one miner with the given commands; what the client printed. */
async function runFleet(server: string[], miner: string[], client: string[]): Promise<string> {
  const env = scriptEnvironment(join(directory, `cache-${++caches}`));
  const serving = start([...server, "0"], env);
  const listening = await firstLine(serving.stdout);
  const address = listening.replace("listening on ", "");
  const flags = ["--threads", "2", "--niceness", "normal"];
  const mining = start([...miner, address, ...flags], env);
  const asking = start([...client, address, MESSAGE, String(UPPER)], env);
  const printed = await new Response(asking.stdout).text();
  const decoder = new TextDecoder();
  let log = "";
  for await (const chunk of mining.stderr) {
    log += decoder.decode(chunk, { stream: true });
    // Its kernels are proved in child processes, with no other file there to run in them.
    if (log.includes("a thread, ")) mining.kill("SIGTERM");
  }
  const kernel = /kernel (\S+): .* a thread, fastest of/.exec(log)?.[1];
  const usable = detect().filter((row) => row.native && row.usable);
  const isNative = usable.some(({ name }) => name === kernel);
  assertEquals(isNative, usable.length > 0, log);
  // Regression: in a compiled miner every hashing thread once was a whole miner of its own. Each of
  // them said so while the kernels were proved.
  assertEquals(log.split("hashing with").length - 1, 1, log);
  return printed;
}

const EXPECTED = resultLine(MESSAGE, UPPER);

beforeAll(async () => {
  const built = await builtWhole();
  for (const to of [files, compiled]) mkdirSync(to);
  for (const file of readdirSync(join(built, "dist"))) {
    if (file !== "bin") copyFileSync(join(built, "dist", file), join(files, file));
  }
  // They are large.
  for (const program of COMPILED)
    linkSync(join(built, "dist/bin", program), join(compiled, program));
});

const beside = sideBySide();

describe("one-file programs", () => {
  test("are all there, and small", () => {
    const expected = [
      "client.js",
      "geo.js",
      "kv.js",
      "mapreduce.js",
      "miner.js",
      "mud.js",
      "server.js",
      "textkv.js",
    ];
    const maps = expected.map((file) => `${file}.map`);
    assertEquals(readdirSync(files).toSorted(), [...expected, ...maps].toSorted());
    for (const [program, most] of Object.entries(BUNDLE_BYTES_MAX)) {
      const { size } = Bun.file(join(files, `${program}.js`));
      assert(size <= most, `${program}.js has ${size} bytes`);
      assert(size > 0.95 * most, `${program}.js has ${size} bytes: lower its limit`);
    }
  });

  beside("run a whole fleet from a directory with nothing else in it", async () => {
    const run = (program: string): string[] => [process.execPath, `${program}.js`];
    assertEquals(await runFleet(run("server"), run("miner"), run("client")), EXPECTED);
  });

  beside("compiled for this machine, run a whole fleet without Bun", async () => {
    const run = (program: string): string[] => [join(compiled, program)];
    assertEquals(await runFleet(run("server"), run("miner"), run("client")), EXPECTED);
  });

  beside("show lines of the source in a stack trace while their map is beside them", async () => {
    const preload = join(directory, "preload.ts");
    await Bun.write(
      preload,
      `const { exit } = process;
       process.exit = () => { console.error(new Error().stack); exit(9); };`,
    );
    const stackOf = async (file: string): Promise<string> => {
      const asked = start([process.execPath, "--preload", preload, file, "--help"]);
      return await new Response(asked.stderr).text();
    };
    assertStringIncludes(await stackOf("client.js"), "run/args.ts:");
    const alone = join(directory, "alone.js");
    await Bun.write(alone, Bun.file(join(files, "client.js")));
    assertStringIncludes(await stackOf(alone), "alone.js:");
  });

  beside("mapreduce's runs applications, those of users in a process of their own", async () => {
    const input = join(directory, "input.txt");
    await Bun.write(input, "b a b\n");
    const own = join(directory, "app.ts");
    await Bun.write(
      own,
      `export const map = (_, text) => text.split(/\\s+/).map((word) => [word, "1"]);
       export const reduce = (_, values) => String([...values].length);`,
    );
    for (const [application, expected] of [
      ["wc", "a 1\nb 2\n"],
      [own, " 1\na 1\nb 2\n"],
    ] as const) {
      const args = ["run", "--local", application, input, "--stdout", "--quiet"];
      const running = start([process.execPath, "mapreduce.js", ...args]);
      assertEquals(await new Response(running.stdout).text(), expected);
      assertEquals(await running.exited, 0);
    }
  });

  beside("the store's serves and asks", async () => {
    const serving = start([process.execPath, "kv.js", "serve", "0", "--memory", "--quiet"]);
    const [, at] = /^listening on (127\.0\.0\.1:\d+)$/.exec(await firstLine(serving.stdout))!;
    const put = start([process.execPath, "kv.js", "put", at!, "x", "hello"]);
    assertEquals(await new Response(put.stdout).text(), "version 1\n");
    const get = start([process.execPath, "kv.js", "get", at!, "x"]);
    assertEquals(await new Response(get.stdout).text(), "hello");
  });

  beside("the text server's serves lines", async () => {
    const serving = start([process.execPath, "textkv.js", "0", "--quiet"]);
    const [, port] = /^listening on 127\.0\.0\.1:(\d+)$/.exec(await firstLine(serving.stdout))!;
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port: Number(port),
      socket: { data: (_, bytes) => resolve(bytes.toString()) },
    });
    socket.write("Put:a:1\nGet:a\n");
    assertEquals(await promise, "a:1\n");
    socket.end();
  });
});
