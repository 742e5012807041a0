/**
 * Datagrams that a forger makes up.
 *
 * @module
 */
import {
  CloseCode,
  type ConnectionKey,
  DatagramReader,
  DatagramWriter,
  FrameType,
  LSP_VERSION,
  Marks,
  NO_KEY,
  RefuseCode,
} from "../../lsp/frame.ts";
import type { Dice } from "../engine/dice.ts";

/** Far beyond what any simulated end has sent. */
export const BEYOND = 1_000_000;

/** The reason of every end that is forged; no end may be told it. */
export const FORGED = "forged";

/** What a forger says of itself. */
export const OFFER = {
  windowMessages: 9,
  windowBytes: 9999,
  epochMillis: 500,
  maxMessageBytes: 9999,
} as const;

/** What a datagram says that it is of. */
export interface Name {
  readonly connId: number;
  readonly key: ConnectionKey;
}

/** That of a handshake. */
export const NOBODY: Name = { connId: 0, key: NO_KEY };

const into = new Uint8Array(2048);
const writer = new DatagramWriter();
const reader = new DatagramReader();
const utf8 = new TextEncoder();

/** A cbor datagram whose frames `write` writes. */
export function native(
  { connId, key }: Name,
  number: number,
  write: (w: DatagramWriter) => void,
): Uint8Array {
  writer.begin(into, connId, key, number);
  write(writer);
  return into.slice(0, writer.finish());
}

/** A classic datagram without a payload. */
export function classic(type: number, connId: number, seq: number): Uint8Array {
  return utf8.encode(
    `{"Type":${type},"ConnID":${connId},"SeqNum":${seq},"Size":0,"Checksum":0,"Payload":null}`,
  );
}

export function connect(isn: number, token: bigint): Uint8Array {
  const versions = { lspVersion: LSP_VERSION, appVersion: 0 };
  return native(NOBODY, 1, (w) => w.connect({ ...OFFER, ...versions, isn, token }));
}

export function ackOf(name: Name, number: number, cumulative: number, echo: number): Uint8Array {
  const window = { windowMessages: BEYOND, windowBytes: BEYOND };
  const ranges = new Float64Array(2);
  const fields = { cumulative, echo, echoDelayMicros: 0, ...window, rangeCount: 0, ranges };
  return native(name, number, (w) => w.ack(fields));
}

export function closeOf(name: Name, number: number, code: number): Uint8Array {
  return native(name, number, (w) => w.close(code, 0, FORGED));
}

/**
 * What somebody might send who knows all that `seen` says but the 64 bits that only those see who
 * see the datagrams: it has one bit of them wrong, or all. `undefined`: nothing comes to mind.
 */
export function blindly(seen: Uint8Array, dice: Dice): Uint8Array | undefined {
  if (!reader.open(seen) || reader.connId === 0) return undefined;
  const { connId, number } = reader;
  const name = { connId, key: almost(reader.key, dice) };
  let high = 0;
  while (reader.next()) {
    if (reader.type === FrameType.ack) high = Math.max(high, reader.cumulative);
    if (reader.type === FrameType.data) high = Math.max(high, reader.seq);
    // It may answer what was forged: one wrong bit more or less would make its key the right one.
    if (reader.type === FrameType.close || reader.type === FrameType.unknown) return undefined;
  }
  const next = number + dice.integer(0, 3);
  const bytes = Uint8Array.of(6, 6, 6);
  switch (dice.integer(0, 6)) {
    case 0:
      return ackOf(name, next, high, Math.min(number, 1));
    case 1:
      return native(name, next, (w) => w.data(high + 1, bytes));
    case 2:
      return native(name, next, (w) => w.fragment(high + 1, Marks.first, BEYOND, bytes));
    case 3:
      return native(name, next, (w) => w.pathChallenge(BigInt(number)));
    case 4:
      return native(name, next, (w) => w.pathResponse(BigInt(number)));
    default:
      return closeOf(name, next, dice.pick(Object.values(CloseCode)));
  }
}

/** An answer to a Connect, `seen`: with the right ISN, but not the number of that Connect. */
export function blindAnswer(seen: Uint8Array, dice: Dice): Uint8Array | undefined {
  if (!reader.open(seen) || !reader.next() || reader.type !== FrameType.connect) return undefined;
  const { isn, number } = reader;
  const wrong = number + dice.integer(1, BEYOND);
  if (dice.chance(0.5)) return native(NOBODY, wrong, (w) => w.challenge(isn, 1n));
  const no = { isn, code: RefuseCode.full, lspVersion: 0, appVersion: 0, reason: FORGED };
  return native(NOBODY, wrong, (w) => w.refuse(no));
}

function almost({ high, low }: ConnectionKey, dice: Dice): ConnectionKey {
  const bit = (1 << dice.integer(0, 31)) >>> 0;
  switch (dice.integer(0, 3)) {
    case 0:
      return NO_KEY;
    case 1:
      return { high: (high ^ bit) >>> 0, low };
    case 2:
      return { high, low: (low ^ bit) >>> 0 };
    default:
      return { high: low, low: high };
  }
}
