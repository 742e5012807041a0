/**
 * What a child process is to run of a kernel before the miner itself does: the code of a shape on
 * made-up inputs, and the answers that plain SHA-256 gives to the same. The child knows nothing of
 * kernels: it maps memory, copies bytes, calls, and says what came back.
 *
 * @module
 */
import { seededRandom } from "../../base/random.ts";
import { compress } from "../../base/sha256.ts";
import { STATES_SHAPE, TAIL_SHAPE } from "./engine.ts";
import { type AssembledShape, HITS_SLACK, type MakeShape } from "./engine_native.ts";
import { everyShape } from "./every_shape.ts";
import { POOL_INPUTS, POOL_WORDS } from "./expression.ts";
import { codeDigest } from "./proved_code.ts";
import {
  DIGEST_PADDING,
  HEADER_PADDING,
  INITIAL,
  INPUT_LAST,
  INPUT_STATE,
  INPUT_WORDS,
  INPUTS,
  scheduleWithConstants,
  type Shape,
  shapeKey,
  STATE_STRIDE,
  TABLE_STRIDE,
  TILE_NONCES,
} from "./shapes.ts";

/** Memory for the code to work on: words that are zero except for those that are filled. */
export interface ProbeBlock {
  readonly words: number;
  readonly filled: readonly { readonly at: number; readonly words: Int32Array }[];
}

/** A call of code, with three pointers and three numbers; see `NativeScan`. */
export interface ProbeCall {
  /** Number of the piece of code, and the offset of the entry in it. */
  readonly code: number;
  readonly offset: number;
  /** Each into a block, at a word. */
  readonly pointers: readonly (readonly [block: number, word: number])[];
  readonly from: number;
  readonly to: number;
  readonly threshold: number;
  /** What it returns, and the block `answers`, are wanted. */
  readonly judged: boolean;
}

/** The code for one shape, and how it is called. */
export interface ProbeStep {
  readonly what: string;
  readonly code: readonly Uint8Array[];
  readonly blocks: readonly ProbeBlock[];
  readonly calls: readonly ProbeCall[];
  /** The first words of this block are the answer to a judged call. */
  readonly answers: { readonly block: number; readonly words: number };
  /** Calls to repeat for a while by the clock, and the nonces that they search in all. */
  readonly timed?: { readonly calls: readonly ProbeCall[]; readonly nonces: number };
}

/** The right answer to a judged call: what it returns at least or exactly, and the words. */
export interface ProbeAnswer {
  readonly returned: number;
  /** Nothing is found: anything from `returned` on will do, and no word counts. */
  readonly none: boolean;
  /** As unsigned numbers. */
  readonly words: readonly number[];
}

/** All runs of one kernel. */
export interface ProbePlan {
  readonly steps: readonly ProbeStep[];
  /** By step, and by judged call. */
  readonly expected: readonly (readonly ProbeAnswer[])[];
  /** Of all pieces of code in it. */
  readonly digests: readonly bigint[];
}

/** The shape whose speed decides: 10-digit nonces behind a short message. */
const MEASURED: Shape = { kind: "single", varying: [3, 4] };
/** The search goes over these lanes: not from a batch's start, and whole batches of any size. */
const FROM = 5;
const TO = FROM + 96;
/** Lanes with made-up digits; what a scan reads beyond them is zero. */
const LANES = 128;
const SEED = 20_260_101;
const POOL = 0;
const TABLE = 1;
const HITS = 2;

/** What to run of a kernel: the shape that is measured alone, or every shape there is. */
export function planProbe(make: MakeShape, whole: boolean): ProbePlan {
  const others = everyShape().filter(({ kind }) => kind !== "states" && kind !== "tail");
  const shapes = whole ? others.filter((shape) => shapeKey(shape) !== shapeKey(MEASURED)) : [];
  const planned = [MEASURED, ...shapes].map((shape) => planTile(shape, make(shape)));
  if (whole) planned.push(planStraddle(make(STATES_SHAPE), make(TAIL_SHAPE)));
  const steps = planned.map(({ step }) => step);
  return {
    steps,
    expected: planned.map(({ expected }) => expected),
    digests: steps.flatMap(({ code }) => code.map(codeDigest)),
  };
}

interface Planned {
  readonly step: ProbeStep;
  readonly expected: readonly ProbeAnswer[];
}

function planTile(shape: Shape, assembled: AssembledShape): Planned {
  const made = makeInputs(shape);
  const { lanes } = assembled;
  const words = Array.from({ length: LANES }, (_, lane) => wordOf(shape, made, lane));
  const prologue = prologueCalls(assembled, 0, POOL);
  const scan = { code: 0, offset: assembled.scan, pointers: pointersTo(POOL, TABLE, HITS) };
  const searches = thresholdsFor(words).map((threshold): ProbeCall => {
    return { ...scan, from: FROM, to: TO, threshold, judged: true };
  });
  const whole: ProbeCall = { ...scan, from: 0, to: TILE_NONCES, threshold: 0, judged: false };
  const timed = { calls: [...prologue, whole], nonces: TILE_NONCES };
  const step: ProbeStep = {
    what: shape.kind === "header" ? "block headers" : `shape ${shapeKey(shape)}`,
    code: [assembled.code],
    blocks: [
      poolBlock(assembled, made.inputs),
      { words: 2 * TABLE_STRIDE, filled: tableRows(made.digits) },
      { words: lanes + HITS_SLACK, filled: [] },
    ],
    calls: [...prologue, ...searches],
    answers: { block: HITS, words: lanes },
    ...(shapeKey(shape) === shapeKey(MEASURED) ? { timed } : {}),
  };
  return { step, expected: answersTo(searches, words, lanes) };
}

