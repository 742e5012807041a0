/**
 * Another kind of work that a miner does for the same server, over the same connection.
 *
 * @module
 */

/** See the module. Made by its own room, and plugged in by the program. */
export interface MinerGuest {
  /** The server knows the miner; `write` sends it messages, until `gone`. */
  joined(write: (payload: Uint8Array) => void): void;
  /** Takes a message; false: it is not for the guest. */
  payload(payload: Uint8Array): boolean;
  /** The connection is gone. */
  gone(): void;
  /** Ends all that it runs. */
  close(): Promise<void>;
}
