/**
 * Runs an endpoint core on a UDP socket of Bun: one socket, one timer, one flush a turn of the
 * event loop, however many connections there are.
 *
 * @module
 */
import { addressText } from "./address.ts";
import type { Endpoint } from "./core.ts";
import { LARGEST_DATAGRAM_BYTES } from "./path_mtu.ts";
import type { SocketHandlers, UdpSocket } from "./socket_adapter.ts";
import type { Address, LspEvent, LspNotice } from "./types.ts";

/** Datagrams handed to the kernel by one call. */
const BATCH = 32;
/**
 * Bun empties the socket before it looks at timers and immediates: in a flood both would starve (by
 * 600 ms, measured). So after this many datagrams we look at the clock ourselves, and send.
 */
const DATAGRAMS_PER_TURN = 64;
/** ... or after this many bytes, so that the peer has something to do meanwhile. */
const BYTES_PER_TURN = 64 << 10;
/** Datagrams read together that share one look at the clock: about 10 us of them. */
const DATAGRAMS_PER_LOOK = 8;

/**
 * In each turn so many datagrams are reported at once, and so many jobs' messages leave at the
 * job's end: a lone message is not held up by the rest of the turn. What comes then is read, and
 * packed, together; and so is all of a turn that follows one with more datagrams.
 */
const PROMPT_PER_TURN = 4;

/**
 * Least time between two looks at whether a timer would ring in vain: less than the shortest wait
 * for something that nearly always comes before (an answer that takes an Ack along).
 */
const PUT_OFF_MS = 4;
/** A timer that is further off has looks of its own, so that one that is near finds the next. */
const NEAR_MS = 25;
const FAR_PUT_OFF_MS = 50;

/** Sending is synchronous: one set of buffers serves all sockets. */
const slab = Array.from({ length: BATCH }, () => new Uint8Array(LARGEST_DATAGRAM_BYTES));

/** The part of each that was sent last: in a stream, the next has the same length. */
const views = slab.map((buffer) => buffer.subarray(0));

/** An address, and what it was made of. */
interface KnownText {
  readonly host: string;
  readonly local: string | undefined;
  readonly text: Address;
}

/** What the owner of an endpoint is told. */
export interface Upcalls {
  onNotice(notice: LspNotice): void;
  /** There may be events to read, or room to write. */
  onProgress(): void;
}

/** See the module. */
export class UdpEndpoint<Core extends Endpoint> implements SocketHandlers {
  readonly core: Core;
  /** Sends that the system refused, twice in a row. */
  sendErrors = 0;
  readonly #upcalls: Upcalls;
  readonly #socket: UdpSocket;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #timerAtMs = Infinity;
  /** When to look again whether the timer would ring in vain. */
  #putOffAtMs = 0;
  /** The same for one that is far off. */
  #farPutOffAtMs = 0;
  #immediate: ReturnType<typeof setImmediate> | undefined;
  /** How many are reported, and leave, promptly in this turn; how many left. */
  #prompt = PROMPT_PER_TURN;
  #promptFlushes = 0;
  #isPrompt = false;
  #sinceTurn = 0;
  #bytesSinceTurn = 0;
  /** When the newest datagram came. */
  #dataMs = 0;
  #unsent: Uint8Array[] = [];
  #unsentTo: Address[] = [];
  /** Whether socket and timer are closed. */
  isReleased = false;
  #isRetiring = false;
  #isRef = true;
  /** The text of an address by its port: it is asked for with every datagram. */
  readonly #texts = new Map<number, KnownText>();

  constructor(core: Core, socket: UdpSocket, upcalls: Upcalls) {
    this.core = core;
    this.#socket = socket;
    this.#upcalls = upcalls;
    this.kick();
  }

  /** The port bound. */
  get port(): number {
    return this.#socket.port;
  }

  /** The address bound. */
  get host(): string {
    return this.#socket.host;
  }

