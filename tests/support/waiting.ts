/**
 * How tests wait: for an event, and so long that only what hangs is late. A test asserts nothing
 * about how long anything took: that is the machine's affair.
 *
 * @module
 */

/** What a test waits for comes within this time, in milliseconds, on a machine with load 10. */
export const WAIT_MS = 120_000;

/**
 * What `promise` gives. Rejects with `what` and with what `state` says if it does not settle within
 * {@link WAIT_MS}.
 */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  state: () => string = () => "",
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`waited ${WAIT_MS} ms for ${what}\n${state()}`));
    }, WAIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Lets the event loop turn until `holds`; rejects with `what` as {@link within} does. */
export async function until(what: string, holds: () => boolean): Promise<void> {
  let isOver = false;
  const turning = (async () => {
    while (!isOver && !holds()) await new Promise((resolve) => setImmediate(resolve));
  })();
  try {
    await within(what, turning);
  } finally {
    isOver = true;
  }
}
