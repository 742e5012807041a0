/**
 * What a datagram costs in the codecs: `bun run bench/frame.ts`. Data frames of 200 bytes on either
 * wire, the checksum, and cbor-x on the same values for comparison.
 *
 * @module
 */
import { Decoder } from "cbor-x/decode";
import { Encoder } from "cbor-x/encode";
import { bench, do_not_optimize, group, run } from "mitata";
import { ClassicType, decodeClassicFrame, encodeClassicFrame } from "../lsp/classic_frame.ts";
import { crc32 } from "../lsp/crc32.ts";
import { crc32Native } from "../lsp/crc32_native.ts";
import {
  type AckFields,
  DatagramReader,
  DatagramWriter,
  FrameType,
  DATAGRAM_BYTES_MAX,
} from "../lsp/frame.ts";
import { ChecksumSeal, type Seal } from "../lsp/seal.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

const payload = Uint8Array.from({ length: 200 }, (_, i) => i);
const buffer = new Uint8Array(DATAGRAM_BYTES_MAX);
const writer = new DatagramWriter();
const reader = new DatagramReader();
const nativeSeal = new ChecksumSeal(crc32Native);
const nativeWriter = new DatagramWriter(nativeSeal);
const ack: AckFields = {
  cumulative: 1000,
  echo: 77,
  echoDelayMicros: 50,
  windowMessages: 256,
  windowBytes: 1 << 20,
  rangeCount: 2,
  ranges: Float64Array.of(1002, 1003, 1010, 1020),
};
const key = { high: 0x0123_4567, low: 0x89ab_cdef };
let seq = 2 ** 32;

function writeOne(into: Uint8Array): number {
  writer.begin(into, 7, key, seq++);
  writer.data(seq, payload);
  return writer.finish();
}

function writePacked(into: Uint8Array, writer: DatagramWriter): number {
  writer.begin(into, 7, key, seq++);
  writer.ack(ack);
  while (writer.data(seq, payload)) seq++;
  return writer.finish();
}

/** Reads everything there is, as an endpoint would. */
function readAll(datagram: Uint8Array, seal?: Seal): number {
  let sum = 0;
  if (!reader.open(datagram, seal)) throw new Error(reader.reject);
  while (reader.next()) {
    if (reader.type === FrameType.data) sum += reader.seq + reader.payloadLength;
    else sum += reader.cumulative + reader.rangeLast(reader.rangeCount - 1);
  }
  return sum;
}

const one = buffer.slice(0, writeOne(buffer));
const packed = buffer.slice(0, writePacked(buffer, writer));
const forged = one.slice();
forged[100]! ^= 1;

group("cbor wire, 200-byte payload", () => {
  bench("write a datagram: 1 Data", () => do_not_optimize(writeOne(buffer)));
  bench("read a datagram: 1 Data", () => do_not_optimize(readAll(one)));
  bench("write a datagram: Ack with 2 ranges + 5 Data", () => {
    do_not_optimize(writePacked(buffer, writer));
  });
  bench("read a datagram: Ack with 2 ranges + 5 Data", () => do_not_optimize(readAll(packed)));
  bench("the same, written with crc32Native", () => {
    do_not_optimize(writePacked(buffer, nativeWriter));
  });
  bench("the same, read with crc32Native", () => {
    do_not_optimize(readAll(packed, nativeSeal));
  });
  bench("reject a damaged datagram", () => do_not_optimize(reader.open(forged)));
});

group("cbor-x on the same Data frame", () => {
  const encoder = new Encoder({ useRecords: false });
  const decoder = new Decoder({ useRecords: false });
  const bytes = encoder.encode([5, 2 ** 32 + 1, payload]);
  bench("encode", () => do_not_optimize(encoder.encode([5, 2 ** 32 + 1, payload])));
  bench("decode", () => do_not_optimize(decoder.decode(bytes)));
});

group("checksum", () => {
  const long = Uint8Array.from({ length: 1200 }, (_, i) => i * 7);
  bench("crc32, 200 bytes", () => do_not_optimize(crc32(payload)));
  bench("crc32, 1200 bytes", () => do_not_optimize(crc32(long)));
  bench("crc32Native, 200 bytes", () => do_not_optimize(crc32Native(payload, 0, 200, 0)));
  bench("crc32Native, 1200 bytes", () => do_not_optimize(crc32Native(long, 0, 1200, 0)));
});

group("json wire, 200-byte payload", () => {
  const into = new Uint8Array(2000);
  const frame = { type: ClassicType.data, connId: 7, seq: 124, payload };
  const bytes = into.slice(0, encodeClassicFrame(into, frame));
  bench("encode", () => do_not_optimize(encodeClassicFrame(into, frame)));
  bench("decode", () => do_not_optimize(decodeClassicFrame(bytes)));
});

await run();
