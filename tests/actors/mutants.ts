/** Faults that the tests of actors/ must notice; `bun run tools/mutants.ts actors`. */
import type { Mutant } from "../../tools/mutants.ts";

const cells = "actors/cells.ts";
const copy = "actors/copy.ts";
const core = "actors/core.ts";
const decode = "actors/decode.ts";
const encode = "actors/encode.ts";
const incoming = "actors/incoming.ts";
const remote = "actors/remote.ts";
const remotes = "actors/remotes.ts";
const mailbox = "actors/mailbox_adapter.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: copy,
    line: "return new Uint8Array(value);",
    becomes: "return value;",
    breaks: "bytes are shared between those who tell and those who are told",
  },
  {
    file: copy,
    line: "if (mostBytes > MESSAGE_BYTES_MAX) encodeMessage(copied);",
    becomes: "",
    breaks: "text that is too long for another machine passes to an actor of this one",
  },
  {
    file: copy,
    line: 'if (key !== "__proto__") fields[key] = value;',
    becomes: "if (true) fields[key] = value;",
    breaks: "a message gives the copy another prototype",
  },
  {
    file: encode,
    line: "if (Number.isSafeInteger(value) && !Object.is(value, -0)) {",
    becomes: "if (Number.isSafeInteger(value)) {",
    breaks: "-0 comes out as 0 on another machine, and as -0 on this one",
  },
  {
    file: encode,
    line: "const encoded = into.slice(0, length);",
    becomes: "const encoded = into.slice(0, Math.min(length, SCRATCH_BYTES));",
    breaks: "a message that the scratch buffer had to grow for is cut off",
  },
  {
    file: decode,
    line: "if (fresh.length === bytes) names[hash] = fresh;",
    becomes: "names[hash] = fresh;",
    breaks: "what is no UTF-8 is taken for a name that was read before",
  },
  {
    file: decode,
    line: "return at === end ? { message } : undefined;",
    becomes: "return { message };",
    breaks: "bytes behind a message are overlooked",
  },
  {
    file: core,
    line: "const isThisLife = to.incarnation === 0 || to.incarnation === this.incarnation;",
    becomes: "const isThisLife = true;",
    breaks: "an actor gets messages for one of an earlier life",
  },
  {
    file: core,
    line: "if (count > tally.mostPerSecond) tally.mostPerSecond = count;",
    becomes: "tally.mostPerSecond = count;",
    breaks: "the most of a second is that of the last",
  },
  {
    file: core,
    line: "if (this.#remotes.isBusy(sinceMs < CLOSE_DIAL_MS) && sinceMs < CLOSE_MS) return;",
    becomes: "",
    breaks: "what was told before close is not sent over a connection to come",
  },
  {
    file: core,
    line: "if (this.#remotes.isBusy(sinceMs < CLOSE_DIAL_MS) && sinceMs < CLOSE_MS) return;",
    becomes: "if (this.#remotes.isBusy(true) && sinceMs < CLOSE_MS) return;",
    breaks: "close waits for as long as a dial to nobody takes",
  },
  {
    file: cells,
    line: "const burst = this.#turns.isShuffled ? 1 : Math.min(left, BURST_MESSAGES_MAX);",
    becomes: "const burst = left;",
    breaks: "an actor with much to do keeps others from their turn",
  },
  {
    file: cells,
    line: 'if (whenThrown === "leave") return;',
    becomes: "",
    breaks: "an actor that is to be left is made anew",
  },
  {
    file: cells,
    line: 'if (whenThrown === "stop") return this.end(cell, "threw");',
    becomes: "",
    breaks: "an actor that is to be stopped is made anew",
  },
  {
    file: cells,
    line: "cell.unreadBytes + size > limits.mailboxBytesMax ||",
    becomes: "",
    breaks: "what comes from other machines has no bound in one mailbox",
  },
  {
    file: cells,
    line: "this.#unreadBytes + size > limits.mailboxesBytesMax;",
    becomes: "false;",
    breaks: "what comes from other machines has no bound in all mailboxes",
  },
  {
    file: cells,
    line: "this.#unreadBytes -= cell.unreadBytes;",
    becomes: "",
    breaks: "what waited for an actor that is gone takes room for ever",
  },
  {
    file: cells,
    line: "for (const ref of cell.watched?.values() ?? []) this.#forgetWatch(cell, ref);",
    becomes: "",
    breaks: "what an actor that is gone watched is watched for ever",
  },
  {
    file: cells,
    line: "if (opened !== undefined) refuseThenable(actor!.onMessage(opened.message, context!));",
    becomes: "if (opened !== undefined) actor!.onMessage(opened.message, context!);",
    breaks: "an actor handles two messages at a time",
  },
  {
    file: incoming,
    line: "if (known !== undefined) this.#drop(known.conn);",
    becomes: "",
    breaks: "what is under way on an older connection comes behind what a newer one brings",
  },
  {
    file: incoming,
    line: 'if (known !== undefined && known.session > session) return "older connection";',
    becomes: "",
    breaks: "an older connection ends the newer one",
  },
  {
    file: incoming,
    line: 'if (watched.size >= this.#owner.limits.watchesMax) return "too many watches";',
    becomes: "",
    breaks: "a stranger watches without bound",
  },
  {
    file: incoming,
    line: 'if (!this.#owner.watch(counter, conn)) this.tellGone(conn, counter, "unknown");',
    becomes: "this.#owner.watch(counter, conn);",
    breaks: "who watches an actor that is not there is told nothing",
  },
  {
    file: remote,
    line: "while (this.#waitingBytes > queueBytesMax && this.#waiting.length > 1) {",
    becomes: "while (false) {",
    breaks: "what waits toward another machine has no bound",
  },
  {
    file: remote,
    line: "return this.isUp && this.#waiting.length === 0 && this.#hasRoom;",
    becomes: "return this.isUp && this.#hasRoom;",
    breaks: "a message overtakes those that wait",
  },
  {
    file: remote,
    line: "return this.#writtenBytes - this.#settledBytes < this.#owner.limits.underWayBytesMax;",
    becomes: "return true;",
    breaks: "what is under way on a connection has no bound",
  },
  {
    file: remote,
    line: 'for (const counter of this.#watches.keys()) this.gone(counter, "unreachable");',
    becomes: "",
    breaks: "nobody learns that a machine is gone",
  },
  {
    file: remote,
    line: 'this.#fire(key, counter, "restarted");',
    becomes: "this.#write(encodeNumbers(Frame.watch, [counter]));",
    breaks: "who watches an actor of an earlier life watches one of a later life",
  },
  {
    file: remotes,
    line: 'if (!wasUp) remote.dropWaiting("unreachable");',
    becomes: "",
    breaks: "what was told to a machine that is not there waits, and is dialled for, for ever",
  },
  {
    file: remotes,
    line: "remote.dialAtMs = nowMs + remote.backoff.next();",
    becomes: "remote.dialAtMs = nowMs;",
    breaks: "a machine that is not there is dialled without a pause",
  },
  {
    file: remotes,
    line: "remote.greetByMs = nowMs + GREETING_MS;",
    becomes: "",
    breaks: "what never greets is waited for until it does",
  },
  {
    file: mailbox,
    line: "this.serve();",
    becomes: "",
    breaks: "who waits longer is not served first",
  },
  {
    file: mailbox,
    line: "if (this.#isClosed) return Promise.resolve(DONE);",
    becomes: "",
    breaks: "a pop of a closed mailbox waits for ever",
  },
];
