/**
 * Checks of what callers pass, callers without types too: before any I/O, in one line each.
 *
 * @module
 */

/** An option that cannot work. Thrown, or rejected with, before anything is done. */
export class OptionError extends RangeError {
  override name = "OptionError";
  readonly code = "INVALID_OPTION";
  /** Name of the option. */
  readonly option: string;

  constructor(option: string, text: string) {
    super(`Cannot use ${option}: ${text}`);
    this.option = option;
  }
}

/** Throws an {@link OptionError} unless `value` is missing or an integer `least..most`. */
export function checkInteger(option: string, value: unknown, least: number, most: number): void {
  if (value === undefined) return;
  if (Number.isInteger(value) && (value as number) >= least && (value as number) <= most) return;
  throw new OptionError(option, `got ${shown(value)}, expected an integer ${least}..${most}`);
}

/** Throws an {@link OptionError} unless `value` is a port, `least` (0 or 1) or more. */
export function checkPort(value: unknown, least: 0 | 1): void {
  if (value === undefined) throw new OptionError("port", `got nothing, expected ${least}..65535`);
  checkInteger("port", value, least, 65_535);
}

/** Throws an {@link OptionError} unless `value` is missing or one of `values`. */
export function checkOneOf(option: string, value: unknown, values: readonly string[]): void {
  if (value === undefined || values.includes(value as string)) return;
  throw new OptionError(option, `got ${shown(value)}, expected one of ${values.join(", ")}`);
}

/** Throws an {@link OptionError} unless `value` is missing or a text that is not empty. */
export function checkText(option: string, value: unknown): void {
  if (value === undefined || (typeof value === "string" && value !== "")) return;
  throw new OptionError(option, `got ${shown(value)}, expected text`);
}

/** Runs `check`; a RangeError of it is the option's. */
export function checkBy(option: string, check: () => unknown): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof RangeError) && !(error instanceof TypeError)) throw error;
    throw new OptionError(option, error.message);
  }
}

function shown(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}
