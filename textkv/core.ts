/**
 * The text server without sockets: bytes of clients in, bytes for them out, and the rules by which
 * a slow reader costs nobody anything but itself.
 *
 * - Each client has a queue of lines for what its socket has not taken. The answer to a Get that
 *   does not fit is fed into it as the reader takes it, and the client's next requests wait. When
 *   the reader takes nothing for too long, the rest of the answer is dropped.
 * - A client whose requests come to nothing (dropped, or no requests at all) rests now and then, so
 *   that they cost little.
 * - Requests are handled in slices, so that one who sends many does not keep others waiting.
 *
 * @module
 */
import { IndexedHeap } from "../base/heap.ts";
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { Queue } from "../base/queue.ts";
import { type ByteBuffer, LINE_EXTRA } from "./answer_queue.ts";
import { Client, type Rest } from "./client.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { List } from "./list.ts";
import { Lists } from "./lists.ts";
import { Request } from "./request.ts";
import type { ClientId, Counts, IgnoredReason, TextEffect, TextInput } from "./types.ts";

/** Bytes of one `write`. */
const WRITE_BYTES = 128 << 10;
/** A line of so many bytes is twice the work of an empty one. */
const WORK_BYTES = 2048;

/** What a line, read or answered, costs beside an empty one. */
const workOf = (bytes: number): number => 1 + bytes / WORK_BYTES;

