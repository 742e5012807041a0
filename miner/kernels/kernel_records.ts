/**
 * What is known of kernels as text, to be found again at the next start. What does not read as it
 * was written, or is about another processor, system or version, counts as nothing.
 *
 * @module
 */
import { clipped, oneLine, utf8Length } from "../../base/text.ts";
import type { KernelRecord, KernelRecords } from "./selection.ts";

/** What records hold for. */
export interface RecordKey {
  /** Name of the processor, with its family, model and stepping. */
  readonly processor: string;
  /** Microcode, or the system's release. */
  readonly system: string;
  readonly bun: string;
  readonly motherlode: string;
}

/** Of the text; a full one has a tenth of it. */
export const RECORDS_BYTES_MAX: number = 1 << 18;
const FORMAT = 1;
const DIGESTS_MAX = 256;
const WHY_BYTES_MAX = 200;
/** Nonces a second: no processor comes near. */
const RATE_MAX = 1e13;

/** The text for `records`. */
export function formatRecords(key: RecordKey, records: KernelRecords): string {
  const kernels = Object.fromEntries(
    [...records].map(([name, record]) => {
      if (record.kind === "struck")
        return [name, { struck: clipped(oneLine(record.why), WHY_BYTES_MAX) }];
      const { rate, whole, digests } = record;
      return [name, { rate: Math.round(rate), whole, digests: digests.map(hexOf) }];
    }),
  );
  return `${JSON.stringify({ format: FORMAT, key, kernels })}\n`;
}

const hexOf = (digest: bigint): string => digest.toString(16).padStart(16, "0");

/** What `text` says of the kernels in `names`; `undefined` when it must not be believed. */
export function parseRecords(
  text: string,
  key: RecordKey,
  names: readonly string[],
): Map<string, KernelRecord> | undefined {
  let whole: unknown;
  try {
    whole = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { format, key: of, kernels } = isObject(whole) ? whole : {};
  if (format !== FORMAT || !isObject(of) || !isObject(kernels)) return undefined;
  if (Object.entries(key).some(([field, value]) => of[field] !== value)) return undefined;
  const records = new Map<string, KernelRecord>();
  for (const [name, value] of Object.entries(kernels)) {
    const record = parseRecord(value);
    if (record === undefined || !names.includes(name)) return undefined;
    records.set(name, record);
  }
  return records;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function parseRecord(value: unknown): KernelRecord | undefined {
  if (!isObject(value)) return undefined;
  const { struck, rate, whole, digests } = value;
  if (typeof struck === "string") {
    const plain = utf8Length(struck) <= WHY_BYTES_MAX && !/\p{Cc}/u.test(struck);
    return plain ? { kind: "struck", why: struck } : undefined;
  }
  if (typeof rate !== "number" || !(rate > 0 && rate < RATE_MAX)) return undefined;
  if (typeof whole !== "boolean" || !Array.isArray(digests)) return undefined;
  const isDigest = (text: unknown): text is string =>
    typeof text === "string" && /^[0-9a-f]{16}$/.test(text);
  if (digests.length > DIGESTS_MAX || !digests.every(isDigest)) return undefined;
  return { kind: "works", rate, whole, digests: digests.map((text) => BigInt(`0x${text}`)) };
}
