/**
 * A program's results on stdout: written whole, or the program fails.
 *
 * @module
 */
import { writeSync } from "node:fs";
import { Failure } from "./errors.ts";

let isWatched = false;
/** Settled when all is written, or has failed, that {@link printSoon} was given. */
let pending: Promise<unknown> = Promise.resolve();
let onUnprinted: (failure: Failure) => void = () => {};

/** Writes `text` to stdout. Rejects with a {@link Failure} when it cannot be written. */
export async function printResult(text: string | Uint8Array): Promise<void> {
  // The callback of a write is told; without a listener the same error, which may come later, would
  // be nobody's, and Bun would print its stack.
  if (!isWatched) process.stdout.on("error", () => {});
  isWatched = true;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  process.stdout.write(text, (error) => (error ? reject(unwritten(error)) : resolve()));
  await promise;
}

/**
 * Writes text that is not the end of a program, and does not wait for it. If it cannot be written,
 * a program that runs by `runScript` says its goodbye, as at a signal, and fails.
 */
export function printSoon(text: string): void {
  pending = Promise.all([pending, printResult(text).catch((error) => onUnprinted(error))]);
}

/** Resolves when all is written, or has failed, that {@link printSoon} was given. */
export async function allPrinted(): Promise<void> {
  await pending;
}

/** Has `then` called for each text of {@link printSoon} that cannot be written. */
export function whenUnprinted(then: (failure: Failure) => void): void {
  onUnprinted = then;
}

/** Writes `text` before it returns. Throws a {@link Failure} when it cannot be written. */
export function printNow(text: string): void {
  try {
    for (let rest = Buffer.from(text); rest.length > 0;) rest = rest.subarray(writeSync(1, rest));
  } catch (error) {
    throw unwritten(error as Error);
  }
}

function unwritten(error: Error): Failure {
  return new Failure(`cannot write the result to stdout: ${error.message}`);
}
