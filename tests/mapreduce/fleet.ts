/**
 * A server and its miners as processes, for tests of jobs.
 *
 * @module
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { killAll, type Script, startMiner, startServer } from "../support/processes.ts";
import { Desk } from "./jobs.ts";
import { countWords, text } from "./twin.ts";

/** A miner that is killed is missed after two seconds, not five. */
const SOON_LOST = ["--epoch-millis", "200"];

/** What the jobs of these tests read. */
export const TEXTS: readonly string[] = Array.from({ length: 6 }, (_, i) => text(i + 1, 8_000));
/** Its words, of four reduces. */
export const EXPECTED: readonly string[] = countWords(TEXTS, 4);

/** See the module. */
export class Fleet {
  readonly desk: Desk;
  readonly server: Script;
  readonly at: string;
  /** By name. */
  readonly miners: Map<string, Script> = new Map();
  /** The files of {@link TEXTS}. */
  readonly books: readonly string[];

  private constructor(desk: Desk, server: Script, at: string) {
    this.desk = desk;
    this.server = server;
    this.at = at;
    this.books = TEXTS.map((contents, i) => desk.file(`books/${i}.txt`, contents));
  }

  /** One without miners. */
  static async begin(): Promise<Fleet> {
    const { server, at } = await startServer(...SOON_LOST);
    return new Fleet(new Desk(), server, at);
  }

  async end(): Promise<void> {
    await killAll();
    this.desk.remove();
  }

  /** Starts a miner with its files in a directory of its own, where they can be looked at. */
  start(name: string, ...flags: string[]): Script {
    const before = process.env["TMPDIR"];
    process.env["TMPDIR"] = join(this.desk.file(`${name}/keep`, ""), "..");
    try {
      // Nothing is measured: that would take most of the time of these tests.
      const miner = startMiner(this.at, "--name", name, "--kernel", "plain", ...flags);
      this.miners.set(name, miner);
      return miner;
    } finally {
      if (before === undefined) delete process.env["TMPDIR"];
      else process.env["TMPDIR"] = before;
    }
  }

  /** Waits until the server knows of the miners of these names. */
  async joined(...names: string[]): Promise<void> {
    await Promise.all(
      names.map((name) => this.server.said(new RegExp(`\\(${name}\\) hashes with`))),
    );
  }

  /** Ends a miner, and waits until the server has noticed: at once, unless it is killed. */
  async lose(name: string, signal: NodeJS.Signals): Promise<void> {
    this.miners.get(name)!.kill(signal);
    this.miners.delete(name);
    await this.server.said(new RegExp(`\\(${name}\\) left`));
  }

  /** Files of jobs in the miners' directories. */
  files(pattern: RegExp): string[] {
    return [...this.miners.keys()].flatMap((name) => {
      const root = join(this.desk.path, name);
      const files = readdirSync(root, { recursive: true, encoding: "utf8" });
      return files.filter((file) => pattern.test(file)).map((file) => join(root, file));
    });
  }

  /** An application that counts words, and waits in `phase` for the file `gate` to be there. */
  gated(phase: "map" | "reduce", gate: string): string {
    const wait = `while (!existsSync(${JSON.stringify(gate)})) await Bun.sleep(20);`;
    return this.desk.file(
      `${phase}-${gate.replaceAll(/\W/g, "")}.ts`,
      `import { existsSync } from "node:fs";
       export async function map(_: string, contents: string): Promise<[string, string][]> {
         ${phase === "map" ? wait : ""}
         return [...contents.matchAll(/\\p{L}+/gu)].map(([word]) => [word, "1"]);
       }
       export async function reduce(_: string, values: Iterable<string>): Promise<string> {
         ${phase === "reduce" ? wait : ""}
         return String([...values].length);
       }`,
    );
  }
}
