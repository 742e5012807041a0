/**
 * What the text server keeps at most: the limits on everything that a stranger can make grow.
 *
 * @module
 */

/** The limits of one server. Bytes are bytes, times are milliseconds. */
export interface Limits {
  /** Connections at once; further ones are turned away. */
  readonly clientsMax: number;
  /** Bytes of a line, without its end. A longer one ends its connection. */
  readonly lineBytesMax: number;
  /** Lines of answers that wait for one reader. */
  readonly queueLinesMax: number;
  /** Bytes of those lines that the socket has not taken. */
  readonly queueBytesMax: number;
  /**
   * Bytes that wait for all readers, and of unhandled lines of all clients. When there are as many,
   * a client may still have its share of them, `heldBytesMax / clientsMax`, or one line.
   */
  readonly heldBytesMax: number;
  /** Bytes that a client may be ahead with its requests before it is not read any more. */
  readonly aheadBytesMax: number;
  /** What all keys and values may take in memory, reckoned. */
  readonly storeBytesMax: number;
  /** Bytes of changes that are not on disk yet; beyond it further changes wait. */
  readonly unsavedBytesMax: number;
  /** A snapshot is taken when the log has grown by so many bytes, and by what all lists take. */
  readonly snapshotLogBytes: number;
  /** A part of a snapshot, made in one go; one value more may be in it. */
  readonly snapshotPartBytes: number;
  /** How long the answer to a Get that is longer than the free queue waits for a reading. */
  readonly patienceMs: number;
  /** The same for an answer of a single line: a good reader is not longer without a processor. */
  readonly linePatienceMs: number;
  /** Work for a client that may come to nothing without a rest: 1 a line, and 1 every 2 KiB. */
  readonly uselessMax: number;
  /** How long a client that reaches `uselessMax` is not heard, at least. */
  readonly restMs: number;
  /** Of all that rest, one is heard again so long after another. */
  readonly restGapMs: number;
  /** How long the connection of a line that is too long stays open and is not heard, at least. */
  readonly doomMs: number;
  /** Of all such connections, one is closed so long after another. */
  readonly doomGapMs: number;
  /** How long a client that sends no more may take nothing of what waits for it. */
  readonly lingerMs: number;
  /** Work for a client that is done in a row while others wait: 1 a line, and 1 every 2 KiB. */
  readonly sliceWork: number;
}

/** What a server has unless told otherwise. */
export const DEFAULT_LIMITS: Limits = {
  clientsMax: 16_384,
  lineBytesMax: 1 << 20,
  queueLinesMax: 500,
  queueBytesMax: 8 << 20,
  heldBytesMax: 1 << 30,
  aheadBytesMax: 64 << 10,
  storeBytesMax: 1 << 30,
  unsavedBytesMax: 16 << 20,
  snapshotLogBytes: 8 << 20,
  snapshotPartBytes: 1 << 20,
  patienceMs: 5000,
  linePatienceMs: 10,
  uselessMax: 500,
  restMs: 20,
  restGapMs: 5,
  doomMs: 200,
  doomGapMs: 50,
  lingerMs: 60_000,
  sliceWork: 256,
};
