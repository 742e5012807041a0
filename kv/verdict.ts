/**
 * The verdict on a whole history, and what a person needs to see of one that is not linearizable.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import { KV_MODEL, type KvOp, partitionByKey } from "./kv_model.ts";
import {
  type Budget,
  DEFAULT_BUDGET,
  type Finding,
  linearize,
  type Model,
  type Operation,
} from "./linearize.ts";

/** What is wrong with a history. */
export interface Violation<Op> {
  /** The shortest prefix that was found to be wrong: what was called before its last return. */
  readonly operations: readonly Operation<Op>[];
  /** The longest order of some of them that is possible, as indexes. */
  readonly order: readonly number[];
  /** False: the budget ended before a shorter one was excluded. */
  readonly isShortest: boolean;
}

/** The verdict. */
export interface Verdict<Op> {
  readonly verdict: Finding["verdict"];
  readonly violation: Violation<Op> | undefined;
  /** Calls of the model's `step`, of the search alone. */
  readonly steps: number;
}

/** Checks a history of a key-value store. */
export function checkHistory(
  operations: readonly Operation<KvOp>[],
  budget: Budget = DEFAULT_BUDGET,
): Verdict<KvOp> {
  return checkParts(KV_MODEL, partitionByKey(operations), budget);
}

/**
 * Checks parts of a history that have nothing to do with each other. One that is not linearizable
 * makes the whole so, though another's search did not end. The budget is for all of them.
 */
export function checkParts<State, Op>(
  model: Model<State, Op>,
  parts: readonly (readonly Operation<Op>[])[],
  budget: Budget = DEFAULT_BUDGET,
): Verdict<Op> {
  let steps = 0;
  let isCertain = true;
  // The short ones first: a violation is found, and understood, the sooner.
  for (const part of parts.toSorted((a, b) => a.length - b.length)) {
    const left = { ...budget, stepsMax: budget.stepsMax - steps };
    const operations = part.toSorted((a, b) => a.callMs - b.callMs);
    const finding = linearize(model, operations, left);
    steps += finding.steps;
    if (finding.verdict === "unknown") isCertain = false;
    if (finding.verdict !== "not linearizable") continue;
    const violation = shortest(model, operations, finding, budget);
    return { verdict: finding.verdict, violation, steps };
  }
  return { verdict: isCertain ? "linearizable" : "unknown", violation: undefined, steps };
}

/**
 * Prefixes end with a return. One that is wrong stays wrong when it is longer, so the shortest is
 * found by halving. What had not returned by then may have happened or not, but if it did, then
 * with the answer that it got later.
 */
function shortest<State, Op>(
  model: Model<State, Op>,
  operations: readonly Operation<Op>[],
  whole: Finding,
  budget: Budget,
): Violation<Op> {
  const returns = operations.map(({ returnMs }) => returnMs).filter((ms) => ms !== Infinity);
  returns.sort((a, b) => a - b);
  const calledBy = (lastMs: number): Operation<Op>[] =>
    operations.filter(({ callMs }) => callMs <= lastMs);
  let low = 0;
  let high = returns.length - 1;
  let { order } = whole;
  let isShortest = true;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const lastMs = returns[middle]!;
    const prefix = calledBy(lastMs).map((operation) => {
      return operation.returnMs <= lastMs ? operation : { ...operation, returnMs: Infinity };
    });
    const finding = linearize(model, prefix, budget);
    if (finding.verdict === "unknown") isShortest = false;
    if (finding.verdict === "not linearizable") {
      high = middle;
      order = finding.order;
    } else low = middle + 1;
  }
  return { operations: calledBy(returns[high]!), order, isShortest };
}

/** A violation as text: a line an operation, those of the longest possible order numbered. */
export function violationText<Op>(
  { operations, order, isShortest }: Violation<Op>,
  describe: (op: Op) => string,
): string {
  const places = new Map(order.map((operation, place) => [operation, place + 1]));
  const width = String(order.length).length;
  const count = readablePlural(operations.length, "operation");
  const kind = isShortest ? "the shortest prefix" : "a prefix";
  const lines = [`${kind} that cannot be linearized, ${count}; numbered: the longest order found`];
  for (const [i, { client, op, callMs, returnMs }] of operations.entries()) {
    const place = (places.get(i)?.toString() ?? "-").padStart(width);
    const until = returnMs === Infinity ? "never" : returnMs;
    lines.push(`${place}  client ${client}  ${callMs}..${until}  ${describe(op)}`);
  }
  return lines.join("\n");
}
