/**
 * Runs the suite on somebody's squarer in a thread of its own, so that one that never yields can be
 * told from one that is slow.
 *
 * @module
 */
import { checkSquarer, type Verdict } from "./suite_adapter.ts";
import type { SquarerLike } from "./squarer_adapter.ts";

/** What the thread is to do. */
export interface CheckOrder {
  /** URL of the module that exports `class Squarer`. */
  readonly module: string;
  readonly seed: number;
  readonly times: number;
}

/** Between two signs of life. */
const ALIVE_MS = 200;

/** What the thread says, or is said of it: it cannot begin, a verdict, all is done, no end. */
export type CheckNews =
  | { readonly kind: "alive" }
  | { readonly kind: "unusable"; readonly why: string }
  | { readonly kind: "verdict"; readonly round: number; readonly verdict: Verdict }
  | { readonly kind: "done" }
  | { readonly kind: "stuck"; readonly why: string };

/** The class in `module`, or why there is none. */
async function squarerIn(module: string): Promise<(new () => SquarerLike) | string> {
  let found: { readonly Squarer?: unknown };
  try {
    found = (await import(module)) as typeof found;
  } catch (error) {
    return `it cannot be imported: ${String((error as Error).message).split("\n")[0]}`;
  }
  const { Squarer } = found;
  if (typeof Squarer !== "function") return "it does not export a class Squarer";
  for (const method of ["initialize", "close"]) {
    if (typeof (Squarer.prototype as Record<string, unknown>)?.[method] !== "function") {
      return `its class Squarer has no method ${method}`;
    }
  }
  return Squarer as new () => SquarerLike;
}

if (!Bun.isMainThread) {
  const say = (news: CheckNews): void => postMessage(news);
  setInterval(() => say({ kind: "alive" }), ALIVE_MS);
  addEventListener("message", ({ data }: MessageEvent<CheckOrder>) => {
    void (async () => {
      const Squarer = await squarerIn(data.module);
      if (typeof Squarer === "string") return say({ kind: "unusable", why: Squarer });
      for (let round = 0; round < data.times; round++) {
        const onVerdict = (verdict: Verdict): void => say({ kind: "verdict", round, verdict });
        await checkSquarer(() => new Squarer(), { seed: data.seed + round, onVerdict });
      }
      say({ kind: "done" });
    })();
  });
}
