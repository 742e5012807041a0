/**
 * Why there is no connection (any more), in words for people: the same in all programs.
 *
 * @module
 */
import { ConnectionClosed, ConnectionLost, ConnectRefused } from "../lsp/mod.ts";

/** One line on `error`, which ended a connection with `peer` ("the server at X"), or a dial. */
export function whyEnded(peer: string, error: unknown): string {
  if (error instanceof ConnectionLost) return `${peer} fell silent`;
  if (error instanceof ConnectionClosed) {
    const isGoodbye = error.closure === "done" || error.closure === "shutdown";
    if (isGoodbye) return `${peer} said goodbye`;
    return `${peer} closed the connection: ${error.reason}`;
  }
  const silent = error instanceof ConnectRefused && error.refusal === "timeout";
  return silent ? `no answer from ${peer} (is it running?)` : (error as Error).message;
}
