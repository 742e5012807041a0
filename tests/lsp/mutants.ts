/** Faults that the tests of lsp/ must notice; `bun run tools/mutants.ts lsp`. */
import type { Mutant } from "../../tools/mutants.ts";
import { STRANGERS } from "./strangers_mutants.ts";

const acknowledger = "lsp/acknowledger.ts";
const blackHole = "lsp/black_hole.ts";
const candidates = "lsp/candidates.ts";
const dialer = "lsp/dialer.ts";
const dialing = "lsp/dialing_adapter.ts";
const listener = "lsp/listener.ts";
const cborConnection = "lsp/cbor_connection.ts";
const path = "lsp/path.ts";
const resolve = "lsp/resolve_adapter.ts";
const wildcard = "lsp/wildcard_adapter.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: acknowledger,
    line: "if (this.#rides < RIDES_LEAST || this.#datagrams > 1) return false;",
    becomes: "if (this.#rides < RIDES_LEAST) return false;",
    breaks: "a peer that sends several datagrams waits for the Ack of the second",
  },
  {
    file: acknowledger,
    line: "if (this.#rides < RIDES_LEAST || this.#datagrams > 1) return false;",
    becomes: "if (this.#datagrams > 1) return false;",
    breaks: "an Ack is held where nobody answers",
  },
  {
    file: acknowledger,
    line: "if (receive.expected !== seq + 1 || receive.runCount > 0) return false;",
    becomes: "",
    breaks: "the Ack of a message behind a gap is held",
  },
  {
    file: acknowledger,
    line: "this.#rides = Math.max(0, this.#rides - RIDES_LOST);",
    becomes: "",
    breaks: "Acks are held in vain for ever",
  },
  {
    file: cborConnection,
    line: "if (isNew && this.#acks.mayHold(seq)) return;",
    becomes: "if (this.#acks.mayHold(seq)) return;",
    breaks: "a peer that asks again for an Ack waits for it again",
  },
  {
    file: cborConnection,
    line: "const hasAck = this.#ackWanted && (next !== undefined || !this.#acks.isHeld);",
    becomes: "const hasAck = this.#ackWanted;",
    breaks: "an Ack that is held leaves alone as soon as something is acknowledged",
  },
  ...STRANGERS,
  {
    file: blackHole,
    line: "return this.#answered >= ANSWERS_MIN;",
    becomes: "return this.#answered >= 1;",
    breaks: "one lost question condemns a path",
  },
  {
    file: blackHole,
    line: "if (token === SMALL_TOKENS + this.#pair && this.#answeredPair !== this.#pair) {",
    becomes: "if (token === SMALL_TOKENS + this.#pair) {",
    breaks: "an answer that comes twice counts twice",
  },
  {
    file: blackHole,
    line: "this.#suspiciousSends = 2 * this.#message!.sends;",
    becomes: "",
    breaks: "a peer that takes no more is asked about its path for ever",
  },
  {
    file: "lsp/small_paths.ts",
    line: "if (this.#bytes.size <= HOSTS_MAX) return;",
    becomes: "return;",
    breaks: "the memory of paths grows for ever",
  },
  {
    file: "lsp/path_mtu.ts",
    line: "this.#fullDatagrams = -this.#pause;",
    becomes: "this.#step = STEPS.length;",
    breaks: "after a moment of losses datagrams stay small for ever",
  },
  {
    file: path,
    line: "if (this.hole.bytes === undefined) this.#cutTo(this.#plainBytes);",
    becomes: "",
    breaks: "a Connect that chance lost has all messages of its connection cut smaller",
  },
  {
    file: path,
    line: "if (this.hole.noteSent(entry, bytes, nowMs)) this.#cutTo(smallerSize(bytes)!);",
    becomes: "void this.hole; void nowMs; void bytes;",
    breaks: "a black hole is never found",
  },
  {
    file: path,
    line: "host.paths.note(hostOf(this.#address), bytes);",
    becomes: "",
    breaks: "the next dial falls into the same hole",
  },
  {
    file: path,
    line: "this.#host.paths.note(hostOf(this.#address), this.#plainBytes);",
    becomes: "",
    breaks: "the peer of one that fell into a hole falls into it next",
  },
  {
    file: path,
    line: "return Math.max(smallerSize(bytes)!, next === undefined ? 0 : this.#aloneBytes(next));",
    becomes: "return Math.max(bytes, next === undefined ? 0 : this.#aloneBytes(next));",
    breaks: "what is packed is not packed smaller at once",
  },
  {
    file: cborConnection,
    line: "if (this.#pathAnswers.length >= PATH_ANSWERS_MAX) this.#pathAnswers.shift();",
    becomes: "if (this.#pathAnswers.length >= 1) this.#pathAnswers.shift();",
    breaks: "of two questions of a turn only the second is answered",
  },
  {
    file: cborConnection,
    line: "this.isDoubted = reader.echo <= this.#datagrams;",
    becomes: "this.isDoubted = true;",
    breaks: "an Unknown for a datagram that was never sent is believed",
  },
  {
    file: listener,
    line: "if (type === FrameType.close || type === FrameType.unknown) return;",
    becomes: "if (type === FrameType.close) return;",
    breaks: "two that do not know each other answer each other for ever",
  },
  {
    file: listener,
    line: "writer.unknown(number);",
    becomes: "writer.unknown(1);",
    breaks: "an Unknown does not say which datagram it answers",
  },
  {
    file: dialer,
    line: "if (connection.isDoubted) this.#handleDoubt(connection);",
    becomes: "if (connection.isDoubted) this.#endDoubt();",
    breaks: "a connection is dropped before another can be had",
  },
  {
    file: dialer,
    line: "return addresses.findLast((to) => portOf(to) === portOf(from));",
    becomes: "return addresses.at(-1);",
    breaks: "anybody may answer a dial",
  },
  {
    file: dialer,
    line: "return from === this.#alias || from === this.#connection?.address;",
    becomes: "return from === this.#connection?.address;",
    breaks: "a server that answers from another address is not heard",
  },
  {
    file: dialer,
    line: "if (this.#candidates.noteRefusal(candidate, nowMs)) return;",
    becomes: "void candidate; void nowMs;",
    breaks: "one refusal ends a dial of several addresses",
  },
  {
    file: dialer,
    line: "if (padToBytes > 0) writer.padding(padToBytes - writer.bytes);",
    becomes: "void padToBytes;",
    breaks: "a path is not asked for its size while connecting",
  },
  {
    file: candidates,
    line: "return waits ? this.#nextAtMs : Infinity;",
    becomes: "return waits ? 0 : Infinity;",
    breaks: "all addresses are asked at once",
  },
  {
    file: candidates,
    line: "if (this.#answering !== undefined) return [this.#answering];",
    becomes: "",
    breaks: "the others are asked although one has answered",
  },
  {
    file: candidates,
    line: "if (this.#answering !== undefined && ++this.#silentTicks > PATIENCE_TICKS) {",
    becomes: "if (this.#answering === undefined) {",
    breaks: "one that answers once and no more is waited for in vain",
  },
  {
    file: dialing,
    line: "if (nowMs - this.#heardMs > patienceMs) this.#renew();",
    becomes: "void patienceMs; void nowMs;",
    breaks: "a client whose address changed keeps the old socket",
  },
  {
    file: dialing,
    line: "if (this.#isHeard) this.#heardMs = nowMs;",
    becomes: "",
    breaks: "a socket is opened anew although the server is heard",
  },
  {
    file: resolve,
    line: 'if (found.some(isWildcard)) return found[0] === "::" ? ["::1", "127.0.0.1"] : ["127.0.0.1"];',
    becomes: "void isWildcard;",
    breaks: "a server cannot be dialled by the wildcard that it prints",
  },
  {
    file: resolve,
    line: 'if (/^(?:.+\\.)?localhost\\.?$/i.test(bare)) found.push("127.0.0.1", "::1");',
    becomes: "",
    breaks: "localhost is one address where a machine's list has one",
  },
  {
    file: wildcard,
    line: "if (--this.#binding === 0 && !this.#isClosed) this.#rest.setReuse(false);",
    becomes: "this.#binding--;",
    breaks: "another program can take the port of an address",
  },
  {
    file: wildcard,
    line: "if (this.#locals.size >= this.#socketsMax) this.#closeOne();",
    becomes: "if (this.#locals.size >= SOCKETS_MAX) return;",
    breaks: "the addresses beyond the limit are never answered",
  },
  {
    file: wildcard,
    line: "this.#shrink();",
    becomes: "",
    breaks: "a process that may open no more files answers no new address",
  },
  {
    file: wildcard,
    line: "data.call(this.#handlers, bytes, host, port, address);",
    becomes: "data.call(this.#handlers, bytes, host, port, this.host);",
    breaks: "nobody knows which address to answer from",
  },
  {
    file: cborConnection,
    line: "if (!this.#ackedSinceTick) this.acknowledge();",
    becomes: "this.acknowledge();",
    breaks: "every epoch has a datagram that says nothing new",
  },
  {
    file: "lsp/core.ts",
    line: "deadlines.set(first, atMs);",
    becomes: "return;",
    breaks: "a quiet endpoint is woken in vain",
  },
];
