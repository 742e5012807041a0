/**
 * Paths that go when the whole run of tests is over. `bun test` runs no "exit" handler; the hook
 * for this is in preload.ts.
 *
 * @module
 */

/** Files and directories to be removed at the end. */
export const leftovers: Set<string> = new Set();
