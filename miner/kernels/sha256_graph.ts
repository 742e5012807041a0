/**
 * SHA-256 (FIPS 180-4, section 6.2.2) written into an expression graph: rounds for kernels that
 * compute all of it in vector lanes, and message schedules for those that leave the rounds to the
 * SHA instructions.
 *
 * @module
 */
import { Graph, LANE, type NodeId, SWAP_MASK } from "./expression.ts";
import {
  DIGEST_PADDING,
  HEADER_PADDING,
  INITIAL,
  INPUT_LAST,
  INPUT_STATE,
  INPUT_WORDS,
  ROUND_CONSTANTS,
  type Shape,
} from "./shapes.ts";

/**
 * What is wanted of a compression: all eight words of the new state, the first alone (the score's
 * upper half), or the last alone (the most significant word of a block hash). The last is known
 * three rounds early.
 */
export type Wanted = "all" | "first" | "last";

/**
 * The words of a message schedule, each a sum whose terms may be added to something else instead.
 */
class Schedule {
  readonly #graph: Graph;
  readonly #terms: NodeId[][];
  readonly #sums: NodeId[] = [];

  constructor(graph: Graph, words: readonly (readonly NodeId[])[]) {
    this.#graph = graph;
    this.#terms = words.map((terms) => [...terms]);
  }

  terms(t: number): readonly NodeId[] {
    const known = this.#terms[t];
    if (known !== undefined) return known;
    const graph = this.#graph;
    // Last what is known last, so that a word waits for one addition only.
    return (this.#terms[t] = [
      this.word(t - 16),
      graph.apply("smallSigma0", this.word(t - 15)),
      this.word(t - 7),
      graph.apply("smallSigma1", this.word(t - 2)),
    ]);
  }

  word(t: number): NodeId {
    return (this.#sums[t] ??= this.#graph.sum(this.terms(t)));
  }
}

/** Words (as sums), or words plus round constants: what the rounds add. */
export type RoundInput = (round: number, roundsLeft: number) => readonly NodeId[];

/** Folds rounds into `state`; returns the wanted words of the new state. */
export function compress(
  graph: Graph,
  initial: readonly NodeId[],
  input: RoundInput,
  wanted: Wanted,
): NodeId[] {
  const rounds = wanted === "last" ? 61 : 64;
  let [a, b, c, d, e, f, g, h] = initial as [
    NodeId,
    NodeId,
    NodeId,
    NodeId,
    NodeId,
    NodeId,
    NodeId,
    NodeId,
  ];
  for (let t = 0; t < rounds; t++) {
    const terms = [
      h,
      ...input(t, rounds - 1 - t),
      graph.apply("choose", e, f, g),
      graph.apply("bigSigma1", e),
    ];
    const second = [graph.apply("majority", a, b, c), graph.apply("bigSigma0", a)];
    const varying = terms.filter((id) => graph.stage(id) === LANE);
    const constant = graph.sum(terms.filter((id) => graph.stage(id) !== LANE));
    // While the other summands are still constant, the constant is added to them, once a tile.
    const early = [d, ...second].every((id) => graph.stage(id) !== LANE);
    const t1 = graph.sum(early ? varying : [...varying, constant]);
    const rest = early ? [constant] : [];
    [h, g, f, e] = [g, f, e, graph.sum([t1, d, ...rest])];
    [d, c, b, a] = [c, b, a, graph.sum([t1, ...second, ...rest])];
  }
  if (wanted === "last") return [graph.sum([initial[7]!, e])];
  if (wanted === "first") return [graph.sum([initial[0]!, a])];
  return [a, b, c, d, e, f, g, h].map((word, i) => graph.sum([initial[i]!, word]));
}

/** The rounds' input from a schedule: a word that no later word needs is never summed by itself. */
export function fromSchedule(graph: Graph, words: readonly (readonly NodeId[])[]): RoundInput {
  const schedule = new Schedule(graph, words);
  return (t, left) => {
    const terms = schedule.terms(t);
    const varies = terms.some((id) => graph.stage(id) === LANE);
    const constant = graph.literal(ROUND_CONSTANTS[t]!);
    return [...(varies && left >= 2 ? [schedule.word(t)] : terms), constant];
  };
}

const tileInputs = (graph: Graph, first: number, count: number): NodeId[] =>
  Array.from({ length: count }, (_, i) => graph.tileInput(first + i));

