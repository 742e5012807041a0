/**
 * A server's log: lines on stderr, each with its time where no person is looking.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";

/** Writes one line to stderr; with the time (UTC, ISO 8601) unless stderr is a terminal. */
export function logLine(text: string): void {
  const time = process.stderr.isTTY === true ? "" : `${new Date().toISOString()} `;
  process.stderr.write(`${time}${oneLine(text)}\n`);
}
