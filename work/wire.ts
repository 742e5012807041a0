/**
 * The CBOR form of the messages, and the checks that every received one must pass.
 *
 * A message is a CBOR array: its type number, then its fields in the order of the interface. What
 * is optional is an array of none or one; a candidate is the array [hash, nonce].
 *
 * @module
 */
import { Codec } from "./codec.ts";
import { MAPREDUCE_FORMS } from "./mapreduce_wire.ts";
import type { Message } from "./messages.ts";
import { JOB_FORMS } from "./wire_jobs.ts";
import { MINER_FORMS } from "./wire_miners.ts";
import { SEARCH_FORMS } from "./wire_searches.ts";
import { SERVER_FORMS } from "./wire_servers.ts";

const CODEC = new Codec<Message["kind"]>({
  ...MINER_FORMS,
  ...SEARCH_FORMS,
  ...MAPREDUCE_FORMS,
  ...JOB_FORMS,
  ...SERVER_FORMS,
});

/** The payload that says `message`. */
export function encodeMessage(message: Message): Uint8Array {
  return CODEC.encode(message);
}

/** The message that `payload` says, or, as a string, why it is none. Never throws. */
export function decodeMessage(payload: Uint8Array): Message | string {
  return CODEC.decode(payload);
}

/**
 * What can be said of a payload that {@link decodeMessage} does not read: its kind, and the number
 * of the chunk or job behind it. So that a request which makes no sense can be answered.
 */
export function headOf(
  payload: Uint8Array,
): { readonly kind: Message["kind"]; readonly number: number } | undefined {
  return CODEC.headOf(payload);
}
