/**
 * Which server a player plays on.
 *
 * @module
 */
import type { Router, Target } from "../geo/mod.ts";

/**
 * Stays at one actor of one server as long as that answers, so that a player reads what it wrote:
 * `preferred` if it is one of them, else the nearest, once all were measured.
 */
export function homeRouter(preferred?: string): Router {
  let home: Target | undefined;
  return (targets) => {
    const up = targets.filter(({ isDown }) => !isDown);
    const all = up.length > 0 ? up : targets;
    const again = home && all.find((one) => isSame(one, home));
    if (again !== undefined) return (home = again);
    const wanted = all.find(({ server }) => server === preferred);
    const unmeasured = all.find(({ roundTripMs }) => roundTripMs === undefined);
    const next = wanted ?? unmeasured ?? all.reduce((a, b) => (timeOf(b) < timeOf(a) ? b : a));
    if (next.actor !== undefined && (wanted !== undefined || unmeasured === undefined)) home = next;
    return next;
  };
}

const timeOf = ({ roundTripMs }: Target): number => roundTripMs ?? Infinity;

function isSame(a: Target, b: Target | undefined): boolean {
  return a.server === b?.server && a.actor === b.actor;
}
