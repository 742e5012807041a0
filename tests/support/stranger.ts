/**
 * The simulator's stranger on real sockets: its classic LSP, with nothing of ours, against our
 * programs. One message under way at a time, resent every epoch.
 *
 * @module
 */
import { StrangerEndpoint } from "../../sim/lsp/stranger.ts";
import { within } from "./waiting.ts";

/** An epoch short enough for a test; a peer of ours, with its long ones, must not seem lost. */
const PARAMS = { epochMillis: 100, epochLimit: 1000 };
const HOST = "127.0.0.1";
const ISN = 7;

const utf8 = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** One end of one connection. */
export interface Line {
  write(message: string): void;
  /** The next message. */
  read(): Promise<string>;
}

/** What is to be ended when the tests are over. */
const ends: (() => void)[] = [];

/** Ends every stranger. */
export function endStrangers(): void {
  for (const end of ends.splice(0)) end();
}

/** A stranger that dialled a server. */
export async function dialClassic(port: number): Promise<Line> {
  const dialled = Promise.withResolvers<Line>();
  const core = new StrangerEndpoint(PARAMS, performance.now(), { to: `${HOST} ${port}`, isn: ISN });
  const runner = await Runner.open(core, (line) => dialled.resolve(line));
  runner.pump();
  return within("an answer to a stranger", dialled.promise);
}

/** A stranger's server; its port. Each new connection goes to `onLine`. */
export async function listenClassic(onLine: (line: Line) => void): Promise<number> {
  const runner = await Runner.open(new StrangerEndpoint(PARAMS, performance.now()), onLine);
  return runner.port;
}

/** Runs a stranger's endpoint on a socket and a timer. */
class Runner {
  readonly #core: StrangerEndpoint;
  readonly #onLine: (line: Line) => void;
  readonly #unread = new Map<number, { messages: string[]; readers: ((text: string) => void)[] }>();
  readonly #buffer = new Uint8Array(2000);
  #socket!: Bun.udp.Socket<"uint8array">;
  #timer: ReturnType<typeof setTimeout> | undefined;

  private constructor(core: StrangerEndpoint, onLine: (line: Line) => void) {
    this.#core = core;
    this.#onLine = onLine;
  }

  static async open(core: StrangerEndpoint, onLine: (line: Line) => void): Promise<Runner> {
    const runner = new Runner(core, onLine);
    runner.#socket = await Bun.udpSocket({
      hostname: HOST,
      binaryType: "uint8array",
      socket: {
        error() {},
        data(_, bytes, port, host) {
          core.handleDatagram(bytes, `${host} ${port}`, performance.now());
          runner.pump();
        },
      },
    });
    ends.push(() => (clearTimeout(runner.#timer), runner.#socket.close()));
    return runner;
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Carries out what the endpoint wants. */
  pump(): void {
    const core = this.#core;
    for (let notice = core.pollNotice(); notice; notice = core.pollNotice()) {
      if (notice.kind === "connected") this.#onLine(this.#lineOf(notice.connId));
    }
    for (let event = core.pollEvent(); event; event = core.pollEvent()) {
      if (event.kind === "data") this.#take(event.connId, decoder.decode(event.payload));
    }
    this.#send();
    clearTimeout(this.#timer);
    const atMs = core.wakeAtMs();
    if (atMs === undefined) return;
    this.#timer = setTimeout(
      () => {
        core.handleWake(performance.now());
        this.pump();
      },
      Math.max(0, Math.ceil(atMs - performance.now())),
    );
  }

  #send(): void {
    const nowMs = performance.now();
    for (let out = this.#core.pollDatagram(this.#buffer, nowMs); out;) {
      const [host, port] = out.to.split(" ") as [string, string];
      try {
        this.#socket.send(this.#buffer.subarray(0, out.length), Number(port), host);
      } catch {
        // A closed port's answer to an earlier datagram: this one is lost, as datagrams may be.
      }
      out = this.#core.pollDatagram(this.#buffer, nowMs);
    }
  }

  #lineOf(connId: number): Line {
    const unread = { messages: [] as string[], readers: [] as ((text: string) => void)[] };
    this.#unread.set(connId, unread);
    return {
      write: (message) => {
        this.#core.write(connId, utf8.encode(message), performance.now());
        this.pump();
      },
      read: () => {
        const message = unread.messages.shift();
        if (message !== undefined) return Promise.resolve(message);
        return new Promise((resolve) => unread.readers.push(resolve));
      },
    };
  }

  #take(connId: number, message: string): void {
    const unread = this.#unread.get(connId)!;
    const reader = unread.readers.shift();
    if (reader === undefined) unread.messages.push(message);
    else reader(message);
  }
}
