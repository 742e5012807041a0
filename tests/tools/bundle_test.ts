/** What `bun run build` and `bun run compile` make works alone, with nothing else beside it. */
import { afterAll, beforeAll, describe, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { kernelNamed } from "../../miner/kernel_choice.ts";
import { detect } from "../../miner/kernels/mod.ts";
import { buildBundles, BUNDLE_BYTES_MAX, compile } from "../../tools/build.ts";
import { scriptEnvironment } from "../support/processes.ts";

const MESSAGE = "one file";
const UPPER = 3_000_000n;

const directory = mkdtempSync(join(tmpdir(), "motherlode-bundle-"));
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
  const child = Bun.spawn(command, { cwd: directory, env, ...stdio });
  children.push(child);
  return child;
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const { value } = await stream.getReader().read();
  return new TextDecoder().decode(value).split("\n")[0]!;
}

/** What comes up to the first chunk after which `mark` is in it. */
async function textUntil(chunks: AsyncIterator<Uint8Array>, mark: string): Promise<string> {
  let text = "";
  while (!text.includes(mark)) {
    const { done, value } = await chunks.next();
    if (done) break;
    text += new TextDecoder().decode(value);
  }
  return text;
}

/** Runs a fleet of one miner with the given commands; what the client printed. */
async function runFleet(server: string[], miner: string[], client: string[]): Promise<string> {
  const env = scriptEnvironment(join(directory, `cache-${++caches}`));
  const serving = start([...server, "0"], env);
  const listening = await firstLine(serving.stdout);
  const address = listening.replace("listening on ", "");
  const flags = ["--threads", "2", "--niceness", "normal", "--epoch-millis", "200"];
  const mining = start([...miner, address, ...flags], env);
  const chunks = mining.stderr[Symbol.asyncIterator]();
  const asking = start([...client, address, MESSAGE, String(UPPER)], env);
  const printed = await new Response(asking.stdout).text();
  // Its kernels are proved in child processes, with no other file there to run in them.
  let log = await textUntil(chunks, "a thread, ");
  const kernel = /kernel (\S+): .* a thread, fastest of/.exec(log)?.[1];
  const usable = detect().filter((row) => row.native && row.usable);
  const isNative = usable.some(({ name }) => name === kernel);
  assertEquals(isNative, usable.length > 0, log);
  // Regression: in a compiled miner every hashing thread once was a whole miner of its own. By the
  // time that the loss of the server is noticed each of them would have said so.
  serving.kill("SIGKILL");
  log += await textUntil(chunks, "trying again");
  assertEquals(log.split("hashing with").length - 1, 1, log);
  return printed;
}

const { hash, nonce } = kernelNamed("bun")!.bind(Buffer.from(MESSAGE)).search(0n, UPPER);
const EXPECTED = `Result ${hash} ${nonce}\n`;

/** What a compiled fleet finds: it is made and runs beside the other tests. */
let compiled: Promise<string>;
beforeAll(() => {
  compiled = (async () => {
    const names = ["server", "miner", "client"];
    const made = names.map((program) => compile(program, directory));
    const [server, miner, client] = await Promise.all(made);
    return await runFleet([server!], [miner!], [client!]);
  })();
  compiled.catch(() => {}); // the test that waits for it says so
});

describe("one-file programs", () => {
  test("are small, and run a whole fleet from a directory with nothing else in it", async () => {
    const sizes = await buildBundles(directory);
    assertEquals(Object.keys(sizes), [
      "server.js",
      "miner.js",
      "client.js",
      "kv.js",
      "textkv.js",
      "geo.js",
      "mud.js",
      "mapreduce.js",
    ]);
    for (const [program, most] of Object.entries(BUNDLE_BYTES_MAX)) {
      const size = sizes[`${program}.js`]!;
      assert(size <= most, `${program}.js has ${size} bytes`);
      assert(size > 0.95 * most, `${program}.js has ${size} bytes: lower its limit`);
    }
    const run = (file: string): string[] => [process.execPath, file];
    assertEquals(await runFleet(run("server.js"), run("miner.js"), run("client.js")), EXPECTED);
  });

  test("show lines of the source in a stack trace while their map is beside them", async () => {
    const preload = join(directory, "preload.ts");
    await Bun.write(
      preload,
      "process.stdout.write = () => { console.error(new Error().stack); process.exit(9); };",
    );
    const stackOf = async (file: string): Promise<string> => {
      const asked = start([process.execPath, "--preload", preload, file, "--help"]);
      return await new Response(asked.stderr).text();
    };
    assertStringIncludes(await stackOf("client.js"), "run/args.ts:");
    const alone = join(directory, "alone.js");
    await Bun.write(alone, Bun.file(join(directory, "client.js")));
    assertStringIncludes(await stackOf(alone), "alone.js:");
  });

  test("mapreduce's runs applications, those of users in a process of their own", async () => {
    const input = join(directory, "input.txt");
    await Bun.write(input, "b a b\n");
    await Bun.write(
      join(directory, "app.ts"),
      `export const map = (_, text) => text.split(/\\s+/).map((word) => [word, "1"]);
       export const reduce = (_, values) => String([...values].length);`,
    );
    for (const [application, expected] of [
      ["wc", "a 1\nb 2\n"],
      ["app.ts", " 1\na 1\nb 2\n"],
    ] as const) {
      const args = ["run", "--local", application, input, "--stdout", "--quiet"];
      const running = start([process.execPath, "mapreduce.js", ...args]);
      assertEquals(await new Response(running.stdout).text(), expected);
      assertEquals(await running.exited, 0);
    }
  });

  test("the store's serves and asks", async () => {
    const serving = start([process.execPath, "kv.js", "serve", "0", "--memory", "--quiet"]);
    const [, at] = /^listening on (127\.0\.0\.1:\d+)$/.exec(await firstLine(serving.stdout))!;
    const put = start([process.execPath, "kv.js", "put", at!, "x", "hello"]);
    assertEquals(await new Response(put.stdout).text(), "version 1\n");
    const get = start([process.execPath, "kv.js", "get", at!, "x"]);
    assertEquals(await new Response(get.stdout).text(), "hello");
  });

  test("the text server's serves lines", async () => {
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

  test("compiled for this machine, run a whole fleet without Bun", async () => {
    assertEquals(await compiled, EXPECTED);
  });
});
