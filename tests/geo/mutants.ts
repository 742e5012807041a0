/** Faults that the tests of geo/ must notice; `bun run tools/mutants.ts geo`. */
import type { Mutant } from "../../tools/mutants.ts";

/** File in geo/, the line, what it becomes, what breaks; why it is known to survive. */
type Row = readonly [string, string, string, string, string?];

const ROWS: readonly Row[] = [
  [
    "stamp.ts",
    "return a.wallMs - b.wallMs || a.counter - b.counter || a.actor - b.actor;",
    "return a.wallMs - b.wallMs || a.counter - b.counter;",
    "of two puts with the same date and counter each server keeps its own",
  ],
  [
    "stamp.ts",
    "} else if (this.#counter < COUNTER_MAX) this.#counter++;",
    "} else if (this.#counter < COUNTER_MAX) this.#counter += 0;",
    "two puts of an actor in one millisecond have the same stamp",
  ],
  [
    "stamp.ts",
    "if (wallMs < this.#wallMs) return;",
    "",
    "a clock that sees an old put goes back to its date",
  ],
  [
    "entry.ts",
    "return { ...a, plus: Math.max(a.plus, b.plus), minus: Math.max(a.minus, b.minus) };",
    "return { ...a, plus: Math.max(a.plus, b.plus) };",
    "merging cells forgets what was taken from a counter",
  ],
  [
    "entry_hash.ts",
    ": [2, entry.wallMs, entry.counter, entry.actor];",
    ": [2, entry.wallMs, entry.counter];",
    "replicas with puts of two actors look the same",
  ],
  [
    "hash_tree.ts",
    "for (const hash of this.#hashesOf(leaf)) this.#change(leaf, hash, 1);",
    "",
    "a tree that grows forgets the hashes that it had",
  ],
  [
    "hash_tree.ts",
    "bucket[at] = bucket.at(-1)!;",
    "",
    "the wrong key leaves the tree when one is forgotten",
  ],
  [
    "replica.ts",
    "if (this.isCurrent(top)) this.#drop(this.#items.get(top.key)!, top);",
    "if (this.#items.get(top.key)?.register) this.#drop(this.#items.get(top.key)!, top);",
    "a deletion that was replaced takes the new value with it when it is forgotten",
  ],
  [
    "replica.ts",
    "return register.wallMs + this.#rules.tombstoneMs < wallMs;",
    "return false;",
    "deletions are remembered for ever",
  ],
  [
    "replica.ts",
    'if (old === undefined && known !== undefined && known.cells.size >= CELLS_MAX) return "refused";',
    "",
    "a counter takes any number of cells",
  ],
  [
    "compare.ts",
    "else if (count === 0) found.missing.push(node);",
    "else if (count === 0) return;",
    "what is missing as a whole is never asked for",
  ],
  [
    "compare.ts",
    "if (!unknown.delete(shortOf(hash))) push.push(entry);",
    "unknown.delete(shortOf(hash));",
    "what the other side lacks in a bucket is not sent to it",
  ],
  [
    "link.ts",
    "if (nowMs < this.#sentMs + this.#paceMs) return false;",
    "",
    "more than ten messages a second go to a neighbour",
  ],
  [
    "link.ts",
    "for (const entry of entries) this.dirty.add(entry);",
    "",
    "a batch that was lost is not sent again",
  ],
  [
    "link.ts",
    "if (this.isAway(nowMs) && this.isInitiator) this.digestAtMs = nowMs;",
    "",
    "a neighbour that is back is looked at later than it could be",
  ],
  [
    "sync.ts",
    "if (link === from || (from?.isLocal === false && !link.isLocal && !isOwn)) continue;",
    "if (link === from) continue;",
    "each put goes to a server over all others, too",
  ],
  [
    "sync.ts",
    "if (envelope.toLife === life) for (const seq of envelope.acks) link.acked(seq, nowMs);",
    "for (const seq of envelope.acks) link.acked(seq, nowMs);",
    "a new life takes acknowledgements of what its old one had sent",
  ],
  [
    "sync.ts",
    "if (!isLocal) this.#push(link, this.#options.replica.registersOf(OWN_PREFIX));",
    "",
    "a server that joins hears of the others only by comparing states",
  ],
  [
    "sync.ts",
    "if (link.isAway(nowMs) && this.#isForgotten(link)) this.forget(link.server);",
    "if (false) this.forget(link.server);",
    "a late message of a forgotten server has it called for ever",
  ],
  [
    "sync.ts",
    "const isFresh = (link.isFresh || digest.isFresh) && link.hasRoom;",
    "const isFresh = false;",
    "a server that joins waits as long as one whose state rarely differs",
  ],
  [
    "core.ts",
    'if (entry.kind === "register" && !this.#isDateGood(entry, from)) return false;',
    "",
    "a put of the far future is merged",
  ],
  [
    "core.ts",
    "if (isWrite && this.#options.isDurable) this.#out.hold(this.#ticket, reply);",
    "if (false) this.#out.hold(this.#ticket, reply);",
    "a write is acknowledged before it is on the disk",
  ],
  [
    "core.ts",
    'const from = after === "" ? prefix : `${after}\\0`;',
    'const from = after === "" ? prefix : after;',
    "a page of a list begins with the last item of the page before",
  ],
  [
    "core.ts",
    'if (this.#out.held >= WAITING_MAX) return "too many";',
    "",
    "any number of writes wait for a disk that is slow",
  ],
  [
    "core.ts",
    "if (from !== undefined && index === 0 && (isOld || isOwnTombstone(entry, address))) {",
    "if (from !== undefined && index === 0 && isOld) {",
    "a server that was forgotten and lives is not known again",
  ],
  [
    "core.ts",
    'if (isThere) return refused("still there");',
    "",
    "a server that answers can be forgotten",
  ],
  [
    "keeper.ts",
    'this.#out.hold(token, { kind: "kept", actor, ticket });',
    'this.#out.push({ kind: "kept", actor, ticket });',
    "an entry counts as kept before the disk has it",
  ],
  [
    "keeper.ts",
    "this.#next = Math.max(records.next, (snapshot?.index ?? 0) + 1);",
    "this.#next = records.next;",
    "a log that begins anew behind a snapshot begins at a number that is taken",
    "a snapshot keeps the log, which so always ends behind it",
  ],
  [
    "client_core.ts",
    'const mayGoOn = this.#options.retries && !(isUnknown && operation.kind === "add");',
    "const mayGoOn = this.#options.retries;",
    "an add that may have been done is done again",
  ],
  [
    "client_core.ts",
    "if (nowMs >= this.#checkAtMs) this.#expire();",
    "",
    "an operation is waited for, for ever",
  ],
  [
    "client_core.ts",
    'call.actor = call.operation.kind === "forget" ? 0 : (target.actor ?? ANY_ACTOR);',
    "call.actor = target.actor ?? ANY_ACTOR;",
    "an actor that knows no other server is told to forget one",
  ],
  [
    "watches.ts",
    "if (own.has(id) || own.size >= CLIENT_WATCHES_MAX || this.#size >= WATCHES_MAX) return false;",
    "if (own.has(id)) return false;",
    "a client watches as much as it likes",
  ],
];

export const MUTANTS: readonly Mutant[] = ROWS.map(([file, line, becomes, breaks, survives]) => ({
  file: `geo/${file}`,
  line,
  becomes,
  breaks,
  ...(survives !== undefined && { survives }),
}));
