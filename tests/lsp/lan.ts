/**
 * A network in memory with a clock of its own, for tests of LSP: the simulator's, without faults.
 * Datagrams take a fixed time, and a test may look at each, and drop it.
 */
import { seededRandom } from "../../base/random.ts";
import {
  type ClassicType,
  decodeClassicFrame,
  encodeClassicFrame,
} from "../../lsp/classic_frame.ts";
import { createDialer, type Dialer, type DialerOptions } from "../../lsp/dialer.ts";
import type { Endpoint } from "../../lsp/core.ts";
import {
  type ConnectionKey,
  DatagramReader,
  DatagramWriter,
  FrameType,
  NO_KEY,
} from "../../lsp/frame.ts";
import { PLAIN_SEAL } from "../../lsp/seal.ts";
import { createListener, type Listener } from "../../lsp/listener.ts";
import type { CoreOptions } from "../../lsp/params.ts";
import type { LspEvent, LspNotice } from "../../lsp/types.ts";
import { Computer } from "../../sim/engine/computer.ts";
import { calmFaults } from "../../base/link.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { Network } from "../../sim/engine/network.ts";
import { Host, type Program } from "../../sim/lsp/host.ts";

/** A datagram under way. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  readonly sentMs: number;
}

/** One endpoint on the network, and what it told so far. */
export class Node<Core extends Endpoint = Endpoint> implements Program {
  readonly core: Core;
  readonly host: Host;
  readonly events: LspEvent[] = [];
  readonly notices: LspNotice[] = [];
  /** A node that does not read leaves its events in the core. */
  reading = true;

  constructor(core: Core, computer: Computer, network: Network, address: string) {
    this.core = core;
    this.host = new Host(address, computer, network, core, this, address);
  }

  get address(): string {
    return this.host.socket.address;
  }

  /** What it read, as text. */
  get texts(): string[] {
    const data = this.events.filter((event) => event.kind === "data");
    return data.map((event) => new TextDecoder().decode(event.payload));
  }

  onNotice(notice: LspNotice): void {
    this.notices.push(notice);
  }

  wantsEvent(): boolean {
    return this.reading;
  }

  onEvent(event: LspEvent): void {
    this.events.push(event);
  }
}

/** The simulator's network, calm, with a computer for each node. Its time starts at 0. */
export class Lan {
  /** Every datagram sent so far. */
  readonly sent: Packet[] = [];
  /** Whether a datagram gets through; it may be dropped here, not changed. */
  passes: (packet: Packet) => boolean = () => true;
  readonly nodes: Node[] = [];
  readonly #loop = new Loop();
  readonly #network = new Network(this.#loop, seededRandom(0));

  constructor() {
    this.latencyMs = 1;
    this.#network.tap = { onSent: (from, to, bytes) => this.#onSent(from.address, to, bytes) };
  }

  get nowMs(): number {
    return this.#loop.nowMs;
  }

  /** How long every datagram takes, those that are sent from now on. */
  set latencyMs(latencyMs: number) {
    this.#network.heal(calmFaults(latencyMs));
  }

  /** Its connections have the numbers 1, 2, 3, on the json wire too: they read more easily. */
  listener(options: Partial<CoreOptions> = {}, address = "server 1"): Node<Listener> {
    let lastId = 0;
    const base = { random: seededRandom(1), classicIds: () => ++lastId };
    return this.add(createListener({ ...base, ...options }, this.nowMs), address);
  }

  dialer(options: Partial<DialerOptions> = {}, address = "client 1"): Node<Dialer> {
    const base = { random: seededRandom(2), to: "server 1", isn: 100 };
    return this.add(createDialer({ ...base, ...options }, this.nowMs), address);
  }

  add<Core extends Endpoint>(core: Core, address: string): Node<Core> {
    const computer = new Computer({ name: address, loop: this.#loop });
    const node = new Node(core, computer, this.#network, address);
    this.nodes.push(node);
    this.flush();
    return node;
  }

  /** The node stops for good, as a crash does: it neither sends nor receives. */
  remove(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
    node.host.kill();
  }

  /**
   * A datagram from nobody's socket; it is there at once. A cbor one that bears no key gets that
   * of its connection, as those could write it who see what passes.
   */
  inject(bytes: Uint8Array, to: string, from = "stranger 9"): void {
    this.#network.at(to)?.receive(this.#withKey(bytes), from);
    this.flush();
  }

  /** The node goes on at another address, as behind a router that forgot it. */
  move(node: Node, to: string): void {
    this.#network.rebind(node.host.socket, to);
  }

  /** Carries out what the cores want now. */
  flush(): void {
    for (const node of this.nodes) node.host.pump();
    this.#finishInstant();
  }

  /** Lets time pass until `untilMs`. */
  run(untilMs: number): void {
    this.flush();
    this.#loop.runUntil(untilMs, () => {}, Infinity);
  }

  /** Lets time pass until `done`, at most `mostMs`; whether it came to that. */
  runUntil(done: () => boolean, mostMs = 60_000): boolean {
    const endMs = this.nowMs + mostMs;
    this.flush();
    while (!done() && this.#loop.step(endMs)) this.#finishInstant();
    if (!done()) this.run(endMs);
    return done();
  }

  /** Jumps the clock, as a sleeping machine does; nothing happens in between. */
  jump(byMs: number): void {
    for (const { host } of this.nodes) host.computer.sleep(byMs);
    this.#loop.runUntil(this.nowMs + byMs, () => {}, Infinity);
  }

  /** Writes text on a connection and sends it. */
  write(node: Node, connId: number, text: string): void {
    node.core.write(connId, new TextEncoder().encode(text));
    this.flush();
  }

  /** The key that the newest datagrams of connection `connId` bear. */
  keyOf(connId: number): ConnectionKey {
    const reader = new DatagramReader();
    const isOfIt = ({ bytes }: Packet): boolean => reader.open(bytes) && reader.connId === connId;
    return this.sent.findLast(isOfIt) === undefined ? NO_KEY : reader.key;
  }

  #withKey(bytes: Uint8Array): Uint8Array {
    const reader = new DatagramReader();
    if (!reader.open(bytes) || reader.connId === 0 || !reader.bears(NO_KEY)) return bytes;
    return withKey(bytes, this.keyOf(reader.connId));
  }

  #finishInstant(): void {
    while (this.#loop.step(this.nowMs));
  }

  #onSent(from: string, to: string, bytes: Uint8Array): boolean {
    const packet = { from, to, bytes: bytes.slice(), sentMs: this.nowMs };
    this.sent.push(packet);
    return this.passes(packet);
  }
}

/** A listener and a dialer that are connected as number 1. */
export function connectedPair(
  options: Partial<DialerOptions> = {},
  serverOptions: Partial<CoreOptions> = {},
): { link: Lan; server: Node<Listener>; client: Node<Dialer> } {
  const link = new Lan();
  const shared = options.params === undefined ? {} : { params: options.params };
  const server = link.listener({ ...shared, ...serverOptions });
  const client = link.dialer(options);
  if (!link.runUntil(() => client.notices.length > 0)) throw new Error("no connection");
  return { link, server, client };
}

/** The classic frames that `from` sent to `to`, as `type seq` or `type seq payload`, in order. */
export function classicFrames(link: Lan, from: string, to: string): string[] {
  return packetsBetween(link, from, to).map(({ bytes }) => {
    const frame = decodeClassicFrame(bytes);
    if (typeof frame === "string") throw new Error(`not a frame: ${frame}`);
    const name = ["Connect", "Data", "Ack", "CAck"][frame.type]!;
    const payload = frame.type === 1 ? ` ${new TextDecoder().decode(frame.payload)}` : "";
    return `${name} ${frame.seq}${payload}`;
  });
}

/** The cbor frames that `from` sent to `to`, by name, those of one datagram in one string. */
export function cborFrames(link: Lan, from: string, to: string): string[] {
  const names = Object.entries(FrameType);
  return packetsBetween(link, from, to).map(({ bytes }) => {
    const reader = new DatagramReader();
    if (!reader.open(bytes)) throw new Error(`not a datagram: ${reader.reject}`);
    const frames: string[] = [];
    while (reader.next()) {
      const name = names.find(([, type]) => type === reader.type)![0];
      frames.push(reader.type === FrameType.data ? `data ${reader.seq}` : name);
    }
    return frames.join(" + ");
  });
}

/** Every datagram from one address to another so far. */
export function packetsBetween(link: Lan, from: string, to: string): Packet[] {
  return link.sent.filter((packet) => packet.from === from && packet.to === to);
}

/** A classic datagram as a peer of another make would write it. */
export function classicDatagram(
  type: ClassicType,
  connId: number,
  seq: number,
  text = "",
): Uint8Array {
  const into = new Uint8Array(2048);
  const payload = new TextEncoder().encode(text);
  return into.slice(0, encodeClassicFrame(into, { type, connId, seq, payload }));
}

/** A copy of a cbor datagram with another key. */
export function withKey(bytes: Uint8Array, key: ConnectionKey): Uint8Array {
  const copy = bytes.slice();
  const view = new DataView(copy.buffer);
  view.setUint32(21, key.high);
  view.setUint32(25, key.low);
  PLAIN_SEAL.seal(copy, 0, copy.length);
  return copy;
}

/** A cbor datagram whose frames `write` writes, without a key. */
export function cborDatagram(
  connId: number,
  number: number,
  write: (writer: DatagramWriter) => void,
): Uint8Array {
  const into = new Uint8Array(2048);
  const writer = new DatagramWriter();
  writer.begin(into, connId, NO_KEY, number);
  write(writer);
  return into.slice(0, writer.finish());
}
