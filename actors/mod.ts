/**
 * Actors: each has state of its own and handles one message at a time; messages are copied, and go
 * to actors of this system and of others, over LSP, in the same way.
 *
 * ```ts
 * import { openSystem, type ActorRef } from "./mod.ts";
 *
 * await using system = await openSystem();
 * const doubler = system.startActor(() => ({
 *   onMessage(message, context) {
 *     const { value, to } = message as { value: number; to: ActorRef };
 *     context.tell(to, 2 * value);
 *   },
 * }));
 * const reply = system.openReply();
 * system.tell(doubler, { value: 21, to: reply.ref });
 * console.log(await reply.promise); // 42
 * ```
 *
 * The specification is docs/actors.md. For simulations, {@link SystemCore} is the same without
 * socket or clock.
 *
 * @module
 */
export { type ActorSystem, openSystem, type OpenSystemOptions, type Reply } from "./adapter.ts";
export { SystemCore, type SystemOptions } from "./core.ts";
export { decodeMessage } from "./decode.ts";
export { encodeMessage } from "./encode.ts";
export { DEFAULT_SYSTEM_LIMITS, lspQueueBytes } from "./limits.ts";
export { Mailbox, type Popped } from "./mailbox_adapter.ts";
export { MailboxCore } from "./mailbox.ts";
export * from "./types.ts";
export { ACTORS_VERSION, isActorGreeting } from "./wire.ts";
