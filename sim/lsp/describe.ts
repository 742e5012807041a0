/**
 * Datagrams and application messages in a few words, for transcripts.
 *
 * @module
 */
import { DatagramReader, FrameType } from "../../lsp/frame.ts";

const reader = new DatagramReader();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

/** What a datagram says: its frames on the cbor wire, the type and number on the json wire. */
export function describeDatagram(bytes: Uint8Array): string {
  if (bytes[0] === 0x7b) return describeClassic(text.decode(bytes));
  if (!reader.open(bytes)) return `${bytes.length} bytes, ${reader.reject}`;
  const frames: string[] = [];
  while (reader.next()) frames.push(describeFrame());
  return `#${reader.number} conn ${reader.connId}: ${frames.join(", ")}`;
}

function describeClassic(json: string): string {
  const match = /"Type":(\d).*"ConnID":(\d+).*"SeqNum":(\d+).*"Size":(\d+)/.exec(json);
  if (match === null) return "damaged json";
  const [, type, connId, seq, size] = match;
  const name = ["connect", "data", "ack", "cack"][Number(type)];
  return `json conn ${connId}: ${name} ${seq}${type === "1" ? ` (${size} bytes)` : ""}`;
}

function describeFrame(): string {
  switch (reader.type) {
    case FrameType.connect:
      return `connect ${reader.isn}`;
    case FrameType.challenge:
      return `challenge ${reader.isn}`;
    case FrameType.refuse:
      return `refuse ${reader.isn} (${reader.reason})`;
    case FrameType.accept:
      return `accept ${reader.isn} as ${reader.newConnId}`;
    case FrameType.data:
      return `data ${reader.seq} (${reader.payloadLength} bytes)`;
    case FrameType.ack: {
      const ranges = Array.from({ length: reader.rangeCount }, (_, i) => {
        return ` ${reader.rangeFirst(i)}-${reader.rangeLast(i)}`;
      });
      const room = `room ${reader.windowMessages} or ${reader.windowBytes} bytes`;
      return `ack ..${reader.cumulative}${ranges.join("")} ${room}`;
    }
    case FrameType.close:
      return `close ${reader.code}`;
    case FrameType.pathChallenge:
      return "path challenge";
    case FrameType.pathResponse:
      return "path response";
    case FrameType.unknown:
      return `unknown, to #${reader.echo}`;
    default:
      return `frame ${reader.type}`;
  }
}

/** An application message, field by field. */
export function describeMessage(message: object): string {
  const fields = Object.entries(message).map(([name, value]) => {
    return `${name}=${describeValue(value)}`;
  });
  return fields.join(" ");
}

/** A candidate as `hash@nonce`; else what there is, as deep as it goes. */
function describeValue(value: unknown): string {
  if (typeof value !== "object" || value === null) return String(value);
  if (value instanceof Uint8Array) return value.toHex();
  if (Array.isArray(value)) return `[${value.map(describeValue).join(", ")}]`;
  if ("hash" in value && "nonce" in value) return `${value.hash}@${value.nonce}`;
  return `{${describeMessage(value)}}`;
}
