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
  | { readonly kind: "gone"; readonly connId: number; readonly why?: string }
  /**
   * What became of a proposal. Without `refusal` it is committed and applied. With one: `isSure`
   * says that it was not, and will not be unless it is proposed again.
   */
  | {
      readonly kind: "decided";
      readonly id: number;
      readonly refusal?: { readonly reason: string; readonly isSure: boolean };
    }
  /** This server leads, and its table has all that was ever committed. */
  | { readonly kind: "lead" }
  /** This server is about to end, in good order. */
  | { readonly kind: "leave" };

export type ServerEffect =
  | { readonly kind: "write"; readonly connId: number; readonly payload: Uint8Array }
  | { readonly kind: "close"; readonly connId: number }
  /** Have the command committed; answered by `decided`. */
  | { readonly kind: "propose"; readonly id: number; readonly command: Uint8Array }
  /** One line for people. */
  | { readonly kind: "log"; readonly level: "info" | "warn"; readonly text: string };
