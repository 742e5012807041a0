/**
 * A network in memory with a clock of its own, for tests of LSP: datagrams take a fixed time, and a
 * test may look at, drop or change each.
 */
import { seededRandom } from "../../base/random.ts";
import {
  type ClassicType,
  decodeClassicFrame,
  encodeClassicFrame,
} from "../../lsp/classic_frame.ts";
import { createDialer, type Dialer, type DialerOptions } from "../../lsp/dialer.ts";
import type { Endpoint } from "../../lsp/endpoint.ts";
import { DatagramReader, DatagramWriter, FrameType } from "../../lsp/frame.ts";
import { createListener, type Listener } from "../../lsp/listener.ts";
import type { CoreOptions } from "../../lsp/params.ts";
import type { LspEvent, LspNotice } from "../../lsp/types.ts";

/** A datagram under way. */
export interface Packet {
  readonly from: string;
  readonly to: string;
  readonly bytes: Uint8Array;
  readonly sentMs: number;
}

interface Flight extends Packet {
  readonly dueMs: number;
}

/** One endpoint on the network, and what it told so far. */
export class Node<Core extends Endpoint = Endpoint> {
  readonly core: Core;
  address: string;
  readonly events: LspEvent[] = [];
  readonly notices: LspNotice[] = [];
  /** A node that does not read leaves its events in the core. */
  reading = true;
  constructor(core: Core, address: string) {
    this.core = core;
    this.address = address;
  }

  /** What it read, as text. */
  get texts(): string[] {
    const data = this.events.filter((event) => event.kind === "data");
    return data.map((event) => new TextDecoder().decode(event.payload));
  }
}

/** The network. Its time starts at 0. */
export class Link {
  nowMs = 0;
  latencyMs = 1;
  /** Every datagram sent so far. */
  readonly sent: Packet[] = [];
  /** Whether a datagram gets through; it may be dropped here, not changed. */
  passes: (packet: Packet) => boolean = () => true;
  readonly nodes: Node[] = [];
  private flights: Flight[] = [];
  private readonly buffer: Uint8Array;

  /** `bufferBytes`: what it lends to `pollDatagram`. */
  constructor(bufferBytes: number = 2048) {
    this.buffer = new Uint8Array(bufferBytes);
  }

  listener(options: Partial<CoreOptions> = {}, address = "server 1"): Node<Listener> {
    return this.add(createListener({ random: seededRandom(1), ...options }, this.nowMs), address);
  }

  dialer(options: Partial<DialerOptions> = {}, address = "client 1"): Node<Dialer> {
    const base = { random: seededRandom(2), to: "server 1", isn: 100 };
    return this.add(createDialer({ ...base, ...options }, this.nowMs), address);
  }

  add<Core extends Endpoint>(core: Core, address: string): Node<Core> {
    const node = new Node(core, address);
    this.nodes.push(node);
    this.flush();
    return node;
  }

  /** The node stops for good, as a crash does: it neither sends nor receives. */
  remove(node: Node): void {
    this.nodes.splice(this.nodes.indexOf(node), 1);
  }

  /** A datagram from nobody's socket. */
  inject(bytes: Uint8Array, to: string, from = "stranger 9"): void {
    this.deliver({ from, to, bytes, sentMs: this.nowMs });
    this.flush();
  }

  /** The node goes on at another address, as behind a router that forgot it. */
  move(node: Node, to: string): void {
    node.address = to;
  }

  /** Carries out what the cores want now. */
  flush(): void {
    for (const node of this.nodes) {
      const { core, address: from } = node;
      for (let out = core.pollDatagram(this.buffer, this.nowMs); out;) {
        const bytes = this.buffer.slice(0, out.length);
        const packet = { from, to: out.to, bytes, sentMs: this.nowMs };
        this.sent.push(packet);
        const dueMs = this.nowMs + this.latencyMs;
        if (this.passes(packet)) this.flights.push({ ...packet, dueMs });
        out = core.pollDatagram(this.buffer, this.nowMs);
      }
      for (let notice = core.pollNotice(); notice; notice = core.pollNotice()) {
        node.notices.push(notice);
      }
      if (!node.reading) continue;
      for (let event = core.pollEvent(); event; event = core.pollEvent()) node.events.push(event);
    }
    if (this.nodes.some((node) => node.reading) && this.wantsMore()) this.flush();
  }

