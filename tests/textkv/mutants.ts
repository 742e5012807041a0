/** Faults that the tests of textkv/ must notice; `bun run tools/mutants.ts textkv`. */
import type { Mutant } from "../../tools/mutants.ts";

const core = "textkv/core.ts";
const list = "textkv/list.ts";
const lists = "textkv/lists.ts";
const input = "textkv/line_input.ts";
const queue = "textkv/answer_queue.ts";
const request = "textkv/request.ts";
const adapter = "textkv/adapter.ts";
const journal = "textkv/journal.ts";
const keeper = "textkv/keeper.ts";
const snapshot = "textkv/snapshot.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: core,
    line: "if (answers.lines + lines > queueLinesMax || answers.bytes + bytes > queueBytesMax)",
    becomes:
      "if (answers.lines + lines > queueLinesMax + 1 || answers.bytes + bytes > queueBytesMax)",
    breaks: "501 lines wait for a reader",
  },
  {
    file: core,
    line: "return this.#held + bytes <= heldBytesMax || held + bytes <= this.#share;",
    becomes: "return true;",
    breaks: "all readers together may make the server keep any amount",
  },
  {
    file: core,
    line: "client.isBlocked = bytes < client.offered;",
    becomes: "client.isBlocked = true;",
    breaks: "a socket that took everything is not written to before it says that it can be",
  },
  {
    file: core,
    line: "if (bytes > 0) client.tookAtMs = this.#nowMs;",
    becomes: "",
    breaks: "a reader that reads loses what it was slow for in sum",
  },
  {
    file: core,
    line: "const isPatient = !client.isBlocked || this.#nowMs < client.tookAtMs + patienceMs;",
    becomes: "const isPatient = true;",
    breaks: "a reader that never reads makes its own requests wait for ever",
  },
  {
    file: core,
    line: "this.#tally.droppedLines += view.left;",
    becomes: "this.#tally.droppedLines++;",
    breaks: "of many dropped lines one is counted",
  },
  {
    file: core,
    line: "const patience = length > 1 ? patienceMs : linePatienceMs;",
    becomes: "const patience = linePatienceMs;",
    breaks: "a reader of a long list that is away for a moment loses its rest",
  },
  {
    file: core,
    line: "this.#lists.release(view);",
    becomes: "",
    breaks: "what a view kept is kept for ever",
  },
  {
    file: core,
    line: "if (client.rest !== undefined) this.#lists.release(client.rest.view);",
    becomes: "",
    breaks: "what was kept for a client that went is kept for ever",
  },
  {
    file: core,
    line: "this.#held -= client.held;",
    becomes: "",
    breaks: "what was held for those who went counts against those who come",
  },
  {
    file: core,
    line: "if (client.useless < this.#limits.uselessMax) return;",
    becomes: "if (client.useless >= 0) return;",
    breaks: "garbage is handled as fast as it comes",
  },
  {
    file: "textkv/rests.ts",
    line: "this.#untilMs = Math.max(this.#untilMs + this.#gapMs, nowMs);",
    becomes: "this.#untilMs = nowMs;",
    breaks: "a crowd of clients that send garbage takes the whole server",
  },
  {
    file: core,
    line: "if (client.restUntilMs > this.#nowMs) return false;",
    becomes: "",
    breaks: "one that leaves half a line may come again at once",
  },
  {
    file: core,
    line: "if (client.work >= sliceWork && (client.rest !== undefined || input.length > 0)) {",
    becomes: "if (client.work >= Infinity) {",
    breaks: "one who sends much is served before all others",
  },
  {
    file: core,
    line: "while (view.left > 0 && client.work < this.#limits.sliceWork) {",
    becomes: "while (view.left > 0) {",
    breaks: "a long list is fed in one go while all others wait",
  },
  {
    file: core,
    line: "const isAhead = !input.isUnfinished && input.length > this.#limits.aheadBytesMax;",
    becomes: "const isAhead = false;",
    breaks: "a client that waits is read on without end",
  },
  {
    file: core,
    line: "if (!client.hasEnded || client.rest !== undefined || client.input.length > 0) return false;",
    becomes: "if (!client.hasEnded) return false;",
    breaks: "a client that sends no more is let go before it has its answers",
  },
  {
    file: core,
    line: "if (input.length > Math.min(share, lineBytesMax + 1)) return this.#doom(client);",
    becomes: "if (input.length > share) return this.#doom(client);",
    breaks: "a line without end is kept as long as there is memory",
  },
  {
    file: core,
    line: 'this.#ignore(client, "unfinished", this.#limits.uselessMax);',
    becomes: "",
    breaks: "the beginning of a line is ignored and not counted",
  },
  {
    file: core,
    line: "if (this.#clients.size < this.#limits.clientsMax) {",
    becomes: "if (this.#clients.size <= this.#limits.clientsMax) {",
    breaks: "one connection more than the limit is served",
  },
  {
    file: list,
    line: "this.#removed.set(place, ++this.#changes);",
    becomes: "this.#removed.set(place, this.#changes);",
    breaks: "a view does not see what was taken out after it was made",
  },
  {
    file: list,
    line: "if (this.#views === 0 && this.#removed.size === 0 && this.#places === undefined) {",
    becomes: "if (this.#removed.size === 0 && this.#places === undefined) {",
    breaks: "places move under a view",
  },
  {
    file: list,
    line: "if (this.#places !== undefined) addPlace(this.#places, value, this.#values.length);",
    becomes: "",
    breaks: "a long list does not find what was appended after it was indexed",
  },
  {
    file: list,
    line: "const place = known.all[known.next++]!;",
    becomes: "const place = known.all.pop()!;",
    breaks: "of equal values in a long list the last one is taken out",
  },
  {
    file: lists,
    line: "if (list.isViewed) this.#buried.add(list);",
    becomes: "if (list.isViewed) this.#bytes -= 0;",
    breaks: "a deleted list that was viewed counts for ever",
  },
  {
    file: lists,
    line: "if (this.#bytes + cost > this.bytesMax) return false;",
    becomes: "",
    breaks: "values are taken until there is no memory",
  },
  {
    file: input,
    line: "this.bytes = Buffer.from(rest);",
    becomes: "this.bytes = rest;",
    breaks: "the beginning of a line is overwritten by the one that lent it",
  },
  {
    file: input,
    line: "if (this.length === 0) return this.clear();",
    becomes: "if (this.length === 0) return;",
    breaks: "buffers of lines that were handled are kept",
  },
  {
    file: queue,
    line: "return at > 0 ? at : into.latin1Write(`${key}:${value}\\n`.slice(skip), 0);",
    becomes: "return at;",
    breaks: "a line longer than one write is never written",
  },
  {
    file: queue,
    line: "let rest = bytes + this.#sent;",
    becomes: "let rest = bytes;",
    breaks: "a line of which a part was sent is sent anew",
  },
  {
    file: request,
    line: "if (end > from && bytes[end - 1] === CARRIAGE_RETURN) end--;",
    becomes: "",
    breaks: "a carriage return becomes part of the value",
  },
  {
    file: request,
    line: 'if (colon >= 0) return "malformed";',
    becomes: "",
    breaks: "Get takes a key with a colon in it",
  },
  {
    file: request,
    line: 'if (end - from > bytesMax) return "long";',
    becomes: "",
    breaks: "a line that came whole may have any length",
  },
  {
    file: adapter,
    line: 'end: ({ data: { id: client } }) => this.#tell({ kind: "ended", client }),',
    becomes: "end() {},",
    breaks: "a client that sends no more stays for ever",
  },
  {
    file: adapter,
    line: 'if (this.#sockets.delete(client)) this.#tell({ kind: "gone", client });',
    becomes: "this.#sockets.delete(client);",
    breaks: "who went is not counted",
  },
  {
    file: adapter,
    line: 'for (const client of this.#sockets.keys()) this.#drive.tell({ kind: "gone", client });',
    becomes: "",
    breaks: "after close clients still count as active",
  },
  {
    file: core,
    line: "client.needs = Math.max(client.needs, this.#keeper.indexOf(list));",
    becomes: "",
    breaks: "a Get shows what a crash takes back",
  },
  {
    file: keeper,
    line: "return list?.changedAt ?? this.lists.deletedAt;",
    becomes: "return list?.changedAt ?? 0;",
    breaks: "a deletion shows before it is durable",
  },
  {
    file: keeper,
    line: "this.lists.bytesMax = Infinity;",
    becomes: "",
    breaks: "a smaller limit loses what was kept under a larger one",
  },
  {
    file: keeper,
    line: 'if (this.isBehind) return "behind";',
    becomes: "",
    breaks: "a slow disk makes the server keep any amount of changes",
  },
  {
    file: keeper,
    line: "if (!this.lists.delete(key, index)) return undefined;",
    becomes: "this.lists.delete(key, index);",
    breaks: "what changes nothing grows the log",
  },
  {
    file: core,
    line: "input.putBack();",
    becomes: "",
    breaks: "a change that has to wait is lost",
  },
  {
    file: core,
    line: "for (const client of waiting) this.#serve(client);",
    becomes: "",
    breaks: "a change that has to wait waits for ever",
  },
  {
    file: journal,
    line: "if ((this.#lists.get(key)?.changedAt ?? 0) >= i) continue;",
    becomes: "",
    breaks: "what a snapshot has already is done again",
  },
  {
    file: journal,
    line: "saving.needs = this.#next - 1;",
    becomes: "saving.needs = 0;",
    breaks: "a snapshot is whole before what is in it is durable",
  },
  {
    file: journal,
    line: 'if (form !== RECORDS) throw new Error(`it has "${form}", this program knows "${RECORDS}"`);',
    becomes: "",
    breaks: "records of another version are read as if they were of this one",
  },
  {
    file: journal,
    line: "saving.offset += bytes.length;",
    becomes: "",
    breaks: "the parts of a snapshot overwrite each other",
  },
  {
    file: snapshot,
    line: "const next = this.#left-- > 0 ? this.#all.next() : undefined;",
    becomes: "const next = this.#all.next();",
    breaks: "a snapshot does not end while keys come and go",
  },
  {
    file: snapshot,
    line: "this.#lists.delete(this.#key, 0);",
    becomes: "",
    breaks: "a key that a snapshot reached twice has its values twice",
  },
  {
    file: adapter,
    line: "if (error === undefined) await this.#disk?.close();",
    becomes: "if (error === undefined) await this.#disk?.abandon();",
    breaks: "a good end loses what was carried out last",
  },
];
