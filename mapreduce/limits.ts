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

// ---- on a fleet

/** A worker says that it lives so often; silent for longer, and its tasks go to others. */
export const ALIVE_MS = 1_000;
export const SILENT_MS = 10_000;
/** A task that failed waits so long for a worker at which it did not fail. */
export const ELSEWHERE_MS = 5_000;
/** A task that runs for so long is done by an idle worker as well, near the end of a phase. */
export const BACKUP_MS = 10_000;
/** Between two reports of a job to its client. */
export const STATUS_MS = 250;
/** Jobs of a server, and of one address of them. */
export const JOBS_MAX = 256;
export const JOBS_PER_ADDRESS_MAX = 64;
/** A job that nobody follows is kept for so long: a day. */
export const AWAY_MS = 86_400_000;
/** A server that begins waits so long for workers of the one before, and for what they have. */
export const RETURN_MS = 30_000;
/** Rows of what a worker has that it says when it is back: a connection queues 2 MiB. */
export const HAVE_TOTAL_MAX = 28_000;
/** Partitions of all maps of a job, and of all jobs of a server: they are kept with the jobs. */
export const PARTITIONS_MAX = 1_000_000;
/** A client whose connection is lost connects again so often. */
export const REDIAL_MS = 1_000;
/** Connections that follow one job. */
export const FOLLOWERS_MAX = 16;
/** Splits of all jobs of a server: each costs memory. */
export const SPLITS_TOTAL_MAX = 1_000_000;
/** Pieces that are asked for at a time, the first item's first: a connection queues 2 MiB. */
export const ASKING_MAX = 20;
/** The same of a peer directly, whose pieces are larger. */
export const DIRECT_ASKING_MAX = 5;
/** Pieces that one peer may have asked for and not got; more are refused. */
export const ASKED_MAX: number = ASKING_MAX + 4;
/** Pieces that a holder is asked for at a time; more wait their turn. */
export const HELD_MAX = 20;
/** Partitions that a reduce fetches at a time. */
export const FETCHES_MAX = 4;
/** What arrives damaged is fetched again so often. */
export const FETCH_TRIES_MAX = 3;
/** Largest code of an application. */
export const CODE_BYTES_MAX: number = 16 << 20;
/** What `about` says of a split is not longer. */
export const ABOUT_BYTES_MAX = 16_384;
/** Tasks that a worker runs at a time, however many threads it has: each takes memory. */
export const WORKER_TASKS_MAX = 7;

// ---- from peer to peer

/**
 * Version of what peers say to each other. Those of another do not connect: what they have for each
 * other goes through the server. Up to 3 it was that of all messages; 4: larger pieces;
 * 5: they are no CBOR.
 */
export const PEERS_VERSION = 5;
/** Peers that one connects to at a time; what others have comes through the server. */
export const DIALLED_MAX = 64;
/** A peer that could not be reached is not looked for again so soon. */
export const UNREACHABLE_MS = 60_000;
/** A dial that is not answered is given up after so long. */
export const DIAL_MS = 3_000;
/** Connections that a peer takes of others, and pieces that it reads at a time for one. */
export const VISITORS_MAX = 256;
export const VISITOR_PIECES_MAX: number = DIRECT_ASKING_MAX + 4;
