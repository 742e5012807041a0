/**
 * SHA-256 in four lanes of WebAssembly SIMD: for machines on which our own machine code cannot run.
 *
 * Tuned for JavaScriptCore: at most 15 live vectors, the rest in linear memory, and shifts to the
 * left as multiplications by constants that are loaded each time from an address of their own (9.6
 * million nonces a second where the obvious code gives 4.7).
 *
 * @module
 */
import { invariant } from "../../base/machine.ts";
import { FunctionBody, wasmModule } from "../../base/wasm_module.ts";
import {
  type Engine,
  STATES_SHAPE,
  type StraddleCode,
  TAIL_SHAPE,
  type TileCode,
} from "./engine.ts";
import { type Node, type NodeId, partition, POOL_INPUTS, type Program } from "./expression.ts";
import { AMOUNTS, Lowering } from "./lowering.ts";
import { allocate, type MachineOp, type Place } from "./register_allocation.ts";
import { laneGraph } from "./sha256_graph.ts";
import { INPUTS, laneStride, type Shape, STATE_STRIDE, STATES, TABLE_STRIDE } from "./shapes.ts";

const LANES = 4;
const VECTOR_BYTES = 16;
/** Live vectors: with more, JavaScriptCore's own register allocation goes astray. */
const VECTORS = 15;

/** Addresses in the part of linear memory that a tile's or a straddle's code has for itself. */
const MEMORY = {
  pool: 0,
  hits: 4096,
  spills: 8192,
  /** Powers of two for the shifts to the left; a second set for `tail`. */
  powers: 16_384,
  tailPowers: 40_960,
  table: 65_536,
  states: 65_536 + 8 * TABLE_STRIDE,
  rows: 65_536 + 8 * TABLE_STRIDE + 32 * STATE_STRIDE,
} as const;
const PAGE_BYTES = 65_536;
const PART_PAGES = Math.ceil((MEMORY.rows + 256 * STATES) / PAGE_BYTES);
/** Parts of an engine's memory: one for each of 32 places of digits, headers, and straddles. */
const PARTS_MAX = 34;

/** Parameters of a scan, and its locals. */
const POOL = 0;
const FROM = 1;
const TO = 2;
const THRESHOLD = 3;
const BYTES = 4;
const FIRST_VECTOR = 5;
/** The threshold in all lanes comes after the vectors of the allocation. */
const LIMIT_VECTOR = FIRST_VECTOR + VECTORS;

interface Exports {
  scan(pool: number, from: number, to: number, threshold: number): number;
  prepare(): void;
}

/** Whether this engine runs here: JavaScriptCore has no vectors on x86-64 without AVX. */
export function wasmVectors(): boolean {
  const body = new FunctionBody().op("end");
  return WebAssembly.validate(
    wasmModule([{ name: "f", parameters: 0, returns: false, words: 0, vectors: 1, body }]),
  );
}

/**
 * The engine on WebAssembly SIMD. All its code shares one memory: only a few of a process get the
 * kind whose limits cost nothing to check, and each above that number begins with a collection of
 * all garbage. What is never touched of it takes no room.
 */
export class WasmEngine implements Engine {
  readonly name = "wasm";
  #memory: WebAssembly.Memory | undefined;
  #parts = 0;

  tile(shape: Shape): TileCode {
    const part = this.#nextPart();
    const { scan, prepare } = instantiate(shape, part);
    return {
      lanes: LANES,
      inputs: part.words(MEMORY.pool + 4 * POOL_INPUTS, INPUTS),
      table: part.words(MEMORY.table, 2 * TABLE_STRIDE),
      hits: part.hits,
      prepare,
      scan: (from, to, threshold) => scan(part.at(MEMORY.pool), from, to, threshold),
    };
  }

  straddle(): StraddleCode {
    const part = this.#nextPart();
    const before = instantiate(STATES_SHAPE, part);
    const tail = instantiate(TAIL_SHAPE, part);
    return {
      lanes: LANES,
      inputs: part.words(MEMORY.pool + 4 * POOL_INPUTS, INPUTS),
      table: part.words(MEMORY.table, TABLE_STRIDE),
      hits: part.hits,
      rows: part.words(MEMORY.rows, 64 * STATES),
      prepare: (from, to) => {
        before.prepare();
        before.scan(part.at(MEMORY.pool), from, to, 0);
      },
      scan: (row, from, to, threshold) =>
        tail.scan(part.at(MEMORY.rows + 256 * row), from, to, threshold),
    };
  }

