/** What the store should do, in the plainest way; and commands drawn at random. */
import { chance, integerBetween, type Random } from "../../base/random.ts";
import { bytesOf } from "../../base/byte_fields.ts";
import type { Answer, Change, Command } from "../../kv/commands.ts";
import { ITEM_BYTES } from "../../kv/limits.ts";
import type { Store } from "../../kv/store.ts";

interface Cell {
  value: string | undefined;
  version: number;
  deletedAt: number;
  lease: number;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);

/** Everything in one map, which deleted keys stay in. */
export class PlainModel {
  readonly #cells = new Map<string, Cell>();
  readonly leases: Map<number, number> = new Map();
  #revision = 0;

  apply(command: Command, index: number): Answer {
    const revisionNow = (): number => this.#revision;
    switch (command.kind) {
      case "put":
      case "delete":
        return this.#one(command.change);
      case "append": {
        const cell = this.#cells.get(command.key);
        const value = bytesOf((cell?.value ?? "") + text(command.value));
        const lease = cell?.value === undefined ? 0 : cell.lease;
        return this.#one({ key: command.key, at: command.at, value, lease });
      }
      case "multi": {
        const { changes } = command;
        const before = changes.map(({ key }) => this.#present(key));
        if (changes.some(({ at }, i) => at !== undefined && at !== before[i])) {
          return { kind: "multi", isDone: false, revision: revisionNow(), versions: before };
        }
        if (changes.some((change) => this.#lacksLease(change))) {
          return { kind: "failed", why: "no lease" };
        }
        const versions = changes.map((change) => this.#change(change));
        return { kind: "multi", isDone: true, revision: revisionNow(), versions };
      }
      case "lease":
        this.leases.set(index, command.ttlMs);
        return { kind: "lease", revision: revisionNow(), lease: index };
      case "expire": {
        let count = 0;
        for (const lease of command.leases) {
          if (!this.leases.delete(lease)) continue;
          count++;
          for (const key of [...this.#cells.keys()].sort()) {
            const cell = this.#cells.get(key)!;
            if (cell.value === undefined || cell.lease !== lease) continue;
            this.#change({ key, at: undefined, value: undefined, lease: 0 });
          }
        }
        return { kind: "swept", revision: revisionNow(), count };
      }
      case "sweep": {
        let count = 0;
        for (const [key, { value, deletedAt }] of this.#cells) {
          if (value !== undefined || deletedAt > command.revision) continue;
          this.#cells.delete(key);
          count++;
        }
        return { kind: "swept", revision: revisionNow(), count };
      }
      default:
        throw new Error(`${command.kind} is not of the model`);
    }
  }

  entries(): [string, string, number][] {
    return [...this.#cells]
      .flatMap(([key, { value, version }]): [string, string, number][] => {
        return value === undefined ? [] : [[key, value, version]];
      })
      .sort(([a], [b]) => (a < b ? -1 : 1));
  }

  bytes(): number {
    let sum = 0;
    for (const [key, { value }] of this.#cells) {
      sum += ITEM_BYTES + key.length + (value?.length ?? 0);
    }
    return sum;
  }

  #present(key: string): number {
    const cell = this.#cells.get(key);
    return cell?.value === undefined ? 0 : cell.version;
  }

  #lacksLease({ value, lease }: Change): boolean {
    return value !== undefined && lease !== 0 && !this.leases.has(lease);
  }

  #one(change: Change): Answer {
    const version = this.#present(change.key);
    const isUnmet = change.at !== undefined && change.at !== version;
    if (isUnmet || (change.value === undefined && version === 0)) {
      return { kind: "refused", revision: this.#revision, version };
    }
    if (this.#lacksLease(change)) return { kind: "failed", why: "no lease" };
    const after = this.#change(change);
    return { kind: "done", revision: this.#revision, version: after };
  }

  #change({ key, value, lease }: Change): number {
    const cell = this.#cells.get(key) ?? { value: undefined, version: 0, deletedAt: 0, lease: 0 };
    if (value === undefined && cell.value === undefined) return 0;
    this.#revision++;
    this.#cells.set(key, cell);
    cell.value = value && text(value);
    cell.lease = lease;
    if (value === undefined) cell.deletedAt = this.#revision;
    else cell.version++;
    return cell.version;
  }
}

/** A command that often meets what is there. */
export function drawnCommand(random: Random, store: Store, index: number): Command {
  const draw = (most: number): number => integerBetween(random, 0, most);
  const leases = [...store.leases.keys()];
  const drawLease = (): number => {
    if (chance(random, 0.7)) return 0;
    return chance(random, 0.8) ? (leases[draw(leases.length - 1)] ?? 0) : draw(20);
  };
  const drawKey = (): string => "abc"[draw(2)]! + "xyz\xff"[draw(3)]!;
  const drawAt = (): number | undefined => (chance(random, 0.6) ? undefined : draw(4));
  const value = bytesOf(`${index}`.repeat(draw(3)));
  const key = drawKey();
  const at = drawAt();
  switch (draw(9)) {
    case 0:
    case 1:
    case 2:
      return { kind: "put", change: { key, at, value, lease: drawLease() } };
    case 3:
    case 4:
      return { kind: "delete", change: { key, at, value: undefined, lease: 0 } };
    case 5:
      return { kind: "append", key, at, value };
    case 6:
    case 7: {
      const keys = new Set(Array.from({ length: 1 + draw(3) }, drawKey));
      const changes = [...keys].map((one): Change => {
        if (chance(random, 0.3)) return { key: one, at: drawAt(), value: undefined, lease: 0 };
        return { key: one, at: drawAt(), value, lease: drawLease() };
      });
      return { kind: "multi", changes };
    }
    case 8:
      return { kind: "lease", ttlMs: 1000 + draw(9000) };
    default:
      if (chance(random, 0.3)) return { kind: "sweep", revision: draw(store.revision) };
      return { kind: "expire", leases: leases.filter(() => chance(random, 0.5)).concat(draw(9)) };
  }
}
