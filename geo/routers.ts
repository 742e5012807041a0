/**
 * Where a client's operations go.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";

/** An actor of a server, as a client sees it. */
export interface Target {
  /** `HOST:PORT` of the server. */
  readonly server: string;
  /** Index of the actor; undefined as long as it is not known how many the server has. */
  readonly actor: number | undefined;
  /** Measured time to the server and back, smoothed; undefined: never measured. */
  readonly roundTripMs: Millis | undefined;
  /** It did not answer when it was tried last. */
  readonly isDown: boolean;
}

/** Picks one of `targets`, which are never empty, for one operation. */
export type Router = (targets: readonly Target[]) => Target;

/** All actors of all servers in turn. */
export function roundRobin(): Router {
  let turn = 0;
  return (targets) => targets[turn++ % targets.length]!;
}

/**
 * The server that answers soonest, always the same actor of it, so that a client reads what it
 * wrote. Servers that were never measured come first, once each.
 */
export function nearest(): Router {
  return (targets) => {
    const up = targets.filter(({ isDown }) => !isDown);
    const all = up.length > 0 ? up : targets;
    const timeOf = ({ roundTripMs }: Target): number => roundTripMs ?? -1;
    return all.reduce((best, one) => (timeOf(one) < timeOf(best) ? one : best));
  };
}
