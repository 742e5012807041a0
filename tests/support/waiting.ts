/**
 * How tests wait: for an event, and so long that only what hangs is late. A test asserts nothing
 * about how long anything took: that is the machine's affair.
 *
 * @module
 */

/** What a test waits for comes within this time, in milliseconds, on a machine with load 10. */
export const WAIT_MS = 120_000;
const LOOK_MS = 2;

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
export function until(what: string, holds: () => boolean): Promise<void> {
  return wait(what, holds, (resolve) => setImmediate(resolve));
}

/**
 * The same for what holds on once it does: looks every {@link LOOK_MS}, and leaves the processor to
 * others meanwhile.
 */
export function eventually(
  what: string,
  holds: () => boolean,
  state?: () => string,
): Promise<void> {
  return wait(what, holds, (resolve) => setTimeout(resolve, LOOK_MS), state);
}

async function wait(
  what: string,
  holds: () => boolean,
  pause: (resolve: () => void) => void,
  state?: () => string,
): Promise<void> {
  let isOver = false;
  const turning = (async () => {
    while (!isOver && !holds()) await new Promise<void>(pause);
  })();
  try {
    await within(what, turning, state);
  } finally {
    isOver = true;
  }
}
