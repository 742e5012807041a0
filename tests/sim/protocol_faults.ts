/** Faults of the protocol, for the LSP harness to notice; see mutants.ts. */
import type { Mutant } from "../../tools/mutants.ts";
import { faultsFor } from "./fault.ts";

const cborConnection = "lsp/cbor_connection.ts";
const listener = "lsp/listener.ts";
const endpoint = "lsp/core.ts";
const acknowledger = "lsp/acknowledger.ts";
const receiveBuffer = "lsp/receive_buffer.ts";
const sendWindow = "lsp/send_window.ts";
const lossRecovery = "lsp/loss_recovery.ts";
const connection = "lsp/connection.ts";
const classicConnection = "lsp/classic_connection.ts";
const goodbye = "lsp/goodbye.ts";
const cookie = "lsp/cookie.ts";
const budget = "lsp/budget.ts";
const fragments = "lsp/fragments.ts";
const bottleneck = "lsp/bottleneck.ts";

const fault = faultsFor("lsp");

export const PROTOCOL_FAULTS: readonly Mutant[] = [
  fault(
    cborConnection,
    "removed += send.ackRange(reader.rangeFirst(i), reader.rangeLast(i));",
    "",
    "selective acknowledgements are ignored",
  ),
  fault(
    cborConnection,
    'if (isForged) return this.host.rejections.count("ack");',
    "",
    "a forged acknowledgement is believed",
  ),
  fault(
    cborConnection,
    "this.host.answerClose(this.id, this.key, this.address);",
    "",
    "a Close is never answered",
  ),
  fault(
    cborConnection,
    "send.grant(cumulative, reader.windowMessages, reader.windowBytes);",
    "",
    "a sender never learns that there is room again",
  ),
  fault(
    cborConnection,
    'if (code === CloseCode.answer) return this.host.rejections.count("answer");',
    "",
    "an answer to no Close ends a connection",
  ),
  fault(
    cborConnection,
    'if (this.phase === "open" && this.#acks.hasNews) this.acknowledge();',
    "",
    "a reader that has caught up does not say so",
  ),
  fault(
    cborConnection,
    "if (send.inFlightCount > 0 && send.inFlightBytes >= congestion.windowBytes) return undefined;",
    "",
    "the congestion window holds nobody back",
  ),
  fault(
    cborConnection,
    "this.#goodbye = undefined;",
    "",
    "an end takes leave of a peer that knows",
  ),
  fault(
    cborConnection,
    "this.#congestion.onSent(bytes, nowMs);",
    "",
    "nothing is paced",
    "the window alone keeps the queues of these links short",
  ),
  fault(
    cborConnection,
    "this.#newestNumber = Math.max(this.#newestNumber, reader.number);",
    "",
    "a datagram from elsewhere is always news",
  ),
  fault(
    cborConnection,
    "if (this.hasEnded) return this.#handleAfterEnd(reader);",
    "if (this.hasEnded) return;",
    "one that has taken leave does not hear the answer",
  ),
  fault(
    listener,
    "const purpose = `connect ${this.#endedIds.get(`${from} ${isn}`) ?? 0}`;",
    "const purpose = `connect 0`;",
    "a late Connect makes a ghost of a connection that is over",
  ),
  fault(
    listener,
    "if (endedIds.size <= this.limits.maxEndedRemembered) return;",
    "if (endedIds.size >= 0) return;",
    "ended connections are remembered without end",
  ),
  fault(
    listener,
    "if (connection instanceof ClassicConnection) this.#unproven.delete(connection);",
    "",
    "connections that prove nothing keep their place when they end",
  ),
  fault(
    listener,
    "this.#unproven.delete(connection);",
    "",
    "connections that are proved keep their place among the unproved",
    "the oldest makes room, and while faults last any end may be told of a close",
  ),
  fault(
    listener,
    "if (this.#unproven.size >= this.limits.maxUnproven) {",
    "if (this.#unproven.size < 0) {",
    "Connects from nowhere take all there is",
  ),
  fault(
    listener,
    'if (connection.address !== from) return this.rejections.count("address");',
    "",
    "a classic frame from anywhere is believed",
  ),
  fault(
    listener,
    "if (this.#refusals++ < this.limits.maxRefusalsPerSecond) {",
    "if (this.#refusals++ >= 0) {",
    "a flood of refusals is reported one by one",
    "nobody is refused five times in a second, in 1,200 seeds",
  ),
  fault(
    listener,
    'known?.closeNow("replaced", "replaced", closeText(CloseCode.replaced));',
    "",
    "the former owner of an address lives on",
    "its end is missed K epochs later, as that of any dead peer",
  ),
  fault(
    listener,
    "if (this.#cborByAddress.get(address) === connection) this.#cborByAddress.delete(address);",
    "",
    "addresses of ended connections stay taken",
  ),
  fault(
    listener,
    "if (answered) return;",
    "",
    "an answer to a path's challenge is challenged in turn",
  ),
  fault(
    endpoint,
    'if (this.#strays.length >= this.limits.maxStrayDatagrams) return this.rejections.count("flood");',
    "",
    "what is said to strangers has no limit",
  ),
  fault(endpoint, "this.#liveCount--;", "", "an endpoint never drains"),
  fault(
    endpoint,
    "if (reader.code !== CloseCode.answer) this.answerClose(reader.connId, reader.key, from);",
    "",
    "a Close of a forgotten connection is not answered",
  ),
  fault(
    acknowledger,
    "fields.cumulative = receive.expected - 1;",
    "fields.cumulative = receive.expected;",
    "what has not come is acknowledged",
  ),
  fault(
    acknowledger,
    "fields.rangeCount = receive.writeRuns(fields.ranges, ACK_RANGES_MAX);",
    "fields.rangeCount = 0;",
    "nothing beyond a gap is acknowledged",
  ),
  fault(
    acknowledger,
    "fields.windowMessages = receive.creditMessages;",
    "fields.windowMessages = 1024;",
    "more is let through than there is room for",
  ),
  fault(
    acknowledger,
    "if (number <= this.#echo) return;",
    "",
    "the echo is of a datagram that came late",
  ),
  fault(
    receiveBuffer,
    'if (seq < this.expected || this.#held?.has(seq)) return "duplicate";',
    'if (this.#held?.has(seq)) return "duplicate";',
    "what was read comes again",
  ),
  fault(
    receiveBuffer,
    'if (!this.#hasRoom(length, IN_ORDER_RESERVE_BYTES, 2)) return "dropped";',
    "",
    "messages ahead of their turn take all the memory",
    "what simulated peers write meets the limit on messages first",
  ),
  fault(
    receiveBuffer,
    "if (this.unreadCount >= this.#limits.maxUnreadMessages) return false;",
    "",
    "unread messages have no limit",
  ),
  fault(
    receiveBuffer,
    "else if (joinsUpper) runs[at] = seq;",
    "else if (joinsUpper) runs[at + 1] = seq;",
    "the runs beyond a gap are wrong",
  ),
  fault(
    receiveBuffer,
    'if (seq > this.expected + this.creditMessages - 1) return "dropped";',
    "",
    "messages far ahead are kept",
  ),
  fault(
    sendWindow,
    "if (entry.seq > this.#entries[this.#head]!.seq + windowSize - 1) return undefined;",
    "",
    "the window W is not kept",
  ),
  fault(
    sendWindow,
    "if (this.unackedCount >= maxUnackedMessages) return undefined;",
    "",
    "the limit M is not kept",
  ),
  fault(
    sendWindow,
    "if (entry.seq > this.#grantedSeq || entry.endOffset > this.#grantedOffset) return undefined;",
    "",
    "what the peer has room for is not asked",
  ),
  fault(
    sendWindow,
    "entry.backOff = Math.min(doubled, this.#params.maxBackOffInterval);",
    "entry.backOff = 0;",
    "there is no back-off",
  ),
  fault(
    sendWindow,
    'if (entry.state === "acked") return false;',
    "",
    "an acknowledgement that comes twice counts twice",
  ),
  fault(
    sendWindow,
    "this.#pin(this.#freedBytes - endOffset - MESSAGE_OVERHEAD_BYTES);",
    "",
    "acknowledged messages keep their memory",
  ),
  fault(
    lossRecovery,
    "const backedOff = this.roundTrip.timeoutMs * 2 ** Math.min(this.#timeouts, 16);",
    "const backedOff = this.roundTrip.timeoutMs;",
    "probes of a silent path do not become rarer",
  ),
  fault(
    lossRecovery,
    "const isOvertaken = isReported && entry.datagram <= newestArrived - REORDERING_DATAGRAMS;",
    "const isOvertaken = isReported && entry.datagram < newestArrived;",
    "a datagram that is overtaken once counts as lost",
  ),
  fault(
    lossRecovery,
    "if (!isOvertaken && nowMs < dueMs) {",
    "if (nowMs >= 0) {",
    "loss is repaired by probes only",
  ),
  fault(
    lossRecovery,
    "return this.#lastDataSentMs + Math.min(backedOff, this.#mostSilenceMs);",
    "return this.#lastDataSentMs + backedOff;",
    "a silent path is asked more and more seldom",
  ),
  fault(
    connection,
    "this.#silentEpochs = this.#heard ? 0 : this.#silentEpochs + 1;",
    "this.#silentEpochs = 0;",
    "a dead peer is never missed",
  ),
  fault(
    connection,
    "if (this.#silentEpochs >= epochLimit) return this.#lose();",
    "if (this.#silentEpochs > epochLimit + 1) return this.#lose();",
    "a dead peer is missed two epochs late",
  ),
  fault(
    connection,
    "if (!resent && !this.#sentSinceTick) this.heartbeat();",
    "",
    "an end with nothing to say is silent",
  ),
  fault(connection, "this.receive.discard();", "", "what comes after a close is read"),
  fault(
    connection,
    'if (this.phase === "flushing" && this.send.isEmpty) this.#end("flushed");',
    'if (this.phase === "flushing") this.#end("flushed");',
    "what was written before a close is lost",
  ),
  fault(
    connection,
    "this.receive.dropHeld();",
    "",
    "what an ended connection held keeps its memory",
  ),
  fault(
    classicConnection,
    'if (seq > this.send.highestSent) return this.host.rejections.count("ack");',
    "",
    "a classic acknowledgement of what was never sent counts",
  ),
  fault(
    classicConnection,
    "const removed = type === ClassicType.ack ? send.ackOne(seq) : send.ackThrough(seq) > 0;",
    "const removed = send.ackThrough(seq) > 0;",
    "a classic acknowledgement stands for all before it",
  ),
  fault(classicConnection, "this.acknowledge(this.isn);", "", "a classic Connect is not answered"),
  fault(
    goodbye,
    "if (this.#isRepeated) this.#repeatAtMs = nowMs + this.#intervalMs;",
    "",
    "a Close that is lost is not said again",
    "whatever else the peer sends is answered by the Close, too",
  ),
  fault(goodbye, "this.#intervalMs *= 2;", "", "a Close is repeated at one pace"),
  fault(
    cookie,
    "token === this.#at(purpose, address, number, slot) ||",
    "token !== 0n ||",
    "any cookie proves an address",
  ),
  fault(
    budget,
    "this.#pooled -= reservation.charged - reservation.ticketed;",
    "",
    "large messages that were read keep their memory",
  ),
  fault(
    budget,
    "if (this.#holder === reservation) this.#holder = undefined;",
    "",
    "the ticket for large messages is never handed on",
    "few runs have large messages that wait for each other: of 900 seeds 315 is the first",
  ),
  fault(
    fragments,
    "this.#cutBytes += bytes.length;",
    "",
    "every piece of a large message is its first",
  ),
  fault(
    bottleneck,
    "const bytes = window * this.#productBytes + queue * this.#queueBytes;",
    "const bytes = 8 * this.#productBytes;",
    "eight times what the path holds is under way",
  ),
  fault(
    bottleneck,
    '} else if (++this.#flatRounds >= STARTUP_FLAT_ROUNDS) this.#enter("drain", nowMs);',
    "} else ++this.#flatRounds;",
    "the start never ends",
  ),
];
