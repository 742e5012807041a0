/**
 * What the core of a channel is told and what it answers.
 *
 * @module
 */

/** Names one request to send or to receive; the caller's choice, unique while it waits. */
export type RequestId = number;

/** Who asks. Two requests of one party never meet each other: a `select` is one party. */
export type Party = number;

export type ChannelInput<T> =
  /** Put `value` into the channel as soon as there is room for it. */
  | { readonly kind: "send"; readonly id: RequestId; readonly party: Party; readonly value: T }
  /** Take the next value as soon as there is one. */
  | { readonly kind: "receive"; readonly id: RequestId; readonly party: Party }
  /** Forget a request that still waits; it is not answered. */
  | { readonly kind: "withdraw"; readonly id: RequestId }
  /** From now on nothing is sent; what is in the channel can still be received. */
  | { readonly kind: "close" };

/** Every request that was not withdrawn is answered exactly once. */
export type ChannelEffect<T> =
  /** The value was received, or lies in the channel. */
  | { readonly kind: "sent"; readonly id: RequestId }
  /** The channel is closed: the value was not taken. */
  | { readonly kind: "refused"; readonly id: RequestId }
  | { readonly kind: "received"; readonly id: RequestId; readonly value: T }
  /** The channel is closed and empty: no value will come. */
  | { readonly kind: "ended"; readonly id: RequestId };
