/**
 * A linearizable key-value store on the replicated log, and the checker that proves it
 * (docs/kv.md). A server and a client of it in one process:
 *
 * ```ts
 * import { openStore, serveStore } from "./mod.ts";
 *
 * await using server = await serveStore({ port: 0 });
 * await using store = openStore({ servers: [`127.0.0.1:${server.port}`] });
 * const { version } = await store.put("greeting", "hello");
 * const late = await store.put("greeting", "hi", { at: 0 });
 * console.log(version, late.isDone, (await store.get("greeting"))?.text);
 * await using lock = await store.lock("printer");
 * console.log(lock.token);
 * ```
 *
 * Anybody's history can be checked (docs/checker.md):
 *
 * ```ts
 * import { checkHistory, readHistory } from "./mod.ts";
 *
 * const history = readHistory(`
 *   {"client":0,"op":"put","key":"x","value":"a","call":0,"return":2}
 *   {"client":1,"op":"get","key":"x","value":null,"call":3,"return":4}`);
 * console.log(checkHistory(history).verdict);
 * ```
 *
 * @module
 */
export { type RunningStore, serveStore, type ServeStoreOptions } from "./adapter.ts";
export { type CallOptions, KV_PORT } from "./client_adapter.ts";
export type { Elected } from "./election_adapter.ts";
export { StoreError, type StoreErrorCode, UnknownOutcome } from "./errors.ts";
export { historyLine, HistoryError, readHistory } from "./history.ts";
export { violationHtml } from "./history_html.ts";
export {
  type HistoryChange,
  type HistoryValue,
  KV_MODEL,
  type KvOp,
  type KvState,
  partitionByKey,
} from "./kv_model.ts";
export { Lease } from "./lease_adapter.ts";
export { KEY_BYTES_MAX, VALUE_BYTES_MAX } from "./limits.ts";
export {
  type Budget,
  DEFAULT_BUDGET,
  type Finding,
  linearize,
  type Model,
  type Operation,
} from "./linearize.ts";
export type { Lock, LockOptions } from "./lock_adapter.ts";
export { KvStore, openStore, type OpenStoreOptions } from "./open_adapter.ts";
export type {
  Bytes,
  ListOptions,
  ReadOptions,
  StoreEntry,
  StoreSet,
  StoreValue,
  WriteOptions,
  Written,
} from "./store_types.ts";
export { ClassicClerk, VersionedClerk, type VersionedOutcome } from "./styles_adapter.ts";
export {
  checkHistory,
  checkParts,
  type Verdict,
  type Violation,
  violationText,
} from "./verdict.ts";
export type { StoreChange, WatchOptions } from "./watch_adapter.ts";
