/**
 * `server.ts import`: makes a server's directory from a file that `server.ts export` has written.
 *
 * @module
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { oneLine, readablePlural } from "../base/text.ts";
import { openReplica, type Replica } from "../raft/mod.ts";
import { syncNames } from "../run/disk_volume.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import type { Verb } from "../run/verbs.ts";
import { decodeBackup } from "../work/backup.ts";
import { GROUP } from "./log_adapter.ts";
import { encodeCommand } from "./operations.ts";
import { TableMachine } from "./table_machine.ts";

/** The directory is made in here, and moved up when it is whole and read again. */
const WORKSHOP = "importing";
/** What makes a directory a disk: it comes last. */
const OWNER_FILE = "owner";
/** What a file system has at its top by itself. */
const NOT_OURS: readonly string[] = ["lost+found"];

/** A command that changes nothing. */
const NOTHING = encodeCommand({ timeMs: 0, operations: [] });

/** The verb. */
export const IMPORT_VERB: Verb = {
  usage: {
    name: "server",
    takes: "import FILE",
    count: [1, 1],
    about: `Makes DIR, which must be empty or not there, from FILE (- for stdin), which export has
written. A server that is started with --data DIR goes on with the jobs, and has the answers.`,
    flags: {
      data: { value: "DIR", help: "the directory to make" },
      json: { help: "write JSON, a line each" },
    },
  },
  run: async (line) => {
    const file = line.positionals[0]!;
    const directory = line.flag("data") ?? "";
    if (directory === "") throw new UsageError("got no --data DIR, expected the directory to make");
    const machine = new TableMachine();
    try {
      machine.restore(decodeBackup(file === "-" ? await Bun.stdin.bytes() : fs.readFileSync(file)));
    } catch (error) {
      throw new UsageError(`cannot import ${oneLine(file)}: ${oneLine((error as Error).message)}`);
    }
    await importInto(directory, machine);
    const { size: jobs, answers } = machine.table;
    const text = `${readablePlural(jobs, "job")} and ${readablePlural(answers, "answer")}`;
    if (line.has("json")) await printResult(`${JSON.stringify({ jobs, answers })}\n`);
    else process.stderr.write(`${text} are in ${directory} now\n`);
    return 0;
  },
};

/** Makes the directory. Rejects with a {@link Failure}; what is there then is no server's. */
async function importInto(directory: string, machine: TableMachine): Promise<void> {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const other = fs.readdirSync(directory).find((name) => !NOT_OURS.includes(name));
    if (other !== undefined) throw new Failure(`it holds ${other}; name an empty directory`);
    const workshop = join(directory, WORKSHOP);
    try {
      await keep(workshop, machine);
      await check(workshop, machine);
    } catch (error) {
      fs.rmSync(workshop, { recursive: true, force: true });
      throw error;
    }
    const names = fs.readdirSync(workshop).filter((name) => name !== OWNER_FILE);
    for (const name of [...names, OWNER_FILE]) {
      // Until then the directory is refused: a server does not begin with half of it.
      if (name === OWNER_FILE) syncNames(directory);
      fs.renameSync(join(workshop, name), join(directory, name));
    }
    fs.rmdirSync(workshop);
    syncNames(directory);
  } catch (error) {
    const text = oneLine((error as Error).message);
    throw new Failure(`cannot import into ${directory}: ${text}`, { cause: error });
  }
}

/** A node alone, whose state is the machine's, and a snapshot of it. */
async function keep(directory: string, machine: TableMachine): Promise<void> {
  const replica = await openAlone(directory, machine);
  try {
    await replica.read();
    replica.snapshot();
    // Each goes to the disk behind what went there before, and changes nothing.
    while (replica.status().snapshotIndex === 0) await replica.submit(NOTHING);
    await replica.submit(NOTHING);
  } finally {
    await replica.close();
  }
}

/** What was written is what a server will find. */
async function check(directory: string, machine: TableMachine): Promise<void> {
  const found = new TableMachine();
  const replica = await openAlone(directory, found);
  try {
    await replica.read();
    const isSame = Buffer.compare(found.snapshot(), machine.snapshot()) === 0;
    if (!isSame) throw new Failure("what was written is not what is read: is the disk in order?");
  } finally {
    await replica.close();
  }
}

/** Opens a node of a cluster of one, and waits until it leads. */
async function openAlone(directory: string, machine: TableMachine): Promise<Replica> {
  const led = Promise.withResolvers<void>();
  const onRole = (role: string): void => void (role === "leader" && led.resolve());
  const replica = await openReplica({ group: GROUP, machine, directory, sessionIdleMs: 0, onRole });
  replica.closed.catch((error: unknown) => led.reject(error as Error));
  if (replica.status().role === "leader") led.resolve();
  await led.promise;
  return replica;
}
