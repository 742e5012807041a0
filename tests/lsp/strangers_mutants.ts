/** Faults in what holds strangers off, and in the core of LSP; the table of lsp/ includes them. */
import type { Mutant } from "../../tools/mutants.ts";

const acknowledger = "lsp/acknowledger.ts";
const classicIds = "lsp/classic_ids.ts";
const connection = "lsp/connection.ts";
const cookie = "lsp/cookie.ts";
const dialer = "lsp/dialer.ts";
const endpoint = "lsp/core.ts";
const flush = "lsp/flush_watch.ts";
const goodbye = "lsp/goodbye.ts";
const hogs = "lsp/hogs.ts";
const inbox = "lsp/inbox.ts";
const listener = "lsp/listener.ts";
const cborConnection = "lsp/cbor_connection.ts";
const receive = "lsp/receive_buffer.ts";
const send = "lsp/send_window.ts";
const server = "lsp/server_adapter.ts";
const udp = "lsp/adapter.ts";

export const STRANGERS: readonly Mutant[] = [
  {
    file: endpoint,
    line: "const isKnown = connection !== undefined && reader.bears(connection.key);",
    becomes: "const isKnown = connection !== undefined;",
    breaks: "anybody can end anybody's connection",
  },
  {
    file: dialer,
    line: "const isAnswer = ordinal >= 1 && ordinal <= this.#connects;",
    becomes: "const isAnswer = true;",
    breaks: "those who do not see a dial can refuse it",
  },
  {
    file: dialer,
    line: "const given = this.#cookies.find(({ cookie }) => reader.bears(keyOf(cookie)));",
    becomes: "const given = this.#cookies[0];",
    breaks: "those who do not see a dial can grant it",
  },
  {
    file: cborConnection,
    line: "if (high === this.key.high && low === this.key.low) this.noteHeard();",
    becomes: "this.noteHeard();",
    breaks: "a forged Connect keeps a dead peer alive",
  },
  {
    file: cookie,
    line: "const claim = utf8.encode(`${purpose} ${address} ${number} ${slot}`);",
    becomes: "const claim = utf8.encode(`${purpose} ${number} ${slot}`);",
    breaks: "a cookie is good for every address",
  },
  {
    file: classicIds,
    line: "[left, right] = [right, left ^ this.#mix(round, right)];",
    becomes: "[left, right] = [right, left];",
    breaks: "the next classic number follows from one's own",
  },
  {
    file: listener,
    line: 'oldest!.closeNow("stalled", "limit", UNPROVEN_REASON);',
    becomes: "return;",
    breaks: "silent strangers keep every classic peer out",
  },
  {
    file: listener,
    line: "const connections = this.byId.size - this.#classicByAddress.size;",
    becomes: "const connections = this.byId.size;",
    breaks: "classic strangers take the places of cbor peers",
  },
  {
    file: listener,
    line: "const taken = connections + this.inbox.unreadEnds.cbor;",
    becomes: "const taken = connections;",
    breaks: "ends that nobody reads fill the memory",
  },
  {
    file: listener,
    line: 'if (connection.address !== from) return this.rejections.count("address");',
    becomes: "",
    breaks: "a classic peer's number is good from every address",
  },
  {
    file: inbox,
    line: "this.unreadEnds[owner.wire]--;",
    becomes: "",
    breaks: "ends that were read count for ever",
  },
  {
    file: hogs,
    line: "if (connection.stalledEpochs < STALLED_EPOCHS) continue;",
    becomes: "",
    breaks: "a peer that takes what is written is ended for others",
  },
  {
    file: hogs,
    line: "return weightOf(heaviest) > weightOf(writer, bytes) ? heaviest : undefined;",
    becomes: "return heaviest;",
    breaks: "who keeps less is ended for one that keeps more",
  },
  {
    file: hogs,
    line: "return total <= mostBytes && writer.send.pinnedBytes + bytes <= share;",
    becomes: "return false;",
    breaks: "nobody has a share of what others fill",
  },
  {
    file: flush,
    line: "return nowMs - this.#sinceMs >= this.#periodMs;",
    becomes: "return false;",
    breaks: "a closed connection keeps its memory while its peer heartbeats",
  },
  {
    file: send,
    line: "this.#pin(payload.length + MESSAGE_OVERHEAD_BYTES);",
    becomes: "this.#pin(payload.length);",
    breaks: "empty messages fill the memory uncounted",
  },
  {
    file: connection,
    line: "this.isUndelivered = !this.send.isEmpty;",
    becomes: "",
    breaks: "close() does not say who did not get all",
  },
  {
    file: server,
    line: 'const isOwn = event.kind === "closed" && event.code === "here";',
    becomes: "const isOwn = false;",
    breaks: "close() leaves out a connection that was closed here and not flushed",
  },
  {
    file: udp,
    line: "this.#unsent = isAll ? [] : packets.slice(done).map((packet) => new Uint8Array(packet));",
    becomes: "this.#unsent = isAll ? [] : packets.slice(done);",
    breaks: "unsent datagrams are overwritten before the next turn",
  },
  {
    file: cborConnection,
    line: 'if (isForged) return this.host.rejections.count("ack");',
    becomes: "void isForged;",
    breaks: "an Ack of what was never sent is believed",
  },
  {
    file: receive,
    line: 'if (seq > this.expected + this.creditMessages - 1) return "dropped";',
    becomes: "",
    breaks: "a peer may fill the memory ahead of its turn",
  },
  {
    file: send,
    line: "if (entry.seq > this.#grantedSeq || entry.endOffset > this.#grantedOffset) return undefined;",
    becomes: "",
    breaks: "a closed window does not hold the sender",
  },
  {
    file: connection,
    line: "this.#silentEpochs = this.#heard ? 0 : this.#silentEpochs + 1;",
    becomes: "this.#silentEpochs++;",
    breaks: "a living peer is lost after K epochs",
  },
  {
    file: goodbye,
    line: "this.#isRepeated = code !== CloseCode.lost;",
    becomes: "this.#isRepeated = false;",
    breaks: "a Close that is lost on the way is not said again",
  },
  {
    file: acknowledger,
    line: "fields.windowBytes = receive.creditBytes;",
    becomes: "fields.windowBytes = this.#limits.maxUnreadBytes;",
    breaks: "a peer is told to send what finds no room",
  },
];
