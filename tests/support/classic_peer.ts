/**
 * A stranger's LSP: the classic wire as somebody would write it from docs/lsp.md, sections 3 to 9,
 * with nothing of ours at hand, one message under way at a time. Tests set it against our programs.
 *
 * @module
 */
import { createHash } from "node:crypto";

const EPOCH_MILLIS = 100;

/** A datagram of the classic wire as JSON.parse gives it. */
interface Packet {
  readonly Type: number;
  readonly ConnID: number;
  readonly SeqNum: number;
  readonly Size: number;
  readonly Checksum: number;
  readonly Payload: string | null;
}

function fold32(value: number): number {
  const u = value >>> 0;
  return ((u & 0xffff) + (u >>> 16)) & 0xffff;
}

/** The checksum of docs/lsp.md, section 8, lost carry and all. */
export function classicChecksum(id: number, seq: number, payload: Uint8Array): number {
  let sum = fold32(id) + fold32(seq % 2 ** 32) + fold32(payload.length);
  for (let i = 0; i < payload.length; i += 2) sum += payload[i]! + ((payload[i + 1] ?? 0) << 8);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

const packet = (type: number, id: number, seq: number, payload?: string): string => {
  if (payload === undefined) {
    return `{"Type":${type},"ConnID":${id},"SeqNum":${seq},"Size":0,"Checksum":0,"Payload":null}`;
  }
  const bytes = Buffer.from(payload);
  const sum = classicChecksum(id, seq, bytes);
  const rest = `"Size":${bytes.length},"Checksum":${sum},"Payload":"${bytes.toString("base64")}"`;
  return `{"Type":${type},"ConnID":${id},"SeqNum":${seq},${rest}}`;
};

type Socket = Bun.udp.Socket<"buffer">;

/** Sends; a closed port's answer to an earlier datagram fails a later send, and means nothing. */
function send(out: () => void): void {
  try {
    out();
  } catch {
    // Lost, as datagrams may be.
  }
}

/** What is to be ended when the tests are over. */
const ends: (() => void)[] = [];

/** Ends every stranger. */
export function endStrangers(): void {
  for (const end of ends.splice(0)) end();
}

/** One end of one connection: stop and wait, resent every epoch. */
class Line {
  readonly id: number;
  readonly #send: (text: string) => void;
  readonly #queue: string[] = [];
  readonly #readers: ((message: string) => void)[] = [];
  readonly #unread: string[] = [];
  #sendSeq: number;
  #readSeq: number;

  constructor(id: number, isn: number, send: (text: string) => void) {
    this.id = id;
    this.#sendSeq = this.#readSeq = isn;
    this.#send = send;
  }

  write(message: string): void {
    this.#queue.push(message);
    if (this.#queue.length === 1) this.#sendFirst(true);
  }

  read(): Promise<string> {
    const message = this.#unread.shift();
    if (message !== undefined) return Promise.resolve(message);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  tick(): void {
    if (this.#queue.length > 0) this.#sendFirst(false);
    else this.#send(packet(2, this.id, 0));
  }

  take({ Type, SeqNum, Payload }: Packet): void {
    if (Type === 2 && SeqNum === this.#sendSeq && this.#queue.length > 0) {
      this.#queue.shift();
      if (this.#queue.length > 0) this.#sendFirst(true);
    }
    if (Type !== 1) return;
    this.#send(packet(2, this.id, SeqNum));
    if (SeqNum !== this.#readSeq + 1) return;
    this.#readSeq++;
    const message = Buffer.from(Payload ?? "", "base64").toString();
    const reader = this.#readers.shift();
    if (reader === undefined) this.#unread.push(message);
    else reader(message);
  }

  #sendFirst(isNew: boolean): void {
    if (isNew) this.#sendSeq++;
    this.#send(packet(1, this.id, this.#sendSeq, this.#queue[0]!));
  }
}

/** A stranger that dialled a server. */
export async function dialClassic(port: number): Promise<Line> {
  const isn = 7;
  let line: Line | undefined;
  const connected = Promise.withResolvers<void>();
  const socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    connect: { hostname: "127.0.0.1", port },
    socket: {
      error() {},
      data(_, bytes) {
        const got = JSON.parse(bytes.toString()) as Packet;
        if (line === undefined && got.Type === 2 && got.SeqNum === isn && got.ConnID > 0) {
          line = new Line(got.ConnID, isn, (text) => send(() => socket.send(text)));
          connected.resolve();
        } else if (got.ConnID === line?.id) line.take(got);
      },
    },
  });
  const tick = (): void =>
    line === undefined ? send(() => socket.send(packet(0, 0, isn))) : line.tick();
  tick();
  const timer = setInterval(tick, EPOCH_MILLIS);
  await connected.promise;
  ends.push(() => (clearInterval(timer), socket.close()));
  return line!;
}

/** A stranger's server; its port. Each new connection goes to `onLine`. */
export async function listenClassic(onLine: (line: Line) => void): Promise<number> {
  const lines = new Map<number, Line>();
  const socket: Socket = await Bun.udpSocket({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      error() {},
      data(_, bytes, port, host) {
        const got = JSON.parse(bytes.toString()) as Packet;
        if (got.Type !== 0) return void lines.get(port)?.take(got);
        let line = lines.get(port);
        if (line === undefined) {
          line = new Line(lines.size + 1, got.SeqNum, (text) =>
            send(() => socket.send(text, port, host)),
          );
          lines.set(port, line);
          onLine(line);
        }
        const ack = packet(2, line.id, got.SeqNum);
        send(() => socket.send(ack, port, host));
      },
    },
  });
  const timer = setInterval(() => {
    for (const line of lines.values()) line.tick();
  }, EPOCH_MILLIS);
  ends.push(() => (clearInterval(timer), socket.close()));
  return socket.port;
}

// ---- docs/lsp.md, section 9

/** A Request, a Join or a Result, numbers in bare digits. */
export const say = (
  type: number,
  data = "",
  lower = 0n,
  upper = 0n,
  hash = 0n,
  nonce = 0n,
): string =>
  `{"Type":${type},"Data":${JSON.stringify(data)},"Lower":${lower},"Upper":${upper},` +
  `"Hash":${hash},"Nonce":${nonce}}`;

/** One number of a message, all 64 bits of it. */
export const numberIn = (message: string, name: string): bigint =>
  BigInt(new RegExp(`"${name}":(\\d+)`).exec(message)![1]!);

/** The stranger's own slow search. */
export function searchSlowly(data: string, lower: bigint, upper: bigint): [bigint, bigint] {
  let best: [bigint, bigint] | undefined;
  for (let nonce = lower; nonce <= upper; nonce++) {
    const hash = createHash("sha256").update(`${data} ${nonce}`).digest().readBigUInt64BE(0);
    if (best === undefined || hash < best[0]) best = [hash, nonce];
  }
  return best!;
}