  #nextPart(): Part {
    const pages = PARTS_MAX * PART_PAGES;
    this.#memory ??= new WebAssembly.Memory({ initial: pages, maximum: pages });
    invariant(this.#parts < PARTS_MAX, "an engine is asked for each shape once");
    return new Part(this.#memory, PAGE_BYTES * PART_PAGES * this.#parts++);
  }
}

/** What one tile's or straddle's code has of the memory. */
class Part {
  readonly memory: WebAssembly.Memory;
  readonly #base: number;

  constructor(memory: WebAssembly.Memory, base: number) {
    this.memory = memory;
    this.#base = base;
  }

  /** Where in the whole memory the part's `address` is. */
  at(address: number): number {
    return this.#base + address;
  }

  words(address: number, count: number): Int32Array {
    return new Int32Array(this.memory.buffer, this.at(address), count);
  }

  get hits(): Uint32Array {
    return new Uint32Array(this.memory.buffer, this.at(MEMORY.hits), LANES);
  }
}

function instantiate(shape: Shape, part: Part): Exports {
  const { graph, outputs } = laneGraph(shape);
  const row = graph.nodes.flatMap(({ op, value }, node) =>
    shape.kind === "tail" && op === "tileInput" ? [{ node, slot: value }] : [],
  );
  const program = partition(graph, outputs, row);
  const pool = part.words(MEMORY.pool, POOL_INPUTS);
  for (const { slot, value } of program.literals) pool[slot] = value;
  const powers = new Powers(shape, part);
  const { body, vectors } = scanBody(shape, program, outputs, powers);
  const prologue = prologueBody(program, part);
  const bytes = wasmModule([
    { name: "scan", parameters: 4, returns: true, words: 1, vectors, body },
    {
      name: "prepare",
      parameters: 0,
      returns: false,
      words: program.prologue.length,
      vectors: 0,
      body: shape.kind === "tail" ? new FunctionBody().op("end") : prologue,
    },
  ]);
  const env = { memory: part.memory };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env });
  return instance.exports as unknown as Exports;
}

/** Powers of two in memory, four times each, never one address twice. */
class Powers {
  readonly part: Part;
  readonly #memory: Int32Array;
  #next: number;

  constructor(shape: Shape, part: Part) {
    this.part = part;
    this.#memory = new Int32Array(part.memory.buffer);
    this.#next = part.at(shape.kind === "tail" ? MEMORY.tailPowers : MEMORY.powers);
  }

  /** The address of another vector of 2^exponent. */
  address(exponent: number): number {
    const at = this.#next;
    this.#next += VECTOR_BYTES;
    this.#memory.fill(1 << exponent, at / 4, at / 4 + LANES);
    return at;
  }
}

function scanBody(
  shape: Shape,
  program: Program,
  outputs: readonly NodeId[],
  powers: Powers,
): { body: FunctionBody; vectors: number } {
  const lowering = new Lowering(program, "portable");
  for (const node of program.body) lowering.compute(node);
  if (shape.kind === "states") {
    outputs.forEach((node, i) => lowering.effect("storeOutput", [lowering.register(node)], i));
  } else lowering.effect("result", [lowering.register(outputs[0]!)]);
  const { code } = allocate(lowering.ops, lowering.registers, VECTORS);
  const body = new FunctionBody();
  body.get(THRESHOLD).op("splat").set(LIMIT_VECTOR);
  body.loop();
  body.get(FROM).constant(2).op("i32Shl").set(BYTES);
  for (const op of code) emitVector(body, op, shape, powers);
  if (shape.kind !== "states") {
    body.if().get(FROM).op("return").op("end");
  }
  body.get(FROM).constant(LANES).op("i32Add").set(FROM);
  body.get(FROM).get(TO).op("i32LtS").branchIf(0);
  body.op("end").get(FROM).op("end");
  return { body, vectors: VECTORS + 1 };
}

