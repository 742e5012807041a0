/**
 * A linearizable key-value store on the replicated log, and the checker that proves it
 * (docs/checker.md). Anybody's history can be checked:
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
export {
  type Budget,
  DEFAULT_BUDGET,
  type Finding,
  linearize,
  type Model,
  type Operation,
} from "./linearize.ts";
export {
  checkHistory,
  checkParts,
  type Verdict,
  type Violation,
  violationText,
} from "./verdict.ts";
