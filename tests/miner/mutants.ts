/** Faults that the tests of miner/ must notice; `bun run mutants miner`. */
import type { Mutant } from "../../tools/mutants.ts";

const core = "miner/core.ts";
const link = "miner/link.ts";
const control = "miner/pool_control.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: core,
    line: "if (this.#link.keeps) this.#held.ended(chunk);",
    becomes: "",
    breaks: "a result that was told to a server that is gone is searched for again",
  },
  {
    file: link,
    line: "const waitMs = this.#ring.lost(leader);",
    becomes: "const waitMs = this.#ring.lost();",
    breaks: "a miner does not go where it is sent",
  },
  {
    file: link,
    line: "if (heldMs >= RETRY_MS_MAX) this.#backoff.reset();",
    becomes: "this.#backoff.reset();",
    breaks: "a server that goes at once is dialled without a pause",
  },
  {
    file: link,
    line: "if (this.isUp) this.#refusals.reset();",
    becomes: "",
    breaks: "one that was refused once waits longer and longer for ever",
  },
  {
    file: link,
    line: "return this.#wait(reason, this.#refusals.next(), nowMs);",
    becomes: "return this.#wait(reason, 0, nowMs);",
    breaks: "a miner that was let go is back at once",
  },
  {
    file: "miner/failures.ts",
    line: "if (!Number.isInteger(Math.log2(this.#count))) return undefined;",
    becomes: "",
    breaks: "a night without server fills the log",
  },
  {
    file: core,
    line: 'if (chunk.started && !chunk.stopping) this.#effects.push({ kind: "stop", id: chunk.id });',
    becomes: "",
    breaks: "the pool goes on for a server that is gone",
  },
  {
    file: core,
    line: 'if (assign.chunk <= this.#lastChunkNumber) return this.#reject("chunk number used before");',
    becomes: "",
    breaks: "a chunk that comes twice is searched twice",
  },
  {
    file: core,
    line: 'if (message.upper < chunk.lower) return this.#reject("shrink below the chunk");',
    becomes: "",
    breaks: "a chunk can be shrunk to less than nothing",
  },
  {
    file: core,
    line: 'if (head?.kind === "assign") this.#decline(head.number);',
    becomes: "",
    breaks: "an Assign that cannot be read is never answered",
  },
  {
    file: core,
    line: "chunk.stopping = true;",
    becomes: "",
    breaks: "progress of a stopped chunk is told",
  },
  {
    file: core,
    line: "if (!this.#roomFor(request.lower, request.upper)) return;",
    becomes: "",
    breaks: "a classic server can assign without end",
  },
  {
    file: core,
    line: "if (running++ >= limit) return;",
    becomes: "",
    breaks: "classic requests run side by side, and their Results get mixed up",
  },
  {
    file: core,
    line: "if (nowMs < this.#toldAtMs + PROGRESS_MS) return;",
    becomes: "",
    breaks: "a server is told of every block",
  },
  {
    file: core,
    line: "this.#untold.delete(event.id);",
    becomes: "",
    breaks: "progress is told of a chunk that is over",
  },
  {
    file: core,
    line: "else if (pool.threads !== threads) this.#tellKernel();",
    becomes: "",
    breaks: "the server does not learn that a thread is lost",
  },
  {
    file: core,
    line: 'if (!this.#joined || this.#link.wire === "json" || !this.#link.isUp) return;',
    becomes: "if (!this.#joined) return;",
    breaks: "a classic server gets a message that it cannot read",
  },
  {
    file: control,
    line: "if (from === undefined || slot[ORDER]! < from[ORDER]!) from = slot;",
    becomes: "if (from === undefined || slot[ORDER]! > from[ORDER]!) from = slot;",
    breaks: "the queued search runs before the one that was first",
  },
  {
    file: control,
    line: "else from[CURSOR] = mine[END]! + 1n;",
    becomes: "else from[CURSOR] = mine[END]!;",
    breaks: "the last nonce of a block is hashed twice",
  },
  {
    file: control,
    line: "if (mine[END] === from[LAST]) from[ALL_CLAIMED] = 1n;",
    becomes: "if (mine[END]! >= 2n ** 63n) from[ALL_CLAIMED] = 1n;",
    breaks: "a search never ends",
  },
  {
    file: control,
    line: "return count > left ? slot[LAST]! : slot[CURSOR]! + count - 1n;",
    becomes: "return count >= left ? slot[LAST]! - 1n : slot[CURSOR]! + count - 1n;",
    breaks: "the last nonce of a range is never searched",
  },
  {
    file: control,
    line: "if (slot[STATE] === OPEN) fold(slot, best);",
    becomes: "",
    breaks: "what a block found is forgotten",
  },
  {
    file: control,
    line: "orphan[AT_SLOT] = orphan[ORPHANED] = 0n;",
    becomes: "",
    breaks: "a dead worker's block is searched for ever",
  },
  {
    file: control,
    line: "for (const worker of this.#inWork(index)) if (worker[START]! < next) next = worker[START]!;",
    becomes: "",
    breaks: "what is still being searched counts as searched",
  },
];
