/**
 * SHA-256 as an expression graph, so that it can be evaluated partially: a node is a literal, or
 * constant for a tile (a run of nonces that differ in one or two message words), or different in
 * every lane. What is literal is folded here; what is constant for a tile is worked out once a
 * tile; only the rest is done for every nonce.
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";

/** When a node's value is known: while building, once a tile, or per lane. */
export const LITERAL = 0;
export const TILE = 1;
export const LANE = 2;
export type Stage = typeof LITERAL | typeof TILE | typeof LANE;

/** The functions of FIPS 180-4, section 4.1.2, and 32-bit addition. */
export type Operation =
  | "add"
  | "bigSigma0"
  | "bigSigma1"
  | "smallSigma0"
  | "smallSigma1"
  | "choose"
  | "majority"
  | "swapBytes";

/** A node by its number; arguments always have smaller numbers than the node that uses them. */
export type NodeId = number;

/** A literal's value, the number of an input, or an operation on other nodes. */
export interface Node {
  readonly op: Operation | "literal" | "tileInput" | "laneInput";
  readonly args: readonly NodeId[];
  readonly stage: Stage;
  /** The literal's value (int32), or the input's number. */
  readonly value: number;
}

const rotate = (x: number, n: number): number => (x >>> n) | (x << (32 - n));

/** The second argument of `swapBytes`: the bytes that a rotation left by 8 puts in their place. */
export const SWAP_MASK = 0x00ff00ff;

/** The operations on int32 values. */
export const EVALUATE: Readonly<Record<Operation, (...args: number[]) => number>> = {
  add: (a, b) => (a! + b!) | 0,
  bigSigma0: (x) => rotate(x!, 2) ^ rotate(x!, 13) ^ rotate(x!, 22),
  bigSigma1: (x) => rotate(x!, 6) ^ rotate(x!, 11) ^ rotate(x!, 25),
  smallSigma0: (x) => rotate(x!, 7) ^ rotate(x!, 18) ^ (x! >>> 3),
  smallSigma1: (x) => rotate(x!, 17) ^ rotate(x!, 19) ^ (x! >>> 10),
  choose: (e, f, g) => (e! & f!) ^ (~e! & g!),
  majority: (a, b, c) => (a! & b!) ^ (a! & c!) ^ (b! & c!),
  swapBytes: (x, mask) => (rotate(x!, 24) & mask!) | (rotate(x!, 8) & ~mask!),
};

/** Builds nodes; equal ones are the same node. */
export class Graph {
  readonly nodes: Node[] = [];
  readonly #known = new Map<string, NodeId>();

  /** A number known now. */
  literal(value: number): NodeId {
    return this.#node("literal", [], LITERAL, value | 0);
  }

  /** A word that the search sets once a tile. */
  tileInput(index: number): NodeId {
    return this.#node("tileInput", [], TILE, index);
  }

  /** A word that differs in every lane. */
  laneInput(index: number): NodeId {
    return this.#node("laneInput", [], LANE, index);
  }

  stage(id: NodeId): Stage {
    return this.nodes[id]!.stage;
  }

  /** The node that applies `op`, folded when all arguments are literal. */
  apply(op: Operation, ...args: NodeId[]): NodeId {
    const nodes = args.map((id) => this.nodes[id]!);
    const stage = Math.max(...nodes.map((node) => node.stage)) as Stage;
    if (stage === LITERAL) return this.literal(EVALUATE[op](...nodes.map((node) => node.value)));
    if (op === "add") {
      const zero = nodes.findIndex((node) => node.op === "literal" && node.value === 0);
      if (zero >= 0) return args[1 - zero]!;
    }
    return this.#node(op, args, stage, 0);
  }

  /** The sum of all terms: literals first, then what is constant for a tile, then the lanes. */
  sum(terms: readonly NodeId[]): NodeId {
    const total = (of: readonly NodeId[]) =>
      of.reduce((a, b) => this.apply("add", a, b), this.literal(0));
    const at = (stage: Stage) => terms.filter((id) => this.stage(id) === stage);
    const constant = total([...at(LITERAL), ...at(TILE)]);
    const [first, ...others] = at(LANE);
    if (first === undefined) return constant;
    return others.reduce((a, b) => this.apply("add", a, b), this.apply("add", first, constant));
  }

  #node(op: Node["op"], args: readonly NodeId[], stage: Stage, value: number): NodeId {
    const key = `${op}:${args.join()}:${value}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.nodes.push({ op, args, stage, value });
    this.#known.set(key, this.nodes.length - 1);
    return this.nodes.length - 1;
  }
}

/** What a graph comes to: code for every lane, code for every tile, and the constants between. */
export interface Program {
  readonly graph: Graph;
  /** Nodes that differ per lane, in an order in which they can be computed. */
  readonly body: readonly NodeId[];
  /** Nodes to compute once a tile, in order; they end in `stores`. */
  readonly prologue: readonly NodeId[];
  /** Where each constant that body or prologue reads lies in the pool, in words. */
  readonly slots: ReadonlyMap<NodeId, number>;
  /** The slots that the prologue has to fill. */
  readonly stores: readonly { readonly node: NodeId; readonly slot: number }[];
  /** The slots that hold literals. */
  readonly literals: readonly { readonly value: number; readonly slot: number }[];
}

/** Slots 0..POOL_INPUTS-1 hold literals and prologue results, the tile inputs follow. */
export const POOL_INPUTS = 448;
/** Words of a constant pool. */
export const POOL_WORDS = 576;

/**
 * Splits what `outputs` need into stages. `fixed` are constants wanted at given slots; others are
 * allotted from `firstSlot` on.
 */
export function partition(
  graph: Graph,
  outputs: readonly NodeId[],
  fixed: readonly { readonly node: NodeId; readonly slot: number }[] = [],
  firstSlot = 0,
): Program {
  const live = reachable(graph, [...outputs, ...fixed.map((f) => f.node)]);
  const slots = new Map<NodeId, number>();
  const stores: { node: NodeId; slot: number }[] = [];
  const literals: { value: number; slot: number }[] = [];
  let next = firstSlot;
  const give = (node: NodeId, wanted?: number): void => {
    const { op, value, stage } = graph.nodes[node]!;
    if (op === "tileInput" && wanted === undefined) slots.set(node, POOL_INPUTS + value);
    else {
      const slot = wanted ?? next++;
      if (!slots.has(node)) slots.set(node, slot);
      if (stage === LITERAL) literals.push({ value, slot });
      else stores.push({ node, slot });
    }
  };
  for (const { node, slot } of fixed) give(node, slot);
  const body = live.filter((id) => graph.stage(id) === LANE);
  for (const id of [...body.flatMap((id) => graph.nodes[id]!.args), ...outputs]) {
    if (graph.stage(id) !== LANE && !slots.has(id)) give(id);
  }
  const wanted = reachable(
    graph,
    stores.map((store) => store.node),
  );
  const prologue = wanted.filter(
    (id) => graph.stage(id) === TILE && graph.nodes[id]!.op !== "tileInput",
  );
  for (const id of wanted) if (graph.stage(id) === LITERAL && !slots.has(id)) give(id);
  invariant(next <= POOL_INPUTS, `constant pool overflows: ${next} slots`);
  return { graph, body, prologue, slots, stores, literals };
}

/** All nodes that `outputs` depend on, arguments before their users. */
function reachable(graph: Graph, outputs: readonly NodeId[]): NodeId[] {
  const live = new Set<NodeId>();
  const open = [...outputs];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (live.has(id)) continue;
    live.add(id);
    open.push(...graph.nodes[id]!.args);
  }
  return [...live].sort((a, b) => a - b);
}
