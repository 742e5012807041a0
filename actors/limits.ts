/**
 * The bounds of a system, their defaults, and checks of what callers pass.
 *
 * @module
 */
import { checkInteger } from "../base/options.ts";
import { type ActorRef, MESSAGE_BYTES_MAX, type SystemLimits } from "./types.ts";

/** See {@link SystemLimits}. */
export const DEFAULT_SYSTEM_LIMITS: SystemLimits = {
  queueBytesMax: 4 << 20,
  underWayBytesMax: 1 << 20,
  mailboxBytesMax: 4 << 20,
  mailboxesBytesMax: 64 << 20,
  systemsMax: 1024,
  incomingMax: 4096,
  watchesMax: 65_536,
};

/** `limits` with the defaults filled in. Throws OptionError on one that is no positive integer. */
export function fullSystemLimits(limits: Partial<SystemLimits> = {}): SystemLimits {
  const full = { ...DEFAULT_SYSTEM_LIMITS, ...limits };
  for (const [name, value] of Object.entries(full)) checkInteger(name, value, 1, 2 ** 31);
  return full;
}

/** Room that LSP must have for one connection: what is under way, and one message more. */
export function lspQueueBytes({ queueBytesMax, underWayBytesMax }: SystemLimits): number {
  return queueBytesMax + underWayBytesMax + 2 * MESSAGE_BYTES_MAX;
}

/** Throws TypeError on what is no reference: one may have come in a message. */
export function checkRef(ref: ActorRef): void {
  const { address, incarnation, counter } = (ref ?? {}) as Partial<ActorRef>;
  const isGood =
    typeof address === "string" && isCount(incarnation) && isCount(counter) && counter > 0;
  if (isGood) return;
  const got = typeof ref === "object" ? JSON.stringify(ref, showable) : String(ref);
  const text = "expected a reference { address, incarnation, counter }";
  throw new TypeError(`Cannot tell ${got?.slice(0, 120)}: ${text}`);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function showable(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
