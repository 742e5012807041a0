/**
 * What a peer answers to a peer: the number of the question (four bytes, big-endian), 1 if there is
 * what it asked for and else 0, and the bytes. They are no CBOR so that they need not be copied:
 * they are read to where they are sent from.
 *
 * @module
 */
import { putUint32, uint32At } from "../base/big_endian.ts";
import { DIRECT_PIECE_BYTES_MAX, type MrPiece } from "../work/mapreduce_messages.ts";

/** What stands before the bytes. */
export const PIECE_HEAD_BYTES = 5;
const FOUND_AT = 4;

/** The answer to question `id`: `bytes` with room for the head in front, which is written there. */
export function framedPiece(id: number, bytes: Uint8Array | undefined): Uint8Array {
  const frame = bytes ?? new Uint8Array(PIECE_HEAD_BYTES);
  putUint32(frame, 0, id);
  frame[FOUND_AT] = bytes === undefined ? 0 : 1;
  return frame;
}

/** The answer in `frame`, whose bytes are a view of it; undefined if it is none. */
export function pieceIn(frame: Uint8Array): MrPiece | undefined {
  const { length } = frame;
  if (length < PIECE_HEAD_BYTES || length > PIECE_HEAD_BYTES + DIRECT_PIECE_BYTES_MAX) {
    return undefined;
  }
  const found = frame[FOUND_AT]!;
  if (found > 1 || (found === 0 && length > PIECE_HEAD_BYTES)) return undefined;
  const bytes = frame.subarray(PIECE_HEAD_BYTES);
  return { kind: "mr-piece", id: uint32At(frame, 0), found: found === 1, bytes };
}

/** A copy of `bytes` with room for the head in front. */
export function withRoom(bytes: Uint8Array, room: number): Uint8Array {
  const copy = new Uint8Array(room + bytes.length);
  copy.set(bytes, room);
  return copy;
}
