/**
 * The text server without sockets: bytes of clients in, bytes for them out, and the rules by which
 * a slow reader costs nobody anything but itself.
 *
 * - Each client has a queue of lines for what its socket has not taken. The answer to a Get that
 *   does not fit is fed into it as the reader takes it, and the client's next requests wait. When
 *   the reader takes nothing for too long, the rest of the answer is dropped.
 * - A client whose requests come to nothing (dropped, or no requests at all) rests now and then, so
 *   that they cost little; the more such clients there are, the longer each rests.
 * - Requests are handled in slices, so that one who sends many does not keep others waiting.
 *
 * @module
 */
import { IndexedHeap } from "../base/heap.ts";
import { invariant, type Machine, type Millis, type Wake } from "../base/machine.ts";
import { Outbox } from "../base/outbox.ts";
import { Queue } from "../base/queue.ts";
import type { StoredState, StoreInput } from "../base/store.ts";
import { type ByteBuffer, LINE_EXTRA } from "./answer_queue.ts";
import { Client, type Rest } from "./client.ts";
import { Keeper } from "./keeper.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import type { List } from "./list.ts";
import type { Lists } from "./lists.ts";
import { Remote } from "./remote.ts";
import { Request } from "./request.ts";
import { Rests } from "./rests.ts";
import { countsOf, Tally } from "./tally.ts";
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
  readonly #keeper: Keeper;
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
  /** Of clients that are heard again, and of those whose connections are closed. */
  readonly #rests: Rests;
  readonly #dooms: Rests;
  /** Clients with answers that show what is not durable yet. */
  readonly #gated = new Set<Client>();
  /** Clients whose changes wait until others are durable. */
  readonly #behind = new Set<Client>();
  readonly #tally = new Tally();
  /** Where requests go instead of to the lists here, if they do. */
  readonly #remote: Remote | undefined;
  #nowMs: Millis = -Infinity;

  /**
   * A server that keeps its lists in memory or, if it is given what a disk holds, on that disk.
   * That one says `restored` when clients may come. Throws an Error of one line if it does not know
   * what the disk holds. `isRemote`: requests are carried out elsewhere (`ask`).
   */
  constructor(limits: Partial<Limits> = {}, stored?: StoredState, isRemote = false) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
    const { restMs, restGapMs, doomMs, doomGapMs } = this.#limits;
    this.#rests = new Rests(restMs, restGapMs);
    this.#dooms = new Rests(doomMs, doomGapMs);
    this.#keeper = new Keeper(this.#limits, stored, (effect) => this.#outbox.push(effect));
    this.#lists = this.#keeper.lists;
    if (isRemote) this.#remote = new Remote((effect) => this.#outbox.push(effect));
  }

  counts(): Counts {
    return countsOf(this.#clients.values(), this.#tally, this.#lists, this.#keeper.disk);
  }

  handle(input: TextInput | Wake, nowMs: Millis): void {
    this.#nowMs = nowMs;
    if (input.kind === "wake") this.#wake();
    else if (input.kind === "opened") this.#open(input.client);
    else if ("client" in input) {
      const client = this.#clients.get(input.client);
      // One that was turned away, or whose end was told already.
      if (client !== undefined) this.#handleOf(client, input);
    } else this.#handleDisk(input);
    this.#keeper.flush();
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

  #handleOf(client: Client, input: Extract<TextInput, { client: ClientId }>): void {
    switch (input.kind) {
      case "data":
        if (client.isDoomed || client.hasEnded) return;
        client.input.lend(input.bytes);
        client.work = 0;
        break;
      case "taken":
        this.#took(client, input.bytes);
        if (client.isIdle) return this.#hold(client);
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
      case "answered":
        this.#remote?.answered(client.id, input.value, input.why);
        this.#behind.delete(client);
        break;
      case "opened":
    }
    this.#serve(client);
  }

  #handleDisk(input: StoreInput): void {
    this.#keeper.handle(input);
    if (input.kind !== "stored") return;
    for (const client of this.#gated) {
      client.answers.release(this.#keeper.durable);
      if (!client.answers.isGated) this.#gated.delete(client);
      this.#serve(client);
    }
    if (this.#keeper.isBehind) return;
    const waiting = [...this.#behind];
    this.#behind.clear();
    for (const client of waiting) this.#serve(client);
  }

  #open(id: ClientId): void {
    invariant(!this.#clients.has(id), () => `client ${id} came twice`);
    if (this.#clients.size < this.#limits.clientsMax) {
      this.#clients.set(id, new Client(id, this.#nowMs));
    } else {
      this.#tally.refused++;
      this.#outbox.push({ kind: "close", client: id });
    }
  }

  #forget(client: Client): void {
    if (client.rest !== undefined) this.#lists.release(client.rest.view);
    client.isClosed = client.isDoomed = true;
    this.#clients.delete(client.id);
    this.#remote?.forget(client.id);
    this.#gated.delete(client);
    this.#behind.delete(client);
    this.#alarms.remove(client);
    this.#held -= client.held;
    this.#tally.dropped++;
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
    invariant(bytes <= client.offered, () => `took ${bytes} bytes of ${client.offered}`);
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
      return { kind: "write", client: client.id, from: this.#writeBuffer, bytes: client.offered };
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
    } else if (client.answers.open > 0 && !client.isBlocked && client.offered === 0) {
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
      const reason =
        this.#request.read(input.bytes, input.from, input.to, lineBytesMax) ??
        this.#carryOut(client);
      if (reason === "long") return this.#doom(client);
      if (reason === "behind") {
        input.putBack();
        this.#behind.add(client);
        return;
      }
      const work = workOf(input.to - input.from);
      client.work += work;
      if (reason !== undefined) this.#ignore(client, reason, work);
    }
    const share = this.#held > this.#limits.heldBytesMax ? this.#share : Infinity;
    // Its last byte may be a carriage return.
    if (input.length > Math.min(share, lineBytesMax + 1)) return this.#doom(client);
    if (!client.hasEnded || input.length === 0) return;
    // One that connects for nothing else has to rest, too, before it can come again.
    this.#ignore(client, "unfinished", this.#limits.uselessMax);
    input.clear();
  }

  /** Carries out the request that was just read; why it was not. */
  #carryOut(client: Client): IgnoredReason | "behind" | undefined {
    const { verb, key } = this.#request;
    if (this.#remote !== undefined) {
      const answer = this.#remote.answerTo(client.id, this.#request);
      if (answer === undefined) return "behind";
      if (answer.why !== undefined) return answer.why;
      if (answer.list !== undefined) this.#answer(client, key, answer.list);
    } else if (verb === "Get") {
      const list = this.#lists.get(key);
      client.needs = Math.max(client.needs, this.#keeper.indexOf(list));
      if (list !== undefined) this.#answer(client, key, list);
    } else {
      const { bytes, from } = client.input;
      const why = this.#keeper.change(this.#request, bytes, from);
      if (why !== undefined) return why;
    }
    this.#tally.requests++;
    return undefined;
  }

  #answer(client: Client, key: string, list: List): void {
    const { length, whole } = list;
    const bytes = list.bytes + length * (key.length + LINE_EXTRA);
    if (whole !== undefined && this.#fits(client, length, bytes)) {
      const needs = this.#gateOf(client);
      for (let i = 0; i < length; i++) client.answers.push(key, whole[i]!, needs);
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
    const needs = this.#gateOf(client);
    while (view.left > 0 && client.work < this.#limits.sliceWork) {
      const value = view.peek();
      const bytes = key.length + value.length + LINE_EXTRA;
      isFull = !this.#fits(client, 1, bytes);
      if (isFull) break;
      client.answers.push(key, value, needs);
      client.work += workOf(bytes);
      this.#hold(client);
      view.advance();
    }
    if (view.left > 0) {
      if (!isFull) return true;
      const isPatient = !client.isBlocked || this.#nowMs < client.tookAtMs + patienceMs;
      if (isPatient) return false;
      this.#tally.droppedLines += view.left;
      this.#tire(client, 1);
    }
    this.#lists.release(view);
    client.rest = undefined;
    return true;
  }

  /** What has to be durable before the answer that is due may be shown; 0 if it is. */
  #gateOf(client: Client): number {
    if (client.needs <= this.#keeper.durable) return 0;
    this.#gated.add(client);
    return client.needs;
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
    this.#tally.ignored[reason]++;
    this.#tire(client, cost);
  }

  /** Something came to nothing. When there is much of it, the client is not heard for a while. */
  #tire(client: Client, cost: number): void {
    client.useless += cost;
    if (client.useless < this.#limits.uselessMax) return;
    client.useless = 0;
    client.restUntilMs = this.#rests.begin(this.#nowMs);
  }

  /** A line is too long: the connection is closed, after a rest, so that it is no sport. */
  #doom(client: Client): void {
    this.#tally.ignored.long++;
    client.isDoomed = true;
    client.input.clear();
    client.restUntilMs = this.#dooms.begin(this.#nowMs);
  }

  #isOver(client: Client): boolean {
    if (client.restUntilMs > this.#nowMs) return false;
    if (client.isDoomed) return true;
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
