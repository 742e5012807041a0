/**
 * Channels: the house's one way to hand values from one asynchronous part to another, and a
 * {@link Squarer} with the suite that proves one right (docs/channels.md).
 *
 * ```ts
 * import { Channel, select } from "./mod.ts";
 *
 * const words = new Channel<string>(8);
 * const stop = new Channel<never>();
 * const done = select([words.receiving(), stop.receiving()]);
 * await words.send("hello");
 * const chosen = await done; // { index: 0, kind: "received", value: "hello" }
 * ```
 *
 * @module
 */
export { Channel, ChannelClosedError, type Received, select } from "./adapter.ts";
export type { ReceiveOutcome, SelectCase, Selected, SendOutcome } from "./adapter.ts";
export { ChannelCore } from "./core.ts";
export { Squarer, type SquarerLike } from "./squarer_adapter.ts";
export { checkSquarer, type CheckOptions, PROPERTIES, type Verdict } from "./suite_adapter.ts";
export type { ChannelEffect, ChannelInput, Party, RequestId } from "./types.ts";