/** Digits across two blocks: the states of the first block's lanes, then a scan of them. */
function planStraddle(before: AssembledShape, tail: AssembledShape): Planned {
  const [STATES, ROWS] = [3, 4];
  const made = makeInputs(STATES_SHAPE);
  const { lanes } = tail;
  const words = Array.from({ length: LANES }, (_, lane) => {
    const state = stateOf(STATES_SHAPE, made, lane);
    compress(state, made.last);
    return state[0]! >>> 0;
  });
  const row = made.inputs.slice(INPUT_LAST, INPUT_LAST + 64);
  const states: ProbeCall = {
    code: 0,
    offset: before.scan,
    pointers: pointersTo(POOL, TABLE, STATES),
    from: FROM,
    to: TO,
    threshold: 0,
    judged: false,
  };
  const searches = thresholdsFor(words).map((threshold): ProbeCall => {
    const pointers = pointersTo(ROWS, STATES, HITS);
    return { ...states, code: 1, offset: tail.scan, pointers, threshold, judged: true };
  });
  const step: ProbeStep = {
    what: "digits across two blocks",
    code: [before.code, tail.code],
    blocks: [
      poolBlock(before, made.inputs),
      { words: 2 * TABLE_STRIDE, filled: tableRows(made.digits) },
      { words: lanes + HITS_SLACK, filled: [] },
      { words: 8 * STATE_STRIDE, filled: [] },
      { words: 64, filled: [{ at: 0, words: row }] },
    ],
    calls: [...prologueCalls(before, 0, POOL), states, ...searches],
    answers: { block: HITS, words: lanes },
  };
  return { step, expected: answersTo(searches, words, lanes) };
}

const pointersTo = (...blocks: number[]): [number, number][] => blocks.map((block) => [block, 0]);

function prologueCalls({ prologue }: AssembledShape, code: number, pool: number): ProbeCall[] {
  if (prologue === undefined) return [];
  const pointers = pointersTo(pool, pool, pool);
  return [{ code, offset: prologue, pointers, from: 0, to: 0, threshold: 0, judged: false }];
}

function poolBlock({ literals, prepare }: AssembledShape, inputs: Int32Array): ProbeBlock {
  const words = new Int32Array(POOL_WORDS);
  for (const { value, slot } of literals) words[slot] = value;
  words.set(inputs, POOL_INPUTS);
  prepare?.(words);
  return { words: POOL_WORDS, filled: [{ at: 0, words }] };
}

const tableRows = (digits: readonly Int32Array[]): ProbeBlock["filled"] =>
  digits.map((words, i) => ({ at: i * TABLE_STRIDE, words }));

// ---- made-up inputs, and plain SHA-256 of them

interface Inputs {
  /** The tile inputs; see shapes.ts. */
  readonly inputs: Int32Array;
  /** The varying words of every lane. */
  readonly digits: readonly Int32Array[];
  /** The block after, the same for all lanes. */
  readonly last: Int32Array;
}

function makeInputs(shape: Shape): Inputs {
  const random = seededRandom(SEED, shape.varying[0]);
  const some = (length: number): Int32Array => Int32Array.from({ length }, () => random() | 0);
  const inputs = some(INPUTS);
  const last = some(16);
  scheduleWithConstants(last, inputs, INPUT_LAST);
  if (shape.kind === "header") inputs.set(HEADER_PADDING, INPUT_WORDS + 4);
  return { inputs, digits: shape.varying.map(() => some(LANES)), last };
}

/** The state after the block that varies. */
function stateOf(shape: Shape, { inputs, digits }: Inputs, lane: number): Int32Array {
  const words = inputs.slice(INPUT_WORDS, INPUT_WORDS + 16);
  shape.varying.forEach((at, i) => (words[at]! += digits[i]![lane]!));
  const state = inputs.slice(INPUT_STATE, INPUT_STATE + 8);
  compress(state, words);
  return state;
}

/** The word that a scan compares, unsigned. */
function wordOf(shape: Shape, made: Inputs, lane: number): number {
  const state = stateOf(shape, made, lane);
  if (shape.kind === "single") return state[0]! >>> 0;
  if (shape.kind === "padded") {
    compress(state, made.last);
    return state[0]! >>> 0;
  }
  const second = Int32Array.from(INITIAL);
  compress(second, Int32Array.from([...state, ...DIGEST_PADDING]));
  const bytes = new DataView(new ArrayBuffer(4));
  bytes.setInt32(0, second[7]!);
  return bytes.getUint32(0, true);
}

/** A threshold that all words meet, one that only the least meets, and one that none does. */
function thresholdsFor(words: readonly number[]): number[] {
  const least = Math.min(...words);
  const leastSearched = Math.min(...words.slice(FROM, TO));
  return [0xffff_ffff, leastSearched, least - 1];
}

function answersTo(
  calls: readonly ProbeCall[],
  words: readonly number[],
  lanes: number,
): ProbeAnswer[] {
  return calls.map(({ threshold }) => {
    for (let batch = FROM; batch < TO; batch += lanes) {
      const found = words.slice(batch, batch + lanes);
      if (found.some((word) => word <= threshold)) {
        return { returned: batch, none: false, words: found };
      }
    }
    return { returned: TO, none: true, words: [] };
  });
}

/** Whether what came back (the returned value, then words) is the right answer. */
export function isRight(answer: ProbeAnswer, got: readonly number[]): boolean {
  const [returned, ...words] = got;
  if (returned === undefined) return false;
  if (answer.none) return returned >= answer.returned;
  return returned === answer.returned && answer.words.every((word, i) => word === words[i]! >>> 0);
}
