/**
 * What the server's core is told and what it asks for; and, beyond that, the server as a node of a
 * cluster.
 *
 * @module
 */
import type { Wire } from "../lsp/mod.ts";
import type { Deed } from "../work/server_messages.ts";

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

/** What a node is told. */
export type NodeInput =
  | ServerInput
  /** Another server leads, at `leader` if that is known ("": it is not), or none does. */
  | { readonly kind: "follow"; readonly leader: string }
  /** Where the servers of the cluster are, `HOST:PORT`. */
  | { readonly kind: "members"; readonly servers: readonly string[] }
  /** What became of a change of the cluster: done, or, with a text, why not. */
  | { readonly kind: "managed"; readonly ticket: number; readonly error: string }
  /** The connection that was dialled for `connId` is made; or is gone, or could not be made. */
  | { readonly kind: "dialled"; readonly connId: number }
  | { readonly kind: "dropped"; readonly connId: number }
  /** It says something to the peer at `connId`. */
  | { readonly kind: "passed"; readonly connId: number; readonly payload: Uint8Array };

/** What a node asks for. */
export type NodeEffect =
  | ServerEffect
  /** Change the cluster; answered by `managed`. */
  | {
      readonly kind: "manage";
      readonly ticket: number;
      readonly deed: Deed;
      readonly node: number;
    }
  /** Connect to `server` on the cbor wire, for the peer at `connId`; then write to it; end it. */
  | { readonly kind: "dial"; readonly connId: number; readonly server: string }
  | { readonly kind: "pass"; readonly connId: number; readonly payload: Uint8Array }
  | { readonly kind: "drop"; readonly connId: number };
