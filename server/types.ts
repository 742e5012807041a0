/**
 * What the server's core is told and what it asks for.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";

export type ServerInput =
  /**
   * A connection's next message, as read from LSP. An unseen connId is a new peer; of two, the one
   * that connected later has the larger.
   */
  | {
      readonly kind: "payload";
      readonly connId: number;
      readonly wire: Wire;
      readonly payload: Uint8Array;
    }
  /** The connection was lost or closed; its connId is never seen again. `why` is for people. */
  | { readonly kind: "gone"; readonly connId: number; readonly why?: string };

export type ServerEffect =
  | { readonly kind: "write"; readonly connId: number; readonly payload: Uint8Array }
  | { readonly kind: "close"; readonly connId: number }
  /** One line for people. */
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };
