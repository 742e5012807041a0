/**
 * What protects a datagram on its way. In this version that is a checksum, the same for all
 * connections; encryption will be another seal, with a key for each connection.
 *
 * A datagram is opened in four steps: its header tells the connection that it claims to be of; the
 * endpoint looks up that connection's seal; the seal says whether the datagram is as the peer sent
 * it, and brings its frames into the clear; only then the frames are looked at.
 *
 * @module
 */
import { putUint32, uint32At } from "../base/big_endian.ts";
import { type Checksum, crc32 } from "./crc32.ts";
import { HEADER_BYTES, MAGIC } from "./frame_layout.ts";

/** One end of a seal. Neither method throws on what a stranger sent. */
export interface Seal {
  /** Bytes that it takes between the prefix and the frames. */
  readonly headBytes: number;
  /** Bytes that it takes behind the frames. */
  readonly tailBytes: number;
  /**
   * Seals the datagram in `into`: header and prefix are written up to `at`, where `headBytes` are
   * left free, and the frames end at `end`. There is room for the tail. Gives the length of all.
   */
  seal(into: Uint8Array, at: number, end: number): number;
  /**
   * Whether `bytes`, which hold a header and a prefix up to `at` at least, are a datagram as the
   * peer sealed it. If so, the frames are in the clear now, between head and tail; in place, if
   * need be.
   */
  unseal(bytes: Uint8Array, at: number): boolean;
}

/** A checksum in the header, of all but itself. It finds accidents, not attackers. */
export class ChecksumSeal implements Seal {
  readonly headBytes = 0;
  readonly tailBytes = 0;
  readonly #checksum: Checksum;

  /** `checksum` may be a faster CRC-32 with the same results. */
  constructor(checksum: Checksum = crc32) {
    this.#checksum = checksum;
  }

  seal(into: Uint8Array, _at: number, end: number): number {
    putUint32(into, CHECKSUM_AT, this.#checksum(into, HEADER_BYTES, end, START_CRC));
    return end;
  }

  unseal(bytes: Uint8Array): boolean {
    return (
      uint32At(bytes, CHECKSUM_AT) === this.#checksum(bytes, HEADER_BYTES, bytes.length, START_CRC)
    );
  }
}

/** Where the checksum is: behind magic and flags. */
const CHECKSUM_AT = 2;
/** The CRC of those two; this seal's datagrams have no flags. */
const START_CRC = crc32(Uint8Array.of(MAGIC, 0));

/** The seal of this version, computed in plain TypeScript. */
export const PLAIN_SEAL: Seal = new ChecksumSeal();
