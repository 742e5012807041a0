/**
 * Which keys a call touches: one client's calls that touch the same take effect in the order in
 * which they were made.
 *
 * @module
 */
import type { Call } from "./client_types.ts";

/** Keys, or all with a prefix. */
export interface Footprint {
  readonly isWrite: boolean;
  readonly keys: readonly string[];
  readonly prefix: string | undefined;
}

/** What `call` touches. A lease that ends takes keys along that nobody knows here: all of them. */
export function footprintOf(call: Call): Footprint {
  const isWrite = call.kind === "write";
  if (call.kind === "get") return { isWrite, keys: [call.key], prefix: undefined };
  if (call.kind === "list") return { isWrite, keys: [], prefix: call.prefix };
  if (call.kind !== "write") return { isWrite, keys: [], prefix: undefined };
  const { command } = call;
  switch (command.kind) {
    case "put":
    case "delete":
      return { isWrite, keys: [command.change.key], prefix: undefined };
    case "append":
      return { isWrite, keys: [command.key], prefix: undefined };
    case "multi":
      return { isWrite, keys: command.changes.map(({ key }) => key), prefix: undefined };
    case "expire":
      return { isWrite, keys: [], prefix: "" };
    default:
      return { isWrite, keys: [], prefix: undefined };
  }
}

/** A call that is not over. */
export interface Touching {
  readonly footprint: Footprint;
  /** How many earlier calls it must not overtake. */
  blockers: number;
  /** Later ones that must not overtake it, if there are any. */
  blocked: Touching[] | undefined;
}

/** Calls that are not over, by the keys that they touch. */
export class TouchIndex<T extends Touching> {
  /** Those that touch a key by its name; those that touch nothing are in nobody's way. */
  readonly #byKey = new Map<string, T[]>();
  /** Those that touch all keys with a prefix. */
  readonly #wide = new Set<T>();

  /** A call was made: those that it must not overtake are in its way. */
  enter(call: T): void {
    const { keys, prefix } = call.footprint;
    const isNew = this.#wide.size === 0 && prefix === undefined && keys.length === 1;
    // As nearly always: nobody else touches its one key.
    if (isNew && !this.#byKey.has(keys[0]!)) return void this.#byKey.set(keys[0]!, [call]);
    for (const other of this.#inTheWayOf(call.footprint)) {
      (other.blocked ??= []).push(call);
      call.blockers++;
    }
    this.#add(call);
  }

  /** A call is over: it is in nobody's way any more. */
  leave(call: T): void {
    this.#delete(call);
    if (call.blocked === undefined) return;
    for (const later of call.blocked) later.blockers--;
    call.blocked = undefined;
  }

  #add(call: T): void {
    const { keys, prefix } = call.footprint;
    if (prefix !== undefined) this.#wide.add(call);
    for (const key of keys) {
      const known = this.#byKey.get(key);
      if (known === undefined) this.#byKey.set(key, [call]);
      else known.push(call);
    }
  }

  #delete(call: T): void {
    const { keys, prefix } = call.footprint;
    if (prefix !== undefined) this.#wide.delete(call);
    for (const key of keys) {
      const known = this.#byKey.get(key);
      if (known === undefined) continue;
      const at = known.indexOf(call);
      if (known.length === 1 && at === 0) this.#byKey.delete(key);
      else if (at >= 0) known.splice(at, 1);
    }
  }

  /** Calls that one of this footprint must not overtake, each once. */
  #inTheWayOf(footprint: Footprint): readonly T[] {
    const { keys, prefix } = footprint;
    const found: T[] = [];
    const look = (calls: Iterable<T>): void => {
      for (const call of calls) if (isInTheWay(call.footprint, footprint)) found.push(call);
    };
    if (this.#wide.size > 0) look(this.#wide);
    for (const calls of prefix === undefined ? [] : this.#byKey.values()) look(calls);
    for (const key of prefix === undefined ? keys : []) {
      const calls = this.#byKey.get(key);
      if (calls !== undefined) look(calls);
    }
    return keys.length === 1 ? found : [...new Set(found)];
  }
}

/** Whether one reads what the other writes: writes are in order anyway. */
export function isInTheWay(a: Footprint, b: Footprint): boolean {
  return a.isWrite !== b.isWrite && (touches(a, b) || touches(b, a));
}

function touches({ keys, prefix }: Footprint, other: Footprint): boolean {
  if (keys.some((key) => other.keys.includes(key))) return true;
  if (prefix === undefined) return false;
  if (other.prefix !== undefined) return true;
  return other.keys.some((key) => key.startsWith(prefix));
}
