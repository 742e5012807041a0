/**
 * The choice among kernels: what is known of each on this machine, what to find out next, and which
 * one that makes the fastest. Nothing of it knows vendors: only measurements decide.
 *
 * @module
 */
import type { Availability } from "./mod.ts";

/** What is known of a kernel on this machine. */
export type KernelRecord =
  | {
      readonly kind: "works";
      /** Nonces a second of one thread. */
      readonly rate: number;
      /** All that it may ever run was proved, not just the part that was measured. */
      readonly whole: boolean;
      /** Digests of the machine code that was proved. */
      readonly digests: readonly bigint[];
    }
  /** It died, hung or computed wrong hashes; one line says which. */
  | { readonly kind: "struck"; readonly why: string };

/** By the kernels' names. */
export type KernelRecords = ReadonlyMap<string, KernelRecord>;

/** What somebody wants to know. */
export interface Wish {
  /** Whether this kernel can be used, and no other as long as it can. */
  readonly only?: string;
  /** All kernels proved as a whole and measured, not just what it takes to find the fastest. */
  readonly all?: boolean;
}

/** A kernel to try next: all its code, or just as much as it takes to measure it. */
export interface Trial {
  readonly kernel: string;
  readonly whole: boolean;
}

/** The outcome of a choice. */
export interface KernelVerdict {
  readonly name: string;
  /** One line for people: what it was compared with, or why the better ones cannot be used. */
  readonly reason: string;
  /** Nonces a second of one thread, as measured; 0 when it was not. */
  readonly rate: number;
}

/** The reason given for a kernel that was asked for. */
export const CHOSEN_BY_NAME = "chosen by name";
/**
 * What hashes while nothing is known: it is ready at once, runs no code of ours but TypeScript, and
 * does more than WebAssembly where Bun uses SHA instructions.
 */
export const SAFE_KERNEL = "bun";
/** A kernel further down must be this much faster to be preferred. */
const CLEARLY_FASTER = 1.03;
/** Their code is made in a moment, so that the first of them is soon proved and put to use. */
const QUICKLY_MADE: readonly string[] = ["sha", "arm-sha"];

/** What to try next to fulfil a wish, or `undefined` when that is done. */
export function nextTrial(
  kernels: readonly Availability[],
  records: KernelRecords,
  wish: Wish,
  /** Whether machine code can be proved at all. */
  provable: boolean,
): Trial | undefined {
  const usable = kernels.filter((kernel) => kernel.usable);
  const native = usable.filter((kernel) => kernel.native).map(({ name }) => name);
  const others = usable.filter((kernel) => !kernel.native).map(({ name }) => name);
  const isWhole = (name: string): boolean => isProved(records.get(name));
  const only = wanted(records, wish);
  if (provable && only !== undefined && native.includes(only)) {
    return isWhole(only) ? undefined : { kernel: only, whole: true };
  }
  if (provable && wish.all === true) {
    const unproved = native.find((name) => !isWhole(name) && records.get(name)?.kind !== "struck");
    if (unproved !== undefined) return { kernel: unproved, whole: true };
  } else if (provable) {
    const quickFirst = native.toSorted((a, b) => {
      return Number(QUICKLY_MADE.includes(b)) - Number(QUICKLY_MADE.includes(a));
    });
    const untried = quickFirst.find((name) => !records.has(name));
    // The first that works is proved as a whole at once: it replaces the safe one meanwhile.
    if (untried !== undefined) return { kernel: untried, whole: !native.some(isWhole) };
    const best = fastest(native, records);
    if (best !== undefined && !isWhole(best)) return { kernel: best, whole: true };
  }
  if (wish.all !== true && native.some(isWhole)) return undefined;
  const untried = others.find((name) => !records.has(name));
  return untried === undefined ? undefined : { kernel: untried, whole: true };
}

/** The kernel that is wished for, unless it was struck off. */
function wanted(records: KernelRecords, { only }: Wish): string | undefined {
  return only === undefined || records.get(only)?.kind === "struck" ? undefined : only;
}

/** Whether a kernel may be used: all that it may run was proved. */
export function isProved(record: KernelRecord | undefined): boolean {
  return record?.kind === "works" && record.whole;
}

/** Of `names`, which are in order of preference, the one with the best rate. */
function fastest(names: readonly string[], records: KernelRecords): string | undefined {
  let best: { name: string; rate: number } | undefined;
  for (const name of names) {
    const record = records.get(name);
    if (record?.kind !== "works") continue;
    const { rate } = record;
    if (best === undefined || rate > best.rate * CLEARLY_FASTER) best = { name, rate };
  }
  return best?.name;
}

/**
 * The kernel to use, by what is known so far. `obstacle` says why no machine code could be proved,
 * if so.
 */
export function verdictOf(
  kernels: readonly Availability[],
  records: KernelRecords,
  wish: Wish,
  obstacle?: string,
): KernelVerdict {
  const ready = kernels.filter(({ name, usable }) => usable && isProved(records.get(name)));
  const only = wanted(records, wish);
  const isReady = ready.some(({ name }) => name === only);
  const name = isReady
    ? only!
    : fastest(
        ready.map((kernel) => kernel.name),
        records,
      );
  const record = records.get(name ?? SAFE_KERNEL);
  const rate = record?.kind === "works" ? record.rate : 0;
  if (isReady) return { name: only!, rate, reason: CHOSEN_BY_NAME };
  const reasons = whyOf(kernels, records, name ?? SAFE_KERNEL, obstacle);
  return { name: name ?? SAFE_KERNEL, rate, reason: reasons.join("; ") };
}

function whyOf(
  kernels: readonly Availability[],
  records: KernelRecords,
  name: string,
  obstacle: string | undefined,
): string[] {
  const measured = [...records.values()].filter(({ kind }) => kind === "works").length;
  const struck = [...records].flatMap(([of, record]) => {
    return record.kind === "struck" ? [`${of} is struck off: ${record.why}`] : [];
  });
  const why = [
    measured > 0 ? `fastest of ${measured} measured` : "nothing was measured",
    ...struck,
  ];
  const isNative = kernels.find((kernel) => kernel.name === name)?.native === true;
  if (obstacle !== undefined) return [...why, `machine code: ${obstacle}`];
  if (isNative) return why;
  const refused = kernels.filter((kernel) => kernel.native && !kernel.usable);
  const lacking = [...new Set(refused.map(({ reason }) => reason))];
  return lacking.length === 0 ? why : [...why, `no machine code: ${lacking.join(", ")}`];
}
