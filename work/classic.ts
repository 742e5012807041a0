/**
 * The classic course messages: JSON with six keys and exact 64-bit numbers, as the Go servers,
 * miners and clients of this exercise speak them over the classic LSP wire.
 *
 * @module
 */
import { readExactObject } from "../base/exact_json.ts";
import type { Candidate } from "./candidate.ts";
import { UINT64_MAX } from "./hash.ts";

/** A classic message; what a field means depends on the type, the others are zero or empty. */
export interface ClassicMessage {
  /** 0 Join (miner to server), 1 Request (to server or miner), 2 Result (to server or client). */
  readonly type: 0 | 1 | 2;
  readonly data: string;
  /** The range, both ends included. */
  readonly lower: bigint;
  readonly upper: bigint;
  readonly hash: bigint;
  readonly nonce: bigint;
}

const NOTHING = { data: "", lower: 0n, upper: 0n, hash: 0n, nonce: 0n } as const;

/** What a miner says first. */
export const CLASSIC_JOIN: ClassicMessage = { ...NOTHING, type: 0 };

/** Asks a server or a miner to search all of `lower..upper`. */
export function classicRequest(message: string, lower: bigint, upper: bigint): ClassicMessage {
  return { ...NOTHING, type: 1, data: message, lower, upper };
}

/** Answers a Request. */
export function classicResult({ hash, nonce }: Candidate): ClassicMessage {
  return { ...NOTHING, type: 2, hash, nonce };
}

const KEYS = new Set(["type", "data", "lower", "upper", "hash", "nonce"] as const);
const utf8 = new TextEncoder();

/** The payload that says `message`: the keys in the classic order, no blanks. */
export function encodeClassicMessage(message: ClassicMessage): Uint8Array {
  const { type, lower, upper, hash, nonce } = message;
  const data = JSON.stringify(message.data);
  return utf8.encode(
    `{"Type":${type},"Data":${data},"Lower":${lower},"Upper":${upper},"Hash":${hash},"Nonce":${nonce}}`,
  );
}

/**
 * The message that `payload` says, or, as a string, why it is none. Like Go's decoder: keys in any
 * order and case, unknown keys ignored, missing ones and null read as zero. Never throws.
 */
export function decodeClassicMessage(payload: Uint8Array): ClassicMessage | string {
  const fields = readExactObject(payload, KEYS);
  if (typeof fields === "string") return fields;
  const type = uint64(fields.type);
  const data = fields.data ?? "";
  const lower = uint64(fields.lower);
  const upper = uint64(fields.upper);
  const hash = uint64(fields.hash);
  const nonce = uint64(fields.nonce);
  if (type !== 0n && type !== 1n && type !== 2n) return "unknown message type";
  if (typeof data !== "string") return "Data is not a string";
  // Go's decoder puts U+FFFD in its place, so that the bytes to hash would be a matter of taste.
  if (!data.isWellFormed()) return "Data has a lone surrogate, which no UTF-8 can say";
  if (lower === undefined || upper === undefined || hash === undefined || nonce === undefined) {
    return "a number is not an unsigned 64-bit integer";
  }
  return { type: Number(type) as 0 | 1 | 2, data, lower, upper, hash, nonce };
}

function uint64(value: unknown): bigint | undefined {
  if (value === undefined) return 0n;
  if (typeof value === "bigint") return value <= UINT64_MAX ? value : undefined;
  return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : undefined;
}
