/**
 * What a core is told of the peers that it connects to and of those that connect to it, and what it
 * asks for: the same for workers and clients.
 *
 * @module
 */

export type PeerInput =
  /** Others can connect to this port; 0: they cannot. */
  | { readonly kind: "listening"; readonly port: number }
  /** A peer that was dialled is there, says something, or is not there (any more). */
  | { readonly kind: "peer-up"; readonly peer: number }
  | { readonly kind: "peer-payload"; readonly peer: number; readonly payload: Uint8Array }
  | { readonly kind: "peer-down"; readonly peer: number }
  /** Somebody who connected says something, or is gone. */
  | { readonly kind: "visitor-payload"; readonly visitor: number; readonly payload: Uint8Array }
  | { readonly kind: "visitor-gone"; readonly visitor: number };

export type PeerEffect =
  | { readonly kind: "dial"; readonly peer: number; readonly at: string }
  | { readonly kind: "peer-write"; readonly peer: number; readonly payload: Uint8Array }
  | { readonly kind: "hang-up"; readonly peer: number }
  | { readonly kind: "answer"; readonly visitor: number; readonly payload: Uint8Array };
