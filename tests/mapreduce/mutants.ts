/** Faults that the tests of mapreduce/ must notice; `bun run tools/mutants.ts mapreduce`. */
import type { Mutant } from "../../tools/mutants.ts";

const plan = "mapreduce/plan.ts";
const routes = "mapreduce/routes.ts";
const peers = "mapreduce/peers.ts";
const share = "mapreduce/share_adapter.ts";
const inputs = "mapreduce/worker_inputs.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: "mapreduce/word_kernel.ts",
    line: '.with("i64Add", each(0x80 - 0x7b))',
    becomes: '.with("i64Add", each(0x80 - 0x7c))',
    breaks: "a brace and a bracket are taken for letters",
  },
  {
    file: "mapreduce/word_kernel.ts",
    line: 'body.get(USED).get(LIMIT).op("i32GeU").if().get(AT).op("return").op("end");',
    becomes: "",
    breaks: "a full table of runs goes on beyond its memory",
  },
  {
    file: "mapreduce/piece_frame.ts",
    line: "if (found > 1 || (found === 0 && length > PIECE_HEAD_BYTES)) return undefined;",
    becomes: "",
    breaks: "a frame that makes no sense is taken for a piece",
  },
  {
    file: "mapreduce/words.ts",
    line: "const sure = isLast ? end : behindSeparator(text, end);",
    becomes: "const sure = end;",
    breaks: "a word that two pieces share counts as two",
  },
  {
    file: "mapreduce/returns.ts",
    line: "if (row.isDone && claim !== undefined && digestOfParts(claim) === row.hash) {",
    becomes: "if (row.isDone && claim !== undefined) {",
    breaks: "a worker that comes back is taken for the holder of another result than its own",
  },
  {
    file: plan,
    line: "for (const task of this.#awaited) {",
    becomes: "for (const task of [] as PlannedTask[]) {",
    breaks: "a job waits for ever for a worker that does not come back",
    harness: "mapreduce",
  },
  {
    file: "mapreduce/books.ts",
    line: "this.#dirty.set(job, tasks.add(planned));",
    becomes: "this.#dirty.set(job, tasks);",
    breaks: "no result outlives the server",
  },
  {
    file: "mapreduce/worker_core.ts",
    line: 'if (task.state === "running") this.#orphans.add(task);',
    becomes: "if (task.hasAll) this.#close(task);",
    breaks: "what runs is given up when the server is gone",
  },
  {
    file: "server/rows.ts",
    line: 'else if (row === "") this.#groups.set(group, new Map([[row, bytes]]));',
    becomes: "else this.#groups.set(group, new Map([[row, bytes]]));",
    breaks: "what comes late for a job that is over brings back a part of it",
  },
  {
    file: "server/table_snapshot.ts",
    line: "for (const row of rows) table.rows.change(row);",
    becomes: "",
    breaks: "a snapshot of the table loses the map-reduce jobs",
  },
  {
    file: plan,
    line: "return this.areMapsDone ? this.#pending.reduce : NONE;",
    becomes: "return this.#pending.reduce;",
    breaks: "a reduce begins before its maps are done",
    harness: "mapreduce",
  },
  {
    file: plan,
    line: "if (task.holder === worker) this.forget(task);",
    becomes: "",
    breaks: "what a lost worker held is never made again",
  },
  {
    file: plan,
    line: "if (task.isFinal || task.claim === undefined) return false;",
    becomes: "if (task.claim === undefined) return false;",
    breaks: "an output that is fetched twice counts for two",
  },
  {
    file: plan,
    line: "if (task.throws >= THROWS_MAX) this.#fail(task, text);",
    becomes: "if (task.throws > THROWS_MAX) this.#fail(task, text);",
    breaks: "a task that throws is tried once more than is said",
  },
  {
    file: "mapreduce/limits.ts",
    line: "export const DEATHS_MAX = 12;",
    becomes: "export const DEATHS_MAX = 13;",
    breaks: "a task whose process always ends is tried more often than is said",
  },
  {
    file: "mapreduce/fleet_job.ts",
    line: "return this.startedMs === undefined ? Infinity : this.startedMs + BACKUP_MS;",
    becomes: "return this.startedMs === undefined ? Infinity : this.startedMs;",
    breaks: "a copy of a task is handed out before it has run 10 s",
    harness: "mapreduce",
  },
  {
    file: "mapreduce/merge.ts",
    line: "return order < 0 || (order === 0 && a.number < b.number);",
    becomes: "return order < 0 || (order === 0 && a.number > b.number);",
    breaks: "values of a key do not come in the order of the input",
  },
  {
    file: "mapreduce/partition.ts",
    line: "return (hash & 0x7fffffff) % reducers;",
    becomes: "return (hash >>> 0) % reducers;",
    breaks: "keys go to other partitions than the specification says",
  },
  {
    file: "mapreduce/output.ts",
    line: "if (byte === NEWLINE || byte === BACKSLASH) {",
    becomes: "if (byte === NEWLINE) {",
    breaks: "a backslash in an output cannot be told from an escape",
  },
  {
    file: inputs,
    line: "onDone: () => this.#port.verify(part, hash, (good) => (good ? done(part) : failed())),",
    becomes: "onDone: () => done(part),",
    breaks: "what arrives damaged is used",
    harness: "mapreduce",
  },
  {
    file: routes,
    line: "if (untilMs !== undefined && this.#nowMs < untilMs) return undefined;",
    becomes: "",
    breaks: "a peer that cannot be reached is dialled for every piece of data",
  },
  {
    file: routes,
    line: "if (this.#peers.size >= DIALLED_MAX) return undefined;",
    becomes: "",
    breaks: "messages can make a worker connect to any number of peers",
  },
  {
    file: routes,
    line: "this.#unreachable.set(peer.at, this.#nowMs + UNREACHABLE_MS);",
    becomes: "this.#unreachable.set(peer.at, this.#nowMs + UNREACHABLE_MS); return;",
    breaks: "what a lost peer was to give never comes",
    harness: "mapreduce",
  },
  {
    file: peers,
    line: "if (under >= VISITOR_PIECES_MAX || (under === 0 && this.#visitors.size >= VISITORS_MAX)) {",
    becomes: "if (under === 0 && this.#visitors.size >= VISITORS_MAX) {",
    breaks: "a stranger has any number of pieces read at a time",
  },
  {
    file: "mapreduce/kept.ts",
    line: "return hash === name ? this.find(uid, item) : undefined;",
    becomes: "return this.find(uid, item);",
    breaks: "a stranger gets data without knowing its SHA-256",
  },
  {
    file: "mapreduce/addresses.ts",
    line: 'if (isLoopbackIp(bare(host)) !== isLoopbackIp(bare(other))) return "";',
    becomes: "",
    breaks: "workers of other machines are sent to their own loopback",
  },
  {
    file: share,
    line: "return isInside(relative(this.#directory, real)) ? real : undefined;",
    becomes: "return real;",
    breaks: "a link leads out of a shared directory",
  },
  {
    file: share,
    line: 'return path !== "" && !isAbsolute(path) && !path.includes("\\0") && !parts.includes("..");',
    becomes: "return true;",
    breaks: "a path from the wire leads anywhere",
  },
  {
    file: "mapreduce/scratch_adapter.ts",
    line: "const unlock = lockDirectory(directory, LOCK);",
    becomes: "const unlock = (): void => {};",
    breaks: "the files of a worker that lives are taken for left behind",
  },
  {
    file: "mapreduce/relay.ts",
    line: "if (request === undefined || request.holder !== from) return false;",
    becomes: "if (request === undefined) return false;",
    breaks: "anybody can answer for the holder of data",
  },
  {
    file: "mapreduce/attaching.ts",
    line: 'if (key !== "") job.supplier = connId;',
    becomes: "job.supplier = connId;",
    breaks: "one who knows only the id is asked for the input",
  },
  {
    file: "mapreduce/coordinator.ts",
    line: "if (!job.origin.terms.keep) job.plan.finalize(planned);",
    becomes: "job.plan.finalize(planned);",
    breaks: "outputs that are kept are gone when somebody has them",
  },
  {
    file: "mapreduce/home.ts",
    line: "else this.wakeAtMs = nowMs + waitMs;",
    becomes: "",
    breaks: "a client that lost its server never comes back",
  },
  {
    file: "mapreduce/home.ts",
    line: "this.#ring.learn(servers);",
    becomes: "",
    breaks: "a client that knows one of several servers hears of no other",
  },
  {
    file: "mapreduce/home.ts",
    line: "if (this.wakeAtMs !== undefined) return undefined;",
    becomes: "",
    breaks: "a client that was told to go elsewhere goes twice",
  },
  {
    file: "mapreduce/fleet_job.ts",
    line: "return this.supplier !== 0 || this.plan.areMapsDone;",
    becomes: "return true;",
    breaks: "maps are handed out whose input nobody has",
  },
  {
    file: "mapreduce/parts_adapter.ts",
    line: "return noted.parts.every(isWhole) ? noted : undefined;",
    becomes: "return noted;",
    breaks: "what a lost worker left in a shared directory is used although it is damaged",
  },
  {
    file: "mapreduce/pace.ts",
    line: "return bounded(bytes === 0 ? this.#all.typicalSpeed() / ASSUMED_RATE : units / bytes);",
    becomes: "return 1;",
    breaks: "a job that is longer by time is taken for the shorter one",
  },
  {
    file: "work/fleet.ts",
    line: "worker.heard(units, nowMs, task.isWhole);",
    becomes: "worker.heard(units, nowMs);",
    breaks: "what a worker maps is taken for what it hashes",
  },
  {
    file: "work/scheduler.ts",
    line: "this.#quantum = Math.max(taskSeconds, largest, this.#quantum - earned);",
    becomes: "",
    breaks: "beside long maps searches get less than their share",
  },
];
