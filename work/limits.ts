/**
 * Every number that sharing a fleet hangs on. Work is counted in units: of a nonce search a unit is
 * a nonce; another kind of work states its price in the same currency.
 *
 * @module
 */

/** Settings of a fleet; {@link DEFAULT_FLEET_LIMITS} unless overridden. */
export interface FleetLimits {
  /** Tasks that a worker was sent and has not answered, those being stopped included. */
  readonly maxOutstandingTasks: number;
  /** Largest task, in units. */
  readonly maxTaskUnits: bigint;
  /** The largest task of a worker that has not proved itself, in units. */
  readonly probeUnits: bigint;
  /**
   * What a worker of unknown rate is assumed to do, in units a second; and the most that is
   * believed of what one that has not proved itself declares.
   */
  readonly assumedRate: number;
  /** What a worker declares is believed up to so many times what its proof showed. */
  readonly declaredFactor: number;
  /** Length of a task that a worker is given far from the end of a job, in seconds. */
  readonly taskSeconds: number;
  /** Length below which splitting for a common finish stops, in seconds. */
  readonly minTaskSeconds: number;
  /** Jobs, the most urgent first, among which one is looked for that a worker may have. */
  readonly looksMax: number;
  /** Workers in a row that may find nothing to do before no more of their kind are asked. */
  readonly missesMax: number;
  /** Part of the contested fleet that goes to the oldest account, 0..1. */
  readonly oldestShare: number;
  /** A worker that has more than this many task times before it (it slowed down) is relieved. */
  readonly oversizedTasks: number;
  /** How often the clocks are looked at while anything is under way, in milliseconds. */
  readonly tickMs: number;
  /** Longest time without a report in which a worker is taken to go on at its rate, in ms. */
  readonly unreportedMs: number;
  /**
   * A steerable worker may report no progress for this long, in milliseconds: the same for all. It
   * is half of it for one that stalled before, a quarter for one that did so twice.
   */
  readonly stallMs: number;
  /** A stall is forgiven after so long of work, in milliseconds. */
  readonly forgiveMs: number;
  /** A worker that cannot be steered may take this many times the length of a task. */
  readonly blindStallTasks: number;
  /** A worker without progress for this long is raced by idle ones, in milliseconds. */
  readonly lateMs: number;
  /** A worker that stalled and proves nothing for this long is let go, in milliseconds. */
  readonly probationMs: number;
  /** A shrink or stop unconfirmed for this long leads to a race, in milliseconds. */
  readonly confirmMs: number;
  /**
   * Falsehoods (a wrong result, a task given back unasked) that were a worker's fault after which
   * it is not trusted any more; as many at one job, whosever fault it is, and it gets no more of
   * that job.
   */
  readonly maxStrikes: number;
  /** A job that every worker fails is given up after so long, in milliseconds: others may come. */
  readonly doubtMs: number;
  /** A worker this much later than the common finish is relieved by idle ones, in milliseconds. */
  readonly stragglerMs: number;
  /** Shortest time between two looks for stragglers, in milliseconds. */
  readonly rebalanceMs: number;
}

export const DEFAULT_FLEET_LIMITS: FleetLimits = Object.freeze({
  maxOutstandingTasks: 8,
  maxTaskUnits: 1n << 48n,
  probeUnits: 100_000n,
  assumedRate: 100_000,
  declaredFactor: 64,
  taskSeconds: 1,
  minTaskSeconds: 0.05,
  looksMax: 64,
  missesMax: 8,
  oldestShare: 0.25,
  oversizedTasks: 4,
  tickMs: 100,
  unreportedMs: 500,
  stallMs: 5_000,
  forgiveMs: 60_000,
  blindStallTasks: 10,
  lateMs: 1_000,
  probationMs: 60_000,
  confirmMs: 1_000,
  maxStrikes: 3,
  doubtMs: 10_000,
  stragglerMs: 150,
  rebalanceMs: 20,
});
