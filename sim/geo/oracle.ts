/**
 * The truth about a simulated geo store: all that was ever taken, and what must be there at the
 * end. What a server had only in memory when it crashed may be lost; all else must be there.
 *
 * @module
 */
import type { ByteString } from "../../base/byte_fields.ts";
import type { Cell, Entry, Register } from "../../geo/entry.ts";
import { OWN_PREFIX } from "../../geo/envelope.ts";
import { actorOf, compareStamps } from "../../geo/stamp.ts";
import { demand } from "../engine/trace.ts";
import type { GeoNode } from "./node.ts";

/** Whether the client was told that it was taken. */
export interface Taken {
  readonly isAcknowledged: boolean;
}

/** Something that was taken, in one life of a server. */
class Life {
  readonly node: GeoNode;
  readonly number: number;
  readonly taken: Taken;
  readonly #disk: unknown;

  constructor(node: GeoNode, taken: Taken) {
    this.node = node;
    this.number = node.lives;
    this.taken = taken;
    this.#disk = node.disk;
  }

  /** Whether it cannot have been lost. */
  get isCertain(): boolean {
    const { node, taken } = this;
    if (node.isUp && node.lives === this.number) return true;
    return node.disk !== undefined && node.disk === this.#disk && taken.isAcknowledged;
  }
}

interface Put {
  readonly life: Life;
  readonly register: Register;
}

interface Add {
  readonly life: Life;
  readonly plus: number;
  readonly minus: number;
}

/** See the module. */
export class GeoOracle {
  readonly #puts: Put[] = [];
  /** By actor and key, in order, with sums so far. */
  readonly #adds = new Map<string, Add[]>();
  adds = 0;

  get puts(): number {
    return this.#puts.length;
  }

  tookPut(node: GeoNode, register: Register, taken: Taken): void {
    this.#puts.push({ life: new Life(node, taken), register });
  }

  tookAdd(node: GeoNode, index: number, key: ByteString, delta: number, taken: Taken): void {
    this.adds++;
    const name = `${actorOf(node.life, index)} ${node.lives} ${key}`;
    const adds = this.#adds.get(name) ?? [];
    this.#adds.set(name, adds);
    const { plus, minus } = adds.at(-1) ?? { plus: 0, minus: 0 };
    const sums = { plus: plus + Math.max(0, delta), minus: minus + Math.max(0, -delta) };
    adds.push({ life: new Life(node, taken), ...sums });
  }

  /** Checks what all replicas are now. */
  check(entries: Iterable<Entry>): void {
    const registers = new Map<ByteString, Register>();
    const cells = new Map<string, Cell>();
    for (const entry of entries) {
      if (entry.key.startsWith(OWN_PREFIX)) continue;
      if (entry.kind === "cell") cells.set(`${entry.actor} ${entry.key}`, entry);
      else registers.set(entry.key, entry);
    }
    this.#checkPuts(registers);
    this.#checkAdds(cells);
  }

  #checkPuts(registers: ReadonlyMap<ByteString, Register>): void {
    const known = new Map<string, Register>();
    for (const { life, register } of this.#puts) {
      known.set(nameOf(register), register);
      const last = registers.get(register.key);
      if (!life.isCertain) continue;
      demand(
        last !== undefined && compareStamps(last, register) >= 0,
        () => `a put of ${register.key} at ${nameOf(register)} is lost`,
      );
    }
    for (const last of registers.values()) {
      const put = known.get(nameOf(last));
      demand(put !== undefined, () => `${nameOf(last)} was never put`);
      demand(isSameValue(put, last), () => `${nameOf(last)} has another value than was put`);
    }
  }

  /** A cell is what its actor had added at some time, no earlier than what cannot be lost. */
  #checkAdds(cells: ReadonlyMap<string, Cell>): void {
    const sums = new Map<string, string>();
    for (const [name, adds] of this.#adds) {
      const [actor, , key] = name.split(" ");
      const cell = cells.get(`${actor} ${key}`) ?? { plus: 0, minus: 0 };
      const least = adds.findLastIndex(({ life }) => life.isCertain);
      const states = [{ plus: 0, minus: 0 }, ...adds];
      const at = states.findLastIndex(({ plus, minus }) => {
        return plus === cell.plus && minus === cell.minus;
      });
      demand(at > least, () => {
        const expected = adds.at(-1)!;
        return `counter ${key}, actor ${actor}: ${cell.plus} - ${cell.minus}, taken were ${expected.plus} - ${expected.minus}`;
      });
      const before = sums.get(`${actor} ${key}`);
      demand(before === undefined, () => `actor ${actor} of ${before} and of ${name}: one life`);
      sums.set(`${actor} ${key}`, name);
    }
    for (const name of cells.keys()) {
      demand(sums.has(name), () => `nobody added to ${name}`);
    }
  }
}

function nameOf({ key, wallMs, counter, actor }: Register): string {
  return `${key} ${wallMs}.${counter}.${actor}`;
}

function isSameValue(a: Register, b: Register): boolean {
  if (a.value === undefined || b.value === undefined) return a.value === b.value;
  return a.value.length === b.value.length && a.value.every((byte, i) => byte === b.value![i]);
}
