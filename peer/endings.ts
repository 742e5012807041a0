/**
 * Why there is no connection (any more), in words for people: the same in all programs.
 *
 * @module
 */
import { ConnectionClosed, ConnectionLost, ConnectRefused } from "../lsp/mod.ts";

/**
 * Whether `error` is the end of a connection whose server is there, and would make another: there
 * is nothing to wait for.
 */
export function isServerThere(error: unknown): boolean {
  if (!(error instanceof ConnectionClosed)) return false;
  return error.closure === "forgotten" || error.closure === "path";
}

/** One line on `error`, which ended a connection with `peer` ("the server at X"), or a dial. */
export function whyEnded(peer: string, error: unknown): string {
  if (error instanceof ConnectionLost) return `${peer} fell silent`;
  if (error instanceof ConnectionClosed) {
    const isGoodbye = error.closure === "done" || error.closure === "shutdown";
    if (isGoodbye) return `${peer} said goodbye`;
    if (error.closure === "forgotten") return `${peer} was restarted`;
    if (error.closure === "path") return `lost ${peer}: ${error.reason}`;
    return `${peer} closed the connection: ${error.reason}`;
  }
  const silent = error instanceof ConnectRefused && error.refusal === "timeout";
  return silent ? `no answer from ${peer} (is it running?)` : (error as Error).message;
}