const BINARY = {
  add: "i32x4Add",
  xor: "v128Xor",
  and: "v128And",
  or: "v128Or",
} as const;

function emitVector(body: FunctionBody, op: MachineOp, shape: Shape, powers: Powers): void {
  const push = (place: Place): void => {
    if ("register" in place) body.get(FIRST_VECTOR + place.register);
    else if ("slot" in place) body.get(POOL).memory("load32Splat", 4 * place.slot);
    else body.constant(0).memory("v128Load", spill(place.spill));
  };
  const [first, second] = op.from as [Place, Place];
  const { part } = powers;
  const array = (base: number, stride: number): number => part.at(base + 4 * stride * op.immediate);
  const spill = (number: number): number => part.at(MEMORY.spills + VECTOR_BYTES * number);
  switch (op.op) {
    case "add":
    case "xor":
    case "and":
    case "or":
      push(first);
      push(second);
      body.op(BINARY[op.op]);
      break;
    case "shiftRight":
      push(first);
      body.constant(op.immediate).op("i32x4ShrU");
      break;
    case "shiftLeft":
      push(first);
      body.constant(0).memory("v128Load", powers.address(op.immediate)).op("i32x4Mul");
      break;
    case "load": {
      const base = shape.kind === "tail" ? MEMORY.states : MEMORY.table;
      body.get(BYTES).memory("v128Load", array(base, laneStride(shape.kind)));
      break;
    }
    case "broadcast":
    case "reload":
    case "copy":
      push(first);
      break;
    case "spill":
      body.constant(0);
      push(first);
      body.memory("v128Store", spill(op.immediate));
      return;
    case "storeOutput":
      body.get(BYTES);
      push(first);
      body.memory("v128Store", array(MEMORY.states, STATE_STRIDE));
      return;
    case "result":
      body.constant(0);
      push(first);
      body.memory("v128Store", part.at(MEMORY.hits));
      push(first);
      body.get(LIMIT_VECTOR).op("i32x4LeU").op("anyTrue");
      return;
    default:
      throw new TypeError(`no WebAssembly for ${op.op}`);
  }
  body.set(FIRST_VECTOR + op.to);
}

/** The tile's constants, as scalars: a local for every node. */
function prologueBody(program: Program, part: Part): FunctionBody {
  const body = new FunctionBody();
  const locals = new Map(program.prologue.map((node, i) => [node, i]));
  const push = (id: NodeId): void => {
    const local = locals.get(id);
    const { op, value } = program.graph.nodes[id]!;
    if (local !== undefined) body.get(local);
    else if (op === "literal") body.constant(value);
    else body.constant(0).memory("i32Load", part.at(MEMORY.pool + 4 * (POOL_INPUTS + value)));
  };
  for (const id of program.prologue) {
    emitScalar(body, program.graph.nodes[id]!, push);
    body.set(locals.get(id)!);
  }
  for (const { node, slot } of program.stores) {
    body.constant(0);
    push(node);
    body.memory("i32Store", part.at(MEMORY.pool + 4 * slot));
  }
  return body.op("end");
}

function emitScalar(body: FunctionBody, node: Node, push: (id: NodeId) => void): void {
  const [a, b, c] = node.args as [NodeId, NodeId, NodeId];
  switch (node.op) {
    case "add":
      push(a);
      push(b);
      body.op("i32Add");
      return;
    case "choose":
      push(b);
      push(c);
      body.op("i32Xor");
      push(a);
      body.op("i32And");
      push(c);
      body.op("i32Xor");
      return;
    case "majority":
      push(a);
      push(b);
      body.op("i32And");
      push(c);
      push(a);
      push(b);
      body.op("i32Or").op("i32And").op("i32Or");
      return;
    case "bigSigma0":
    case "bigSigma1":
    case "smallSigma0":
    case "smallSigma1":
      AMOUNTS[node.op].forEach((amount, i) => {
        push(a);
        body.constant(amount).op(i === 2 && node.op.startsWith("small") ? "i32ShrU" : "i32Rotr");
        if (i > 0) body.op("i32Xor");
      });
      return;
    default:
      throw new TypeError(`a ${node.op} is not computed once a tile`);
  }
}
