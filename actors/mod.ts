/**
 * Actors: each has state of its own and handles one message at a time; messages are copied, and go
 * to actors of this system and of others, over LSP, in the same way.
 *
 * The specification is docs/actors.md. For simulations, {@link SystemCore} is the same without
 * socket or clock.
 *
 * @module
 */
export { SystemCore, type SystemOptions } from "./core.ts";
export { decodeMessage } from "./decode.ts";
export { encodeMessage } from "./encode.ts";
export { DEFAULT_SYSTEM_LIMITS, lspQueueBytes } from "./limits.ts";
export { MailboxCore } from "./mailbox.ts";
export * from "./types.ts";
export { ACTORS_VERSION, isActorGreeting } from "./wire.ts";