  /** Whether answers leave from the address that was asked. */
  get answersFromAsked(): boolean {
    return this.#socket.answersFromAsked;
  }

  /** Has this turn of the event loop end with a look at what the core wants. */
  kick(): void {
    if (this.isReleased || this.#immediate !== undefined) return;
    this.#immediate = setImmediate(this.#endTurn);
  }

  /** Has what is written in this job leave at the job's end, or else at the turn's. */
  kickPromptly(): void {
    this.kick();
    if (this.#isPrompt || this.#promptFlushes >= this.#prompt) return;
    this.#isPrompt = true;
    this.#promptFlushes++;
    queueMicrotask(this.#flushPromptly);
  }

  /** The next thing to read. */
  pollEvent(): LspEvent | undefined {
    const event = this.core.pollEvent();
    // Reading may have opened the window for a peer, which wants to be told.
    if (event !== undefined && this.core.wantsTurn) this.kick();
    return event;
  }

  /**
   * Releases as soon as the core has nothing more to do: until a peer has answered the Close, or
   * long enough did not. The process may end meanwhile.
   */
  retire(): void {
    this.#isRetiring = true;
    this.setRef(false);
    this.kick();
  }

  /** Closes socket and timer. What the core still holds can be read. */
  release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.#disarm();
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#socket.close();
  }

  /** Keeps the process alive (the default), or not. */
  setRef(isRef: boolean): void {
    this.#isRef = isRef;
    if (this.isReleased) return;
    if (isRef) this.#socket.ref();
    else this.#socket.unref();
    this.#disarm();
    this.#arm();
  }

  data(bytes: Uint8Array, host: string, port: number, local?: string): void {
    if (this.isReleased) return;
    this.#bytesSinceTurn += bytes.length;
    const datagrams = ++this.#sinceTurn;
    // Nobody reads between datagrams that are read together: no time to speak of goes by.
    const isTogether = datagrams > this.#prompt + 1 && datagrams % DATAGRAMS_PER_LOOK !== 0;
    if (!isTogether) this.#dataMs = performance.now();
    this.core.handleDatagram(bytes, this.#addressOf(host, port, local), this.#dataMs);
    if (datagrams >= DATAGRAMS_PER_TURN || this.#bytesSinceTurn >= BYTES_PER_TURN) {
      return this.#endTurn();
    }
    if (datagrams <= this.#prompt) this.#upcalls.onProgress();
    // A heartbeat, say, asks for nothing: then there is no turn to end.
    if (this.#wantsTurn || datagrams > this.#prompt) this.kick();
    else this.#putOffTimer(this.#dataMs);
  }

  drain(): void {
    this.kick();
  }

  /** Lets the core do what is due, sends what it wants sent, and tells what it has to tell. */
  turn(): void {
    if (this.isReleased) return;
    const { core } = this;
    const nowMs = performance.now();
    this.#prompt = this.#sinceTurn > PROMPT_PER_TURN ? 0 : PROMPT_PER_TURN;
    this.#sinceTurn = 0;
    this.#bytesSinceTurn = 0;
    this.#promptFlushes = 0;
    if ((core.wakeAtMs() ?? Infinity) <= nowMs) core.handleWake(nowMs);
    this.#flush(nowMs);
    for (let notice = core.pollNotice(); notice; notice = core.pollNotice()) {
      this.#upcalls.onNotice(notice);
    }
    this.#upcalls.onProgress();
    if (this.#isRetiring && core.wakeAtMs() === undefined) this.release();
    this.#arm();
  }

  get #wantsTurn(): boolean {
    const { core } = this;
    const timerAtMs = this.#timerAtMs;
    return this.#isRetiring || core.wantsTurn || (core.wakeAtMs() ?? Infinity) < timerAtMs;
  }

  /** Readers go first, so that acknowledgements ride on what they write. */
  readonly #endTurn = (): void => {
    if (this.#immediate !== undefined) clearImmediate(this.#immediate);
    this.#immediate = undefined;
    this.#upcalls.onProgress();
    queueMicrotask(this.#turnLater);
  };

  readonly #turnLater = (): void => this.turn();

  readonly #flushPromptly = (): void => {
    this.#isPrompt = false;
    if (!this.isReleased) this.#flush(performance.now());
  };

  #flush(nowMs: number): void {
    if (this.#unsent.length > 0) this.#sendAll(this.#unsent, this.#unsentTo);
    while (this.#unsent.length === 0) {
      const packets: Uint8Array[] = [];
      const to: Address[] = [];
      while (packets.length < BATCH) {
        const buffer = slab[packets.length]!;
        const out = this.core.pollDatagram(buffer, nowMs);
        if (out === undefined) break;
        let view = views[packets.length]!;
        if (view.length !== out.length) {
          view = buffer.subarray(0, out.length);
          views[packets.length] = view;
        }
        packets.push(view);
        to.push(out.to);
      }
      if (packets.length === 0) return;
      this.#sendAll(packets, to);
      if (packets.length < BATCH) return;
    }
  }

  /** Sends in order; what finds no room in the kernel is kept for the next turn. */
  #sendAll(packets: Uint8Array[], to: Address[]): void {
    let done = 0;
    let failures = 0;
    while (done < packets.length) {
      try {
        const rest = done === 0 ? packets : packets.slice(done);
        const sent = this.#socket.sendMany(rest, done === 0 ? to : to.slice(done));
        if (sent <= 0) break;
        done += sent;
        failures = 0;
      } catch {
        // An ICMP error of an earlier datagram fails the next send, to whomever: it is tried once
        // more. What fails again is let go; LSP repairs the loss, or finds the peer silent.
        if (++failures < 2) continue;
        failures = 0;
        done++;
        this.sendErrors++;
      }
    }
    const isAll = done >= packets.length;
    this.#unsent = isAll ? [] : packets.slice(done).map((packet) => new Uint8Array(packet));
    this.#unsentTo = isAll ? [] : to.slice(done);
  }

  #arm(): void {
    if (this.isReleased) return;
    const atMs = this.core.wakeAtMs() ?? Infinity;
    // A timer that rings too early costs one look; setting it anew each time would cost more.
    if (this.#timerAtMs <= atMs) return this.#putOffTimer(performance.now());
    this.#setTimer(atMs);
  }

  /** Now and then, and so always when little happens: a timer must not ring in vain. */
  #putOffTimer(nowMs: number): void {
    const isFar = this.#timerAtMs > nowMs + NEAR_MS;
    if (nowMs < (isFar ? this.#farPutOffAtMs : this.#putOffAtMs)) return;
    if (isFar) this.#farPutOffAtMs = nowMs + FAR_PUT_OFF_MS;
    else this.#putOffAtMs = nowMs + PUT_OFF_MS;
    this.core.putOffAlarms();
    const atMs = this.core.wakeAtMs() ?? Infinity;
    if (atMs > this.#timerAtMs) this.#setTimer(atMs);
  }

  #setTimer(atMs: number): void {
    this.#disarm();
    if (atMs === Infinity) return;
    this.#timerAtMs = atMs;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#timerAtMs = Infinity;
        this.turn();
      },
      Math.min(Math.max(0, Math.ceil(atMs - performance.now())), TIMEOUT_MS_MAX),
    );
    if (!this.#isRef) this.#timer.unref();
  }

  #disarm(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAtMs = Infinity;
  }

  #addressOf(host: string, port: number, local?: string): Address {
    const known = this.#texts.get(port);
    if (known?.host === host && known.local === local) return known.text;
    const text = addressText(host, port, local);
    this.#texts.set(port, { host, local, text });
    return text;
  }
}

/** setTimeout takes 31 bits; a longer wait is made of several. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
