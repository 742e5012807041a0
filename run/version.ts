/**
 * Which release this is. A constant, so that one-file programs carry it; a test compares it with
 * package.json.
 *
 * @module
 */

/** The release, as in package.json. */
export const VERSION = "0.1.0";

/** The oldest Bun that runs this. */
export const BUN_LEAST = "1.4.5";

/** One line for people if Bun's `version` is older than {@link BUN_LEAST}, else nothing. */
export function whyTooOld(version: string = Bun.version): string | undefined {
  if (Bun.semver.order(version, BUN_LEAST) >= 0) return undefined;
  return `this needs Bun ${BUN_LEAST} or newer, got ${version}: run "bun upgrade"`;
}