/** The words of the block with the varying digits: a constant part, plus the digits of the lane. */
function blockWords(graph: Graph, shape: Shape): NodeId[][] {
  return tileInputs(graph, INPUT_WORDS, 16).map((constant, t) => {
    if (shape.kind === "header" && t >= 4) return [graph.literal(HEADER_PADDING[t - 4]!)];
    const lane = shape.varying.indexOf(t);
    return lane < 0 ? [constant] : [graph.laneInput(lane), constant];
  });
}

const digestWords = (graph: Graph, digest: readonly NodeId[]): NodeId[] => [
  ...digest,
  ...DIGEST_PADDING.map((word) => graph.literal(word)),
];

const initialState = (graph: Graph): NodeId[] => INITIAL.map((word) => graph.literal(word));

/**
 * All of a shape in vector lanes. Outputs: the word to compare, or for `states` the eight words to
 * store.
 */
export function laneGraph(shape: Shape): { graph: Graph; outputs: NodeId[] } {
  const graph = new Graph();
  if (shape.kind === "tail") {
    const state = Array.from({ length: 8 }, (_, i) => graph.laneInput(i));
    const input: RoundInput = (t) => [graph.tileInput(t)];
    return { graph, outputs: compress(graph, state, input, "first") };
  }
  const state = tileInputs(graph, INPUT_STATE, 8);
  const input = fromSchedule(graph, blockWords(graph, shape));
  if (shape.kind === "single") return { graph, outputs: compress(graph, state, input, "first") };
  const digest = compress(graph, state, input, "all");
  if (shape.kind === "states") return { graph, outputs: digest };
  if (shape.kind === "padded") {
    const last: RoundInput = (t) => [graph.tileInput(INPUT_LAST + t)];
    return { graph, outputs: compress(graph, digest, last, "first") };
  }
  const second = fromSchedule(
    graph,
    digestWords(graph, digest).map((word) => [word]),
  );
  const [last] = compress(graph, initialState(graph), second, "last");
  return { graph, outputs: [graph.apply("swapBytes", last!, graph.literal(SWAP_MASK))] };
}

/** Two neighbouring rounds' W + K, as one sha256rnds2 takes them. */
export interface RoundPair {
  readonly first: NodeId;
  readonly second: NodeId;
  /** Differs by lane, so it goes through the transposing buffer instead of the constant pool. */
  readonly varies: boolean;
}

/** W + K of rounds `from..to-1`, in pairs; both bounds are even. */
export function schedulePairs(
  graph: Graph,
  words: readonly (readonly NodeId[])[],
  from: number,
  to: number,
): RoundPair[] {
  const schedule = new Schedule(graph, words);
  const sum = (t: number): NodeId => {
    const constant = graph.literal(ROUND_CONSTANTS[t]!);
    return graph.sum(t < to - 2 ? [schedule.word(t), constant] : [...schedule.terms(t), constant]);
  };
  return Array.from({ length: (to - from) / 2 }, (_, p) => {
    const first = sum(from + 2 * p);
    const second = sum(from + 2 * p + 1);
    const varies = [first, second].some((id) => graph.stage(id) === LANE);
    return { first, second, varies };
  });
}

/**
 * The words of the first varying block, and of the digest block of a header (`digest` as inputs).
 */
export const wordsOfBlock: typeof blockWords = blockWords;
export const wordsOfDigest = (graph: Graph, digest: readonly NodeId[]): NodeId[][] =>
  digestWords(graph, digest).map((word) => [word]);

/**
 * The state after `rounds` rounds in which nothing varies yet: what the SHA instructions start
 * from.
 */
export function stateAfter(
  graph: Graph,
  initial: readonly NodeId[],
  words: readonly (readonly NodeId[])[],
  rounds: number,
): NodeId[] {
  let state = [...initial];
  for (let t = 0; t < rounds; t++) {
    const [a, b, c, d, e, f, g, h] = state as [
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
      NodeId,
    ];
    const t1 = graph.sum([
      h,
      graph.literal(ROUND_CONSTANTS[t]!),
      ...words[t]!,
      graph.apply("choose", e, f, g),
      graph.apply("bigSigma1", e),
    ]);
    const t2 = [graph.apply("majority", a, b, c), graph.apply("bigSigma0", a)];
    state = [graph.sum([t1, ...t2]), a, b, c, graph.sum([d, t1]), e, f, g];
  }
  return state;
}
