/**
 * The cbor wire: a fixed header, then CBOR frames in one canonical fixed-width layout each, which
 * any CBOR library can read and only this strict codec is allowed to. docs/protocol.md has it byte
 * by byte.
 *
 * ```ts
 * import { DatagramReader, DatagramWriter, FrameType } from "./frame.ts";
 *
 * const writer = new DatagramWriter();
 * writer.begin(buffer, connId, key, ++sentDatagrams);
 * writer.data(seq, payload); // false: full, finish this one and begin another
 * const length = writer.finish();
 *
 * const reader = new DatagramReader();
 * if (!reader.open(datagram)) count(reader.reject);
 * else while (reader.next()) if (reader.type === FrameType.data) take(reader.seq, reader.payload);
 * ```
 *
 * @module
 */
export * from "./frame_layout.ts";
export { DatagramReader } from "./frame_reader.ts";
export { ACCEPT_BYTES, DatagramWriter } from "./frame_writer.ts";