  /** Lets time pass until `untilMs`. */
  run(untilMs: number): void {
    this.flush();
    for (;;) {
      const nextMs = this.nextMs();
      if (nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      const due = this.flights.filter((flight) => flight.dueMs <= this.nowMs);
      this.flights = this.flights.filter((flight) => flight.dueMs > this.nowMs);
      for (const flight of due) this.deliver(flight);
      for (const { core } of this.nodes) {
        if ((core.wakeAtMs() ?? Infinity) <= this.nowMs) core.handleWake(this.nowMs);
      }
      this.flush();
    }
    this.nowMs = untilMs;
  }

  /** Lets time pass until `done`, at most `mostMs`; whether it came to that. */
  runUntil(done: () => boolean, mostMs = 60_000): boolean {
    const endMs = this.nowMs + mostMs;
    this.flush();
    while (!done() && this.nowMs < endMs) this.run(Math.min(endMs, this.nextMs()));
    return done();
  }

  /** Jumps the clock, as a sleeping machine does; nothing happens in between. */
  jump(byMs: number): void {
    this.nowMs += byMs;
  }

  /** Writes text on a connection and sends it. */
  write(node: Node, connId: number, text: string): void {
    node.core.write(connId, new TextEncoder().encode(text));
    this.flush();
  }

  private nextMs(): number {
    const flights = this.flights.map((flight) => flight.dueMs);
    return Math.min(...flights, ...this.nodes.map(({ core }) => core.wakeAtMs() ?? Infinity));
  }

  /** Reading an event may make a core want to send; its datagrams come first next time. */
  private wantsMore(): boolean {
    for (const node of this.nodes) {
      const out = node.core.pollDatagram(this.buffer, this.nowMs);
      if (out === undefined) continue;
      const bytes = this.buffer.slice(0, out.length);
      const packet = { from: node.address, to: out.to, bytes, sentMs: this.nowMs };
      this.sent.push(packet);
      const dueMs = this.nowMs + this.latencyMs;
      if (this.passes(packet)) this.flights.push({ ...packet, dueMs });
      return true;
    }
    return false;
  }

  private deliver(packet: Packet): void {
    const node = this.nodes.find(({ address }) => address === packet.to);
    node?.core.handleDatagram(packet.bytes, packet.from, this.nowMs);
  }
}

/** A listener and a dialer that are connected as number 1. */
export function connectedPair(
  options: Partial<DialerOptions> = {},
  serverOptions: Partial<CoreOptions> = {},
): { link: Link; server: Node<Listener>; client: Node<Dialer> } {
  const link = new Link();
  const shared = options.params === undefined ? {} : { params: options.params };
  const server = link.listener({ ...shared, ...serverOptions });
  const client = link.dialer(options);
  if (!link.runUntil(() => client.notices.length > 0)) throw new Error("no connection");
  return { link, server, client };
}

/** The classic frames that `from` sent to `to`, as `type seq` or `type seq payload`, in order. */
export function classicFrames(link: Link, from: string, to: string): string[] {
  return packetsBetween(link, from, to).map(({ bytes }) => {
    const frame = decodeClassicFrame(bytes);
    if (typeof frame === "string") throw new Error(`not a frame: ${frame}`);
    const name = ["Connect", "Data", "Ack", "CAck"][frame.type]!;
    const payload = frame.type === 1 ? ` ${new TextDecoder().decode(frame.payload)}` : "";
    return `${name} ${frame.seq}${payload}`;
  });
}

/** The native frames that `from` sent to `to`, by name, those of one datagram in one string. */
export function nativeFrames(link: Link, from: string, to: string): string[] {
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
export function packetsBetween(link: Link, from: string, to: string): Packet[] {
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

/** A native datagram whose frames `write` writes. */
export function nativeDatagram(
  connId: number,
  number: number,
  write: (writer: DatagramWriter) => void,
): Uint8Array {
  const into = new Uint8Array(2048);
  const writer = new DatagramWriter();
  writer.begin(into, connId, number);
  write(writer);
  return into.slice(0, writer.finish());
}
