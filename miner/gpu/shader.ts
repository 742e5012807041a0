/**
 * Compute shaders for the two kinds of search, in WGSL, from the same expression graph of SHA-256
 * that the processor's kernels are made of. What is constant for a tile (here up to a billion
 * nonces, all that one 32-bit number can count) is worked out on the host; an invocation does the
 * rest for every nonce.
 *
 * @module
 */
import {
  EVALUATE,
  Graph,
  LANE,
  LITERAL,
  type NodeId,
  type Operation,
} from "../kernels/expression.ts";
import { compress, fromSchedule, laneGraph } from "../kernels/sha256_graph.ts";

/** Invocations of a workgroup. */
export const WORKGROUP = 64;
/** Hits of a batch that are listed; a batch that has more is searched again in halves. */
export const HITS_MAX = 1024;
/** Words of the results before the list: least word, number of hits, lowest index at the target. */
export const RESULT_HEAD = 4;
/** Words of the job before the constants; the binding is a uniform, so they come in fours. */
export const JOB_HEAD = 8;
/** Digits of a nonce that vary within a tile at most: 10^9 tiles fit into 32 bits. */
export const TILE_DIGITS_MAX = 9;

/** What an index within the tile becomes in the words of a message's last one or two blocks. */
export interface MessageShape {
  readonly kind: "message";
  /** Blocks from the one that holds the first varying digit to the end: 1 or 2. */
  readonly blocks: number;
  /** The byte after the last digit, counted from the start of those blocks. */
  readonly end: number;
  /** Digits that vary: 1 to 9. */
  readonly digits: number;
}

/** What a shader is made for: digits in a message, or the nonce of a block header. */
export type GpuShape = MessageShape | { readonly kind: "header" };

/** A short unique name for a shape. */
export const gpuShapeKey = (shape: GpuShape): string =>
  shape.kind === "header" ? "header" : `${shape.blocks}:${shape.end}:${shape.digits}`;

/** A shader, and how to work out its constants. */
export interface Shader {
  readonly source: string;
  /** Words of the constants, without {@link JOB_HEAD}. */
  readonly constants: number;
  /**
   * Fills in the constants. `state` is the one before the first varying block, `words` are of the
   * blocks from there on (a header's last 16 bytes), digits that vary left zero.
   */
  fill(constants: Int32Array, state: Int32Array, words: Int32Array): void;
}

/** The first tile input that is a word of the blocks; before it comes the state. */
const FIRST_WORD = 8;

/** Makes the shader for a shape. */
export function shaderFor(shape: GpuShape): Shader {
  const { graph, output } = shape.kind === "header" ? headerGraph() : messageGraph(shape);
  const lane = new Set<NodeId>();
  const tile = new Map<NodeId, number>();
  const visit = (id: NodeId): void => {
    if (lane.has(id) || tile.has(id) || graph.stage(id) === LITERAL) return;
    if (graph.stage(id) !== LANE) return void tile.set(id, tile.size);
    lane.add(id);
    graph.nodes[id]!.args.forEach(visit);
  };
  visit(output);
  const name = (id: NodeId): string => {
    const { stage, value } = graph.nodes[id]!;
    if (stage === LITERAL) return `${value >>> 0}u`;
    if (stage === LANE) return `n${id}`;
    const slot = tile.get(id)!;
    return `job.constants[${slot >> 2}].${"xyzw"[slot & 3]}`;
  };
  const lines = [...lane]
    .sort((a, b) => a - b)
    .map((id) => {
      const { op, args, value } = graph.nodes[id]!;
      const code = op === "laneInput" ? `lane${value}` : call(op as Operation, args.map(name));
      return `    let n${id} = ${code};`;
    });
  const digits = shape.kind === "header" ? headerLanes() : digitLanes(shape);
  const constants = 4 * Math.max(1, Math.ceil(tile.size / 4));
  const source = wgsl(constants, [...digits, ...lines].join("\n"), `n${output}`);
  return { source, constants, fill: filler(graph, tile) };
}

function headerGraph(): { graph: Graph; output: NodeId } {
  const { graph, outputs } = laneGraph({ kind: "header", varying: [3] });
  return { graph, output: outputs[0]! };
}

/** The score's upper half; all blocks may vary, so that digits may straddle two. */
function messageGraph(shape: MessageShape): { graph: Graph; output: NodeId } {
  const graph = new Graph();
  const varying = varyingWords(shape);
  let state = Array.from({ length: 8 }, (_, i) => graph.tileInput(i));
  for (let block = 0; block < shape.blocks; block++) {
    const words = Array.from({ length: 16 }, (_, t) => {
      const constant = graph.tileInput(FIRST_WORD + 16 * block + t);
      const lane = varying.indexOf(16 * block + t);
      return lane < 0 ? [constant] : [graph.laneInput(lane), constant];
    });
    const wanted = block === shape.blocks - 1 ? "first" : "all";
    state = compress(graph, state, fromSchedule(graph, words), wanted);
  }
  return { graph, output: state[0]! };
}

