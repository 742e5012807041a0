/**
 * What a person should know of a task that is done.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";

/** How many bad records were skipped, and the first of them. */
export function skippedText(bad: number, skipped: readonly string[]): string {
  return `skipped ${readablePlural(bad, "bad record")}: ${skipped.join("; ")}`;
}

/** How often bytes of an input were no UTF-8. */
export function invalidText(name: string, invalid: number): string {
  return `${name}: ${invalid} times bytes that are no UTF-8 became U+FFFD`;
}
