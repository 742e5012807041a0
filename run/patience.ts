/**
 * Waiting that has an end.
 *
 * @module
 */

/** Resolves when `promise` does, or after `ms`; that time does not keep the process alive. */
export async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = setTimeout(late.resolve, ms);
  timer.unref();
  try {
    await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
