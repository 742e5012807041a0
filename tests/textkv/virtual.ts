/**
 * A text server's core on virtual sockets that take what they like, in virtual time.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { StoredState, StoreEffect } from "../../base/store.ts";
import { type Limits, TextCore, type TextEffect, type TextInput } from "../../textkv/mod.ts";

/** What a client has sent and its server has not asked for; what it has received. */
export class VirtualClient {
  readonly id: number;
  /** Bytes that its socket still takes; what it took comes back when the client reads. */
  room: number;
  /** Everything it was sent, a character a byte. */
  received = "";
  isPaused = false;
  isClosed = false;
  readonly #server: VirtualServer;
  #isRefused = false;
  #unsent: Buffer[] = [];
  #hasEnded = false;

  constructor(server: VirtualServer, id: number, room: number) {
    this.#server = server;
    this.id = id;
    this.room = room;
  }

  /** Bytes that it wanted to send and could not. */
  get unsent(): number {
    return this.#unsent.reduce((sum, bytes) => sum + bytes.length, 0);
  }

  /** What it received, line by line. All lines were whole. */
  get lines(): string[] {
    if (this.received === "") return [];
    assert(this.received.endsWith("\n"), "the last line is cut");
    return this.received.slice(0, -1).split("\n");
  }

  /** Sends; what the server does not take now it takes later. A character is a byte. */
  send(text: string): this {
    this.#unsent.push(Buffer.from(text, "latin1"));
    this.flush();
    this.#server.settle();
    return this;
  }

  /** Reads `bytes` bytes, if so many lie in its socket. */
  read(bytes: number = Infinity): this {
    this.room += bytes;
    if (this.#isRefused && !this.isClosed) {
      this.#isRefused = false;
      this.#server.tell({ kind: "writable", client: this.id });
    }
    this.#server.settle();
    return this;
  }

  /** Sends nothing more. */
  end(): this {
    this.#hasEnded = true;
    this.flush();
    this.#server.settle();
    return this;
  }

  /** Is gone from one moment to the next. */
  kill(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#server.tell({ kind: "gone", client: this.id });
    this.#server.settle();
  }

  /** Hands over what was not sent yet, if the server wants it. */
  flush(): void {
    while (!this.isPaused && !this.isClosed) {
      const bytes = this.#unsent.shift();
      if (bytes === undefined) break;
      this.#server.tell({ kind: "data", client: this.id, bytes });
      // The server may keep nothing of what it is lent.
      bytes.fill(0x21);
    }
    if (this.#hasEnded && this.#unsent.length === 0 && !this.isPaused && !this.isClosed) {
      this.#hasEnded = false;
      this.#server.tell({ kind: "ended", client: this.id });
    }
  }

  /** The server offers bytes; how many the socket takes. */
  take(bytes: Buffer): number {
    const taken = Math.min(bytes.length, this.room);
    this.room -= taken;
    this.received += bytes.toString("latin1", 0, taken);
    this.#isRefused = taken < bytes.length;
    return taken;
  }
}

/** The core, its clients and its clock. */
export class VirtualServer {
  readonly core: TextCore;
  readonly clients: Map<number, VirtualClient> = new Map();
  nowMs = 0;
  /** Turns that the core asked for, so that others come first. */
  turns = 0;
  /** What it told people. */
  readonly said: string[] = [];
  isRestored = false;
  readonly #disk: (effect: StoreEffect) => void;
  #isYielding = false;

  /** With `disk`, whatever is asked of that goes there, and `stored` is what it holds. */
  constructor(
    limits: Partial<Limits> = {},
    stored?: StoredState,
    disk: (effect: StoreEffect) => void = () => {},
  ) {
    this.core = new TextCore(limits, stored);
    this.#disk = disk;
  }

  /** Carries out what the core wanted when it was made. */
  begin(): this {
    this.#carryOutAll();
    return this;
  }

  /** A new client whose socket takes `room` bytes before it is read. */
  connect(room: number = Infinity): VirtualClient {
    const client = new VirtualClient(this, this.clients.size + 1, room);
    this.clients.set(client.id, client);
    this.tell({ kind: "opened", client: client.id });
    this.settle();
    return client;
  }

  tell(input: TextInput): void {
    this.core.handle(input, this.nowMs);
    this.#carryOutAll();
  }

  /** Lets everything happen that happens without any time going by. */
  settle(): void {
    while (this.#isYielding) this.turn();
  }

  /** Gives the core the turn that it asked for. */
  turn(): void {
    this.#isYielding = false;
    this.turns++;
    this.core.handle({ kind: "wake" }, this.nowMs);
    this.#carryOutAll();
  }

  /** Lets time go by. */
  advance(ms: number): void {
    const endMs = this.nowMs + ms;
    for (;;) {
      const wakeMs = this.core.wakeAtMs();
      if (wakeMs === undefined || wakeMs > endMs) break;
      this.nowMs = Math.max(this.nowMs, wakeMs);
      this.core.handle({ kind: "wake" }, this.nowMs);
      this.#carryOutAll();
      this.settle();
    }
    this.nowMs = endMs;
  }

  #carryOutAll(): void {
    for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
      this.#carryOut(effect);
    }
  }

  #carryOut(effect: TextEffect): void {
    if ("client" in effect) return this.#carryOutOn(this.clients.get(effect.client)!, effect);
    switch (effect.kind) {
      case "yield":
        this.#isYielding = true;
        return;
      case "restored":
        this.isRestored = true;
        return;
      case "log":
        return void this.said.push(effect.text);
      case "fail":
        return void this.said.push(`failed: ${effect.reason}`);
      default:
        return this.#disk(effect);
    }
  }

  #carryOutOn(client: VirtualClient, effect: Extract<TextEffect, { client: number }>): void {
    switch (effect.kind) {
      case "write": {
        const bytes = client.isClosed ? 0 : client.take(effect.from.subarray(0, effect.bytes));
        return this.core.handle({ kind: "taken", client: client.id, bytes }, this.nowMs);
      }
      case "pause":
        client.isPaused = true;
        return;
      case "resume":
        client.isPaused = false;
        return client.flush();
      case "close":
        client.isClosed = true;
        return this.core.handle({ kind: "gone", client: client.id }, this.nowMs);
    }
  }
}

/** The server as one would write it with no thought of limits: what each line is answered with. */
export class Twin {
  readonly lists: Map<string, string[]> = new Map();
  ignored = 0;

  answer(line: string): string[] {
    const [verb = "", ...parts] = line.replace(/\r$/, "").split(":");
    const [key = ""] = parts;
    const list = this.lists.get(key) ?? [];
    if (verb === "Get" && parts.length === 1) return list.map((one) => `${key}:${one}`);
    if (verb === "Delete" && parts.length === 1) this.lists.delete(key);
    else if (verb === "Put" && parts.length >= 2) {
      this.lists.set(key, [...list, parts.slice(1).join(":")]);
    } else if (verb === "Update" && parts.length >= 3) {
      const place = list.indexOf(parts[1]!);
      const rest = place < 0 ? list : list.toSpliced(place, 1);
      this.lists.set(key, [...rest, parts.slice(2).join(":")]);
    } else this.ignored++;
    return [];
  }
}
