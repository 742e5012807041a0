/** Faults that the tests of kv/ must notice; `bun run tools/mutants.ts kv`. */
import type { Mutant } from "../../tools/mutants.ts";

const causes = "kv/client_causes.ts";
const client = "kv/client_core.ts";
const entry = "kv/client_entry.ts";
const keeper = "kv/keeper.ts";
const link = "kv/client_link.ts";
const linearize = "kv/linearize.ts";
const model = "kv/kv_model.ts";
const server = "kv/server_core.ts";
const items = "kv/items.ts";
const store = "kv/store.ts";
const watches = "kv/watches.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: causes,
    line: "return nowMs >= space.sinceMs + NO_SPACE_MS ? reason : undefined;",
    becomes: "return reason;",
    breaks: "a client gives up while another server is elected that has space",
  },
  {
    file: causes,
    line: "if (space === undefined || nowMs > space.lastMs + NO_SPACE_GAP_MS) {",
    becomes: "if (space === undefined) {",
    breaks: "a client counts a disk that was full an hour ago",
  },
  {
    file: causes,
    line: "if (!isEverywhere && this.#leaderRefusals < LEADER_REFUSALS_MAX) return undefined;",
    becomes: "",
    breaks: "a client gives up where one server of several is of another version",
  },
  {
    file: causes,
    line: "if (!this.#servers.includes(server)) this.#leaderRefusals++;",
    becomes: "",
    breaks: "a client asks for ever who leads when the leader is of another version",
  },
  {
    file: server,
    line: 'if (id !== undefined) return this.#deny(client, id, "malformed");',
    becomes: "",
    breaks: "a newer client is hung up on instead of told",
  },
  {
    file: client,
    line: "if (reason !== undefined) this.#giveUp(entry, reason);",
    becomes: "if (reason !== undefined) this.#finish(entry, reason);",
    breaks: "a request that no server did leaves a gap in its session, which waits for it for ever",
  },
  {
    file: "kv/lock_adapter.ts",
    line: "const isLate = late !== undefined && (late.aborted || LATE.includes(code));",
    becomes: "const isLate = late !== undefined && late.aborted;",
    breaks: "who waits for a lock in vain is not told which, by chance",
  },
  {
    file: link,
    line: "this.#failedMs.set(this.#server, nowMs);",
    becomes: "",
    breaks: "a client tries the server that is gone before others, and believes that it leads",
  },
  {
    file: "kv/lock_adapter.ts",
    line: 'if (lease !== undefined && code === "NO_LEASE") continue;',
    becomes: "",
    breaks: "one who waits for a lock gives up when its lease ends",
  },
  {
    file: "kv/change_log.ts",
    line: 'const { key, value, version } = itemAt(page.bytes, place + 1, "kept");',
    becomes: 'const { key, value, version } = itemAt(page.bytes, place + 1, "seen");',
    breaks: "what a watch was given changes under it",
  },
  {
    file: "kv/change_log.ts",
    line: "page.bytes[page.used] = (value === undefined ? GONE : 0) | (isLeased ? LEASED : 0);",
    becomes: "page.bytes[page.used] = value === undefined ? GONE : 0;",
    breaks: "a copy keeps keys that went with a lease",
  },
  {
    file: "kv/copy_verbs_adapter.ts",
    line: "const why = whyNoKey(entry.keyBytes.length) ?? whyNoValue(entry.value.length);",
    becomes: "const why = undefined as string | undefined;",
    breaks: "an import puts the first part of a file that is wrong further down",
  },
  {
    file: linearize,
    line: "if (one.from === from && this.#isSet(one) && this.#model.equal(one.state, state)) {",
    becomes: "if (one.from === from && this.#isSet(one)) {",
    breaks: "the checker gives up a set of operations after one of the states that they lead to",
  },
  {
    file: linearize,
    line: "entries.sort((a, b) => a.atMs - b.atMs || a.entry - b.entry);",
    becomes: "entries.sort((a, b) => a.atMs - b.atMs || b.entry - a.entry);",
    breaks: "operations that touch do not overlap",
  },
  {
    file: model,
    line: 'if (op.kind === "delete") return { value: null, version: cell.version };',
    becomes: 'if (op.kind === "delete") return { value: null, version: 0 };',
    breaks: "the model forgets the version of what is deleted",
  },
  {
    file: items,
    line: "block.places = block.places.slice();",
    becomes: "",
    breaks: "what changes while a snapshot is made gets into it",
  },
  {
    file: items,
    line: "const isFrozen = block.bytesFreeze < this.#freezes;",
    becomes: "const isFrozen = false;",
    breaks: "records move together under a snapshot that is being made",
  },
  {
    file: items,
    line: "} else if (bytes.length > 4 * roomFor(block.live)) this.#makeRoom(block, 0);",
    becomes: "}",
    breaks: "the room of what is deleted stays taken",
  },
  {
    file: items,
    line: "if (isInOrder) this.#trim(block);",
    becomes: "",
    breaks: "blocks that are left full keep room for more",
  },
  {
    file: "kv/change_log.ts",
    line: "while (this.#count > HISTORY_CHANGES_MAX || this.#weight > HISTORY_BYTES_MAX) this.#forget();",
    becomes: "",
    breaks: "a node remembers changes without end",
  },
  {
    file: "kv/change_log.ts",
    line: "this.#floor = from + count - 1;",
    becomes: "this.#floor = from;",
    breaks: "a watch skips changes that are forgotten instead of hearing so",
  },
  {
    file: store,
    line: "this.#tombstones.set(key, { version: last, revision });",
    becomes: "",
    breaks: "a key that is made again begins anew",
  },
  {
    file: store,
    line: "for (const key of [...lease.keys].sort()) {",
    becomes: "for (const key of lease.keys) {",
    breaks: "nodes end a lease's keys in different orders, once one has restored a snapshot",
  },
  {
    file: store,
    line: "this.changes.restart(this.#revision);",
    becomes: "",
    breaks: "a watch skips what came by a snapshot",
  },
  {
    file: store,
    line: "if (!isAt(item, change.at)) return this.#refused(item);",
    becomes: "",
    breaks: "a put at a version is done at any",
  },
  {
    file: store,
    line: "if (!changes.every(({ at }, i) => isAt(items[i], at))) {",
    becomes: "if (!changes.some(({ at }, i) => isAt(items[i], at))) {",
    breaks: "a compareAndSet is done when one of its keys has the version asked for",
  },
  {
    file: store,
    line: "this.changes.push({ revision, key, value, version }, lease !== 0);",
    becomes: "",
    breaks: "watches are not told of what is changed",
  },
  {
    file: keeper,
    line: "this.#leases.set(lease, nowMs + ttlMs);",
    becomes: "",
    breaks: "leases of before live for ever under a new leader",
  },
  {
    file: keeper,
    line: "if (atMs === Infinity) this.#leases.set(lease, nowMs);",
    becomes: "",
    breaks: "a lease whose end was not replicated lives for ever",
  },
  {
    file: server,
    line: "if (isLeader === this.#isLeader) return;",
    becomes: "this.#isLeader = isLeader; return;",
    breaks: "a new leader looks after no leases",
  },
  {
    file: watches,
    line: "if (watch === undefined || watch.ahead === 0) return;",
    becomes: "return;",
    breaks: "a watch stalls behind 16 messages",
  },
  {
    file: client,
    line: 'if (why === "unsure") entry.isDoubtful = true;',
    becomes: "",
    breaks: "what may have been done is said not to have been",
  },
  {
    file: "kv/client_idle.ts",
    line: "this.writes.sort((a, b) => a.id - b.id);",
    becomes: "",
    breaks: "what is sent again is sent out of order",
  },
  {
    file: "kv/boundaries.ts",
    line: "const isBehind = difference === 0 ? this.#froms[middle]! <= key : difference > 0;",
    becomes: "const isBehind = difference >= 0;",
    breaks: "keys that begin alike are looked for in the wrong block",
  },
  {
    file: "kv/client_session.ts",
    line: "while (isOpen[this.#first] === false) this.#first++;",
    becomes: "",
    breaks: "servers keep the answers that a client has",
  },
  {
    file: "kv/client_run.ts",
    line: "const follows = last.session === session && last.number + 1 === number;",
    becomes: "const follows = true;",
    breaks: "a run has a gap, and its requests get numbers of others",
  },
  {
    file: "raft/sessions.ts",
    line: "for (let at = 0, number = first; at < places.length; at += 2, number++) {",
    becomes: "for (let at = 0, number = first; at < places.length; at += 2) {",
    breaks: "of a run only the first request is carried out",
  },
  {
    file: "kv/run_answers.ts",
    line: "tellSome(id + i);",
    becomes: "",
    breaks: "answers before a refusal go to other requests",
  },
  {
    file: "kv/commands.ts",
    line: 'const RUN_KINDS: readonly Command["kind"][] = ["put", "delete", "append", "multi"];',
    becomes:
      'const RUN_KINDS: readonly Command["kind"][] = ["put", "delete", "append", "multi", "lease"];',
    breaks: "leases of one entry of the log get the same name",
  },
  {
    file: entry,
    line: 'return call.kind !== "write" || (!isDoubtful && messageId === 0);',
    becomes: 'return call.kind !== "write" || !isDoubtful;',
    breaks: "a write that is under way is said not to have been done",
  },
];