/** The text server. */
export class TextCore implements Machine<TextInput, TextEffect> {
  readonly #limits: Limits;
  readonly #clients = new Map<ClientId, Client>();
  readonly #lists: Lists;
  readonly #request = new Request();
  readonly #outbox = new Outbox<TextEffect>();
  /** Clients for which a `write` is due. */
  readonly #writers = new Queue<Client>();
  /** Clients whose slice was over. */
  readonly #ready = new Queue<Client>();
  readonly #alarms = new IndexedHeap<Client>((a, b) => a.alarmMs! < b.alarmMs!);
  readonly #writeBuffer = Buffer.allocUnsafe(WRITE_BYTES) as ByteBuffer;
  /** Bytes in all queues and of all unhandled lines. */
  #held = 0;
  #isYielding = false;
  #dropped = 0;
  #refused = 0;
  #droppedLines = 0;
  #requests = 0;
  readonly #ignored: Record<IgnoredReason, number> = {
    unknown: 0,
    malformed: 0,
    unfinished: 0,
    long: 0,
    full: 0,
  };
  #nowMs: Millis = -Infinity;

  constructor(limits: Partial<Limits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    this.#lists = new Lists(this.#limits.storeBytesMax);
  }

  counts(): Counts {
    let [waitingLines, waitingBytes] = [0, 0];
    for (const { answers } of this.#clients.values()) {
      waitingLines += answers.lines;
      waitingBytes += answers.bytes;
    }
    return {
      active: this.#clients.size,
      dropped: this.#dropped,
      refused: this.#refused,
      droppedLines: this.#droppedLines,
      waitingLines,
      waitingBytes,
      requests: this.#requests,
      ignored: { ...this.#ignored },
      keys: this.#lists.keys,
      values: this.#lists.values,
      bytes: this.#lists.bytes,
    };
  }

  handle(input: TextInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (input.kind === "wake") this.#wake();
    else if (input.kind === "opened") this.#open(input.client);
    else {
      const client = this.#clients.get(input.client);
      // One that was turned away, or whose end was told already.
      if (client !== undefined) this.#handleOf(client, input);
    }
    if (this.#ready.length > 0 && !this.#isYielding) {
      this.#isYielding = true;
      this.#outbox.push({ kind: "yield" });
    }
  }

  poll(): TextEffect | undefined {
    return this.#outbox.poll() ?? this.#nextWrite();
  }

  wakeAtMs(): Millis | undefined {
    return this.#alarms.top?.alarmMs;
  }

  #handleOf(client: Client, input: Exclude<TextInput, { kind: "opened" }>): void {
    switch (input.kind) {
      case "data":
        if (client.isDoomed || client.hasEnded) return;
        client.input.lend(input.bytes);
        client.work = 0;
        break;
      case "taken":
        this.#took(client, input.bytes);
        break;
      case "writable":
        client.isBlocked = false;
        client.work = 0;
        break;
      case "ended":
        client.hasEnded = true;
        break;
      case "gone":
        return this.#forget(client);
    }
    this.#serve(client);
  }

  #open(id: ClientId): void {
    invariant(!this.#clients.has(id), `client ${id} came twice`);
    if (this.#clients.size < this.#limits.clientsMax) {
      this.#clients.set(id, new Client(id, this.#nowMs));
    } else {
      this.#refused++;
      this.#outbox.push({ kind: "close", client: id });
    }
  }

  #forget(client: Client): void {
    if (client.rest !== undefined) this.#lists.release(client.rest.view);
    client.isClosed = client.isDoomed = true;
    this.#clients.delete(client.id);
    this.#alarms.remove(client);
    this.#held -= client.held;
    this.#dropped++;
  }

  #wake(): void {
    for (let top = this.#alarms.top; top && top.alarmMs! <= this.#nowMs; top = this.#alarms.top) {
      this.#alarms.remove(top);
      top.alarmMs = undefined;
      this.#serve(top);
    }
    this.#isYielding = false;
    for (let count = this.#ready.length; count > 0; count--) {
      const client = this.#ready.shift()!;
      client.isReady = false;
      client.work = 0;
      this.#serve(client);
    }
  }

  #took(client: Client, bytes: number): void {
    invariant(bytes <= client.offered, `${bytes} bytes were taken, ${client.offered} offered`);
    client.isBlocked = bytes < client.offered;
    client.offered = 0;
    if (bytes > 0) client.tookAtMs = this.#nowMs;
    client.answers.take(bytes);
  }

  #nextWrite(): TextEffect | undefined {
    for (;;) {
      const client = this.#writers.shift();
      if (client === undefined) return undefined;
      client.isWriter = false;
      if (client.isClosed) continue;
      client.offered = client.answers.copy(this.#writeBuffer);
      const bytes = this.#writeBuffer.subarray(0, client.offered);
      return { kind: "write", client: client.id, bytes };
    }
  }

  /** Does what can be done for a client now, and sees to it that the rest is not forgotten. */
  #serve(client: Client): void {
    if (client.isClosed) return;
    if (!client.isDoomed && !client.isReady) this.#handleRequests(client);
    client.input.keep();
    this.#hold(client);
    if (this.#isOver(client)) {
      client.isClosed = true;
      this.#outbox.push({ kind: "close", client: client.id });
    } else if (client.answers.bytes > 0 && !client.isBlocked && client.offered === 0) {
      if (!client.isWriter) this.#writers.push(client);
      client.isWriter = true;
    }
    this.#steer(client);
    this.#setAlarm(client);
  }

  /** Handles requests until there are none, or until the client has to wait for something. */
  #handleRequests(client: Client): void {
    const { input } = client;
    const { sliceWork, lineBytesMax } = this.#limits;
    for (;;) {
      if (client.restUntilMs > this.#nowMs) return;
      if (client.work >= sliceWork && (client.rest !== undefined || input.length > 0)) {
        client.isReady = true;
        return this.#ready.push(client);
      }
      if (client.rest !== undefined) {
        if (!this.#feed(client, client.rest)) return;
        continue;
      }
      if (!input.next()) break;
      const work = workOf(input.to - input.from);
      client.work += work;
      const reason =
        this.#request.read(input.bytes, input.from, input.to, lineBytesMax) ??
        this.#carryOut(client);
      if (reason === "long") return this.#doom(client);
      if (reason !== undefined) this.#ignore(client, reason, work);
    }
    const share = this.#held > this.#limits.heldBytesMax ? this.#share : Infinity;
    // Its last byte may be a carriage return.
    if (input.length > Math.min(share, lineBytesMax + 1)) return this.#doom(client);
    if (!client.hasEnded || input.length === 0) return;
    this.#ignore(client, "unfinished", 1);
    input.clear();
  }

  /** Carries out the request that was just read; why it was not. */
  #carryOut(client: Client): IgnoredReason | undefined {
    const { verb, key, old, value } = this.#request;
    if (verb === "Get") {
      const list = this.#lists.get(key);
      if (list !== undefined) this.#answer(client, key, list);
    } else if (verb === "Delete") this.#lists.delete(key);
    else if (verb === "Put") {
      if (!this.#lists.put(key, value)) return "full";
    } else if (!this.#lists.update(key, old, value)) return "full";
    this.#requests++;
    return undefined;
  }

  #answer(client: Client, key: string, list: List): void {
    const { length, whole } = list;
    const bytes = list.bytes + length * (key.length + LINE_EXTRA);
    if (whole !== undefined && this.#fits(client, length, bytes)) {
      for (let i = 0; i < length; i++) client.answers.push(key, whole[i]!);
      client.work += length + bytes / WORK_BYTES;
      return this.#hold(client);
    }
    const { patienceMs, linePatienceMs } = this.#limits;
    const patience = length > 1 ? patienceMs : linePatienceMs;
    client.rest = { key, view: list.view(), patienceMs: patience };
  }

  /** Moves an answer into the queue, as far as it fits; whether its client need not wait. */
  #feed(client: Client, { key, view, patienceMs }: Rest): boolean {
    let isFull = false;
    while (view.left > 0 && client.work < this.#limits.sliceWork) {
      const value = view.peek();
      const bytes = key.length + value.length + LINE_EXTRA;
      isFull = !this.#fits(client, 1, bytes);
      if (isFull) break;
      client.answers.push(key, value);
      client.work += workOf(bytes);
      this.#hold(client);
      view.advance();
    }
    if (view.left > 0) {
      if (!isFull) return true;
      const isPatient = !client.isBlocked || this.#nowMs < client.tookAtMs + patienceMs;
      if (isPatient) return false;
      this.#droppedLines += view.left;
      this.#tire(client, 1);
    }
    this.#lists.release(view);
    client.rest = undefined;
    return true;
  }

  /** Whether so many lines more may wait for this reader. One line may always wait. */
  #fits({ answers, held }: Client, lines: number, bytes: number): boolean {
    if (answers.lines === 0 && lines === 1) return true;
    const { queueLinesMax, queueBytesMax, heldBytesMax } = this.#limits;
    if (answers.lines + lines > queueLinesMax || answers.bytes + bytes > queueBytesMax)
      return false;
    return this.#held + bytes <= heldBytesMax || held + bytes <= this.#share;
  }

  /** What a client may hold even if all together hold too much. */
  get #share(): number {
    return this.#limits.heldBytesMax / this.#limits.clientsMax;
  }

  #hold(client: Client): void {
    const held = client.answers.bytes + client.input.length;
    this.#held += held - client.held;
    client.held = held;
  }

  #ignore(client: Client, reason: IgnoredReason, cost: number): void {
    this.#ignored[reason]++;
    this.#tire(client, cost);
  }

  /** Something came to nothing. When there is much of it, the client is not heard for a while. */
  #tire(client: Client, cost: number): void {
    client.useless += cost;
    if (client.useless < this.#limits.uselessMax) return;
    client.useless = 0;
    client.restUntilMs = this.#nowMs + this.#limits.restMs;
  }

  /** A line is too long: the connection is closed, after a rest, so that it is no sport. */
  #doom(client: Client): void {
    this.#ignored.long++;
    client.isDoomed = true;
    client.input.clear();
    client.restUntilMs = this.#nowMs + this.#limits.restMs;
  }

  #isOver(client: Client): boolean {
    if (client.isDoomed) return client.restUntilMs <= this.#nowMs;
    if (!client.hasEnded || client.rest !== undefined || client.input.length > 0) return false;
    if (client.answers.bytes === 0) return true;
    return client.isBlocked && this.#nowMs >= client.tookAtMs + this.#limits.lingerMs;
  }

  /** Lets a client send no further ahead than is allowed. */
  #steer(client: Client): void {
    const { input, isPaused, isDoomed } = client;
    const isAhead = !input.isUnfinished && input.length > this.#limits.aheadBytesMax;
    const isToPause = isDoomed || isAhead;
    if (isToPause === isPaused || client.isClosed) return;
    client.isPaused = isToPause;
    this.#outbox.push({ kind: isToPause ? "pause" : "resume", client: client.id });
  }

  #setAlarm(client: Client): void {
    const alarmMs = client.wantedAlarmMs(this.#nowMs, this.#limits.lingerMs);
    if (alarmMs === client.alarmMs) return;
    invariant(!(alarmMs! <= this.#nowMs), "a client is due again at once: it would be for ever");
    client.alarmMs = alarmMs;
    if (alarmMs === undefined) this.#alarms.remove(client);
    else this.#alarms.update(client);
  }
}
