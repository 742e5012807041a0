/**
 * A concurrent key-value server for people with netcat: lines in, lines out, and slow readers that
 * cost nobody anything but themselves (docs/textkv.md). {@link TextServer} runs it on TCP;
 * {@link TextCore} is all of it as a plain state machine.
 *
 * ```ts
 * import { TextServer } from "./mod.ts";
 *
 * await using server = new TextServer();
 * await server.start({ port: 0 });
 * console.log(server.port, server.counts().active);
 * ```
 *
 * @module
 */
export { type ListenOptions, TEXT_PORT, TextServer, type TextServerOptions } from "./adapter.ts";
export { type Admin, serveAdmin } from "./admin_adapter.ts";
export { TextCore } from "./core.ts";
export { TextServerError, type TextServerErrorCode } from "./errors.ts";
export { DEFAULT_LIMITS, type Limits } from "./limits.ts";
export type { ClientId, Counts, IgnoredReason, TextEffect, TextInput } from "./types.ts";
