/**
 * Stands in for `@std/assert` where JSR cannot be reached (see "paths" in tsconfig.json): the few
 * functions of it that our tests use, with the same names, arguments and meaning.
 *
 * @module
 */

/** Thrown by a failed assertion, as in `@std/assert`. */
export class AssertionError extends Error {
  override name = "AssertionError";
}

/** Throws {@link AssertionError} unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError(msg);
}

/** Throws {@link AssertionError} unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Bun.deepEquals(actual, expected, true)) return;
  const suffix = msg === undefined ? "." : `: ${msg}`;
  const values = `got ${Bun.inspect(actual)}, expected ${Bun.inspect(expected)}`;
  throw new AssertionError(`Values are not equal${suffix}\n${values}`);
}

/** Throws {@link AssertionError} unless `fn` throws an `ErrorClass` that says `msgIncludes`. */
export function assertThrows<E extends Error>(
  fn: () => unknown,
  // oxlint-disable-next-line typescript/no-explicit-any -- any constructor will do
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes = "",
): E {
  try {
    fn();
  } catch (error) {
    assert(error instanceof ErrorClass, `Expected ${ErrorClass.name}, got ${Bun.inspect(error)}`);
    assert(error.message.includes(msgIncludes), `"${error.message}" lacks "${msgIncludes}"`);
    return error;
  }
  throw new AssertionError(`Expected function to throw ${ErrorClass.name}`);
}

/** As {@link assertThrows}, of a promise that `fn` returns. */
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  // oxlint-disable-next-line typescript/no-explicit-any -- any constructor will do
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes = "",
): Promise<E> {
  let outcome: () => void = () => {};
  try {
    await fn();
  } catch (error) {
    outcome = () => {
      throw error;
    };
  }
  return assertThrows(outcome, ErrorClass, msgIncludes);
}

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (actual.includes(expected)) return;
  const why = `Expected actual: "${actual}" to contain: "${expected}"`;
  throw new AssertionError(msg === undefined ? why : `${why}: ${msg}`);
}

/** Throws {@link AssertionError} unless `expected` matches in `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) return;
  const suffix = msg === undefined ? "." : `: ${msg}`;
  throw new AssertionError(`Expected actual: "${actual}" to match: "${expected}"${suffix}`);
}