function varyingWords({ end, digits }: MessageShape): number[] {
  const first = (end - digits) >> 2;
  return Array.from({ length: ((end - 1) >> 2) - first + 1 }, (_, i) => first + i);
}

/** The words with the decimal digits of `index`, `lane0` and up. */
function digitLanes(shape: MessageShape): string[] {
  const lines: string[] = [];
  const parts = new Map<number, string[]>(varyingWords(shape).map((word) => [word, []]));
  for (let digit = 0, rest = "index"; digit < shape.digits; digit++) {
    const byte = shape.end - 1 - digit;
    const last = digit === shape.digits - 1;
    if (!last) lines.push(`    let rest${digit} = ${rest} / 10u;`);
    const value = last ? rest : `${rest} - 10u * rest${digit}`;
    parts.get(byte >> 2)!.push(`((48u + ${value}) << ${24 - 8 * (byte & 3)}u)`);
    rest = `rest${digit}`;
  }
  const words = [...parts.values()].map((part, i) => `    let lane${i} = ${part.join(" | ")};`);
  return [...lines, ...words];
}

/** A header's nonce is little-endian. */
const headerLanes = (): string[] => [`    let lane0 = ${call("swapBytes", ["index", "0u"])};`];

function call(op: Operation, args: readonly string[]): string {
  const [a, b, c] = args;
  switch (op) {
    case "add":
      return `${a} + ${b}`;
    case "choose":
      return `${c} ^ (${a} & (${b} ^ ${c}))`;
    case "majority":
      return `(${a} & ${b}) | (${c} & (${a} | ${b}))`;
    case "swapBytes":
      return `swapBytes(${a})`;
    default:
      return `${op}(${a})`;
  }
}

/** Works out what is constant for a tile, node by node. */
function filler(graph: Graph, slots: ReadonlyMap<NodeId, number>): Shader["fill"] {
  const values = new Int32Array(graph.nodes.length);
  return (constants, state, words) => {
    graph.nodes.forEach(({ op, args, stage, value }, id) => {
      if (stage === LANE) return;
      if (op === "literal") values[id] = value;
      else if (op === "tileInput") {
        values[id] = value < FIRST_WORD ? state[value]! : words[value - FIRST_WORD]!;
      } else values[id] = EVALUATE[op as Operation](...args.map((arg) => values[arg]!));
    });
    for (const [id, slot] of slots) constants[slot] = values[id]!;
  };
}

/**
 * Every nonce whose word is at most the least one so far is listed (in any order of execution the
 * least of the batch and all its equals are), and the lowest one that may meet the target is kept.
 */
const wgsl = (constants: number, body: string, word: string): string => `
struct Job {
  first: u32, count: u32, stride: u32, least: u32,
  aimed: u32, target_word: u32, unused0: u32, unused1: u32,
  constants: array<vec4<u32>, ${constants / 4}>,
}
struct Found {
  least: atomic<u32>, hits: atomic<u32>, lowest: atomic<u32>, unused: u32,
  list: array<u32, ${HITS_MAX}>,
}
@group(0) @binding(0) var<uniform> job: Job;
@group(0) @binding(1) var<storage, read_write> found: Found;

fn rotate(x: u32, n: u32) -> u32 { return (x >> n) | (x << (32u - n)); }
fn bigSigma0(x: u32) -> u32 { return rotate(x, 2u) ^ rotate(x, 13u) ^ rotate(x, 22u); }
fn bigSigma1(x: u32) -> u32 { return rotate(x, 6u) ^ rotate(x, 11u) ^ rotate(x, 25u); }
fn smallSigma0(x: u32) -> u32 { return rotate(x, 7u) ^ rotate(x, 18u) ^ (x >> 3u); }
fn smallSigma1(x: u32) -> u32 { return rotate(x, 17u) ^ rotate(x, 19u) ^ (x >> 10u); }
fn swapBytes(x: u32) -> u32 {
  return (rotate(x, 8u) & 0xff00ff00u) | (rotate(x, 24u) & 0x00ff00ffu);
}

@compute @workgroup_size(${WORKGROUP})
fn search(@builtin(global_invocation_id) id: vec3<u32>) {
  for (var offset = id.x; offset < job.count; offset += job.stride) {
    let index = job.first + offset;
${body}
    let word = ${word};
    if (job.aimed != 0u && word <= job.target_word) { atomicMin(&found.lowest, offset); }
    if (word <= job.least && word <= atomicLoad(&found.least)) {
      if (word <= atomicMin(&found.least, word)) {
        let slot = atomicAdd(&found.hits, 1u);
        if (slot < ${HITS_MAX}u) { found.list[slot] = offset; }
      }
    }
  }
}
`;
