/**
 * How a core runs on Bun, and what every program does with its command line, its output and its
 * end. Rooms of this house import its files one by one; this face is for everybody else.
 *
 * @module
 */
export { type CommandLine, type Flag, readCommandLine, type Usage } from "./args.ts";
export { durabilityCaveat, keptIn } from "./data_place.ts";
export { type DiskOptions, openDisk, type SystemDisk } from "./disk.ts";
export { DiskError, type DiskErrorCode } from "./disk_errors.ts";
export type { Disk, DiskStats, OpenedDisk, OpenOptions } from "./disk_open.ts";
export type { Owner } from "./disk_owner.ts";
export { Drive } from "./drive.ts";
export { Failure, UsageError } from "./errors.ts";
export { hex64, hostAndPort, port, uint64, wholeNumber } from "./flags.ts";
export { type Listening, openLine, readyLine } from "./listening.ts";
export { printResult, printSoon } from "./output.ts";
export { Display, type DisplayOptions } from "./progress.ts";
export { onSignal, runScript } from "./signals.ts";
export { EXIT_NO, EXIT_UNKNOWN, runVerb, type Verb, verbNames, type Verbs } from "./verbs.ts";
export { VERSION } from "./version.ts";
