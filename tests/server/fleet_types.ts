/** What is said to the fleet in virtual time, and who is connected to it. */

/** One end of a connection to the server. */
export interface Peer {
  readonly connId: number;
  receive(payload: Uint8Array): void;
  closed(): void;
}

/** A job that a client asks for. */
export interface Order {
  readonly lower?: bigint;
  readonly upper: bigint;
  readonly message?: string;
  readonly target?: bigint;
}
