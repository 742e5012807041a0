/**
 * Every number that map-reduce hangs on. Sizes are in bytes, times in milliseconds.
 *
 * @module
 */

/** Reducers that a job may have: the table of a map's partitions fits into one message. */
export const REDUCERS_MAX = 1_000;
/** Longest key, in bytes of UTF-8. */
export const KEY_BYTES_MAX: number = 1 << 20;
/** Longest value, in bytes of UTF-8. */
export const VALUE_BYTES_MAX: number = 16 << 20;
/** Longest line that becomes one string, and the size of a split for `map` on strings. */
export const LINE_BYTES_MAX: number = 8 << 20;
/** Size of a split for applications that read bytes: few large ones sort and send less. */
export const BYTE_SPLIT_BYTES: number = 64 << 20;
/** The smallest split that a file is cut into, so that small inputs use all workers. */
export const SPLIT_BYTES_MIN: number = 1 << 20;
/** Splits of one job. */
export const SPLITS_MAX = 100_000;
/** A piece of input that is read at a time. */
export const CHUNK_BYTES: number = 1 << 20;
/** Runs that are merged at a time; more are merged in rounds. */
export const MERGE_RUNS_MAX = 64;
/** Memory for sorting unless told otherwise (`--sort-memory`), and its bounds. */
export const SORT_BYTES: number = 64 << 20;
export const SORT_BYTES_MIN: number = 1 << 20;
export const SORT_BYTES_MAX: number = 2 ** 30;
/** A task that throws is tried so often, on different workers where there are some ... */
export const THROWS_MAX = 3;
/** ... one whose process ended, or whose worker was lost, so often. */
export const DEATHS_MAX = 12;
/** A task that runs longer is ended (`--task-timeout`): its application never returns. */
export const TASK_TIMEOUT_MS = 600_000;
/** A task's process that outgrows this is ended (`--task-memory`). */
export const TASK_BYTES: number = 512 << 20;
