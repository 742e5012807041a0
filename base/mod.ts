/**
 * The ground that every room stands on: pure, and without a word of what the rooms are about.
 * Rooms of this house import its files one by one; this face is for everybody else.
 *
 * @module
 */
export { Backoff } from "./backoff.ts";
export { bytesOf, byteString, type ByteString, ByteReader, ByteWriter } from "./byte_fields.ts";
export { type CborValue, decodeCbor, encodeCbor, CBOR_DEPTH_MAX, CBOR_ITEMS_MAX } from "./cbor.ts";
export { CodedError } from "./coded_error.ts";
export { readExactObject } from "./exact_json.ts";
export { crc32c } from "./crc.ts";
export { COUNT_MAX, FieldReader, FieldWriter } from "./fields.ts";
export { Heap, IndexedHeap } from "./heap.ts";
export {
  earlier,
  invariant,
  InvariantError,
  type LentBufferPoll,
  type Machine,
  type Millis,
  type Wake,
} from "./machine.ts";
export { OptionError } from "./options.ts";
export { Outbox } from "./outbox.ts";
export { Queue } from "./queue.ts";
export { ServerRing, SERVERS_MAX } from "./server_ring.ts";
export { chance, integerBetween, type Random, seededRandom, unitReal } from "./random.ts";
export { sha256 } from "./sha256.ts";
export type { StateMachine } from "./state_machine.ts";
export {
  type Forget,
  type Load,
  META_BYTES_MAX,
  PART_BYTES_MAX,
  RECORD_BYTES_MAX,
  type Save,
  type SaveEnd,
  type Store,
  STORE_BYTES_MAX,
  type StoredRecords,
  type StoredSnapshot,
  type StoredState,
  type StoreEffect,
  type StoreInput,
  UNFINISHED_MAX,
} from "./store.ts";
export {
  atPort,
  clipped,
  oneLine,
  readableCount,
  readableDuration,
  readablePlural,
  readableTime,
  utf8Length,
} from "./text.ts";
