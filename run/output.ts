/**
 * A program's results on stdout: written whole, or the program fails.
 *
 * @module
 */
import { Failure } from "./errors.ts";

/** Writes `text` to stdout. Rejects with a {@link Failure} when it cannot be written. */
export async function printResult(text: string | Uint8Array): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  // The callback is told; without a listener the same error would also end the process.
  process.stdout.once("error", reject);
  process.stdout.write(text, (error) => (error ? reject(error) : resolve()));
  try {
    await promise;
  } catch (error) {
    throw new Failure(`cannot write the result to stdout: ${(error as Error).message}`);
  } finally {
    process.stdout.off("error", reject);
  }
}
