/**
 * A server's jobs and answers as a file: what `server.ts export` writes and `server.ts import`
 * reads.
 *
 * Little-endian: 8 bytes `mlodejob`, 4 bytes format (1), 4 bytes CRC-32C of all bytes from the 16th
 * on, 8 bytes length of the table, the table (server/table_snapshot.ts, which has a version of its
 * own).
 *
 * @module
 */
import { crc32c } from "../base/crc.ts";

const MAGIC = new TextEncoder().encode("mlodejob");
const FORMAT = 1;
const CRC_AT = 12;
const LENGTH_AT = 16;
const HEAD_BYTES = 24;

/** The file that holds `table`. */
export function encodeBackup(table: Uint8Array): Uint8Array {
  const file = new Uint8Array(HEAD_BYTES + table.length);
  const view = new DataView(file.buffer);
  file.set(MAGIC);
  view.setUint32(MAGIC.length, FORMAT, true);
  view.setBigUint64(LENGTH_AT, BigInt(table.length), true);
  file.set(table, HEAD_BYTES);
  view.setUint32(CRC_AT, crc32c(file, LENGTH_AT), true);
  return file;
}

/** The table that `file` holds. Throws an Error of one line if it is foreign, newer or damaged. */
export function decodeBackup(file: Uint8Array): Uint8Array {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const isOurs = file.length >= HEAD_BYTES && MAGIC.every((byte, i) => file[i] === byte);
  if (!isOurs) throw new Error("it is no file that server.ts export has written");
  const format = view.getUint32(MAGIC.length, true);
  if (format !== FORMAT) {
    throw new Error(`it has format ${format}, and this program knows ${FORMAT}; use a newer one`);
  }
  const length = view.getBigUint64(LENGTH_AT, true);
  const there = file.length - HEAD_BYTES;
  if (length !== BigInt(there)) {
    throw new Error(`it is damaged: it has ${there} bytes of a table of ${length}; export again`);
  }
  if (view.getUint32(CRC_AT, true) !== crc32c(file, LENGTH_AT)) {
    throw new Error("it is damaged: its checksum is another; export again, or take another copy");
  }
  return file.subarray(HEAD_BYTES);
}
