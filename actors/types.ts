/**
 * The vocabulary of actors: what users write, and what a system's core is told and asks for. The
 * specification is docs/actors.md.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Random } from "../base/random.ts";

/**
 * Whom a message is for: an actor, a mailbox or a reply. Plain data, which can be sent in messages
 * and written down.
 */
export type ActorRef = {
  /** `HOST:PORT` of its system, as that calls itself. */
  readonly address: string;
  /** The life of that system: 1..2^53-1; 0 for "whichever runs there", see {@link actorAt}. */
  readonly incarnation: number;
  /** Its number there, counted from 1 in the order in which they were started. */
  readonly counter: number;
};

/**
 * What can be told: copied as if through CBOR, and given on as the same types. Numbers (also NaN
 * and -0), bigints, text that is well-formed, booleans, null, undefined, Uint8Array, arrays, and
 * plain objects of these; at most {@link MESSAGE_BYTES_MAX} and {@link MESSAGE_DEPTH_MAX}.
 */
export type Message =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | readonly Message[]
  | { readonly [key: string]: Message };

/** Why a watched actor is gone. */
export type GoneReason =
  /** It stopped itself, or was stopped, or its system was closed. */
  | "stopped"
  /** It threw, and its `whenThrown` is "stop"; or it could not be restarted. */
  | "threw"
  /** There is no such actor: it had gone before, or there never was one. */
  | "unknown"
  /** Another life of its system runs there now. */
  | "restarted"
  /** Its system does not answer, or closed the connection. It may come back. */
  | "unreachable";

/** What happens to an actor that throws: it goes on, is made anew, or stops. */
export type WhenThrown = "leave" | "restart" | "stop";

/**
 * What an actor does. Its methods are called one at a time, and return before the next is called;
 * no I/O, nothing shared with other actors. What they throw goes to `onError`.
 */
export interface Actor {
  /** Takes one message, a copy of its own. */
  onMessage(message: Message, context: ActorContext): void;
  /** One that this actor watches is gone. Without this method nothing happens then. */
  onGone?(ref: ActorRef, why: GoneReason, context: ActorContext): void;
  /** Default "leave". */
  readonly whenThrown?: WhenThrown;
}

/** Makes an actor, at first and when it is restarted. */
export type MakeActor = (context: ActorContext) => Actor;

/** What an actor may do, while it is made or handles a message. */
export interface ActorContext {
  /** The actor itself. */
  readonly self: ActorRef;
  /** The time on a monotonic clock whose origin means nothing. */
  readonly nowMs: Millis;
  /** The system's seeded randomness. */
  readonly random: Random;
  /** Sends a copy; never waits. Throws {@link MessageError} on what cannot be encoded. */
  tell(to: ActorRef, message: Message): void;
  /** The same, `ms` milliseconds (0 or more) from now; the copy is made now. */
  tellAfter(to: ActorRef, message: Message, ms: Millis): void;
  /** Starts another actor. Throws what `make` throws. */
  startActor(make: MakeActor): ActorRef;
  /** Has `onGone` called once when that actor or its machine is gone. Again changes nothing. */
  watch(ref: ActorRef): void;
  /** Ends a watch: `onGone` is not called for it any more. */
  unwatch(ref: ActorRef): void;
  /** Ends this actor when the method that calls this returns; what waits for it is dropped. */
  stop(): void;
}

/** What is told of connections. Those dialled have odd numbers, those that came in even ones. */
export type SystemInput =
  /** A connection that was dialled is made. */
  | { readonly kind: "opened"; readonly conn: number }
  | { readonly kind: "payload"; readonly conn: number; readonly payload: Uint8Array }
  /** What was there together: what follows from it is written together, too. */
  | {
      readonly kind: "payloads";
      readonly payloads: readonly { readonly conn: number; readonly payload: Uint8Array }[];
    }
  /** A connection ended, or could not be made; whether all written on it was acknowledged. */
  | { readonly kind: "gone"; readonly conn: number; readonly isFlushed?: boolean }
  /** The answer to `awaitRoom`: the bytes that still wait for acknowledgement. */
  | { readonly kind: "room"; readonly conn: number; readonly queuedBytes: number };

/** What a system asks for, in order. */
export type SystemEffect =
  /** Connect to `HOST:PORT`; answered by `opened` or `gone`. */
  | { readonly kind: "dial"; readonly conn: number; readonly address: string }
  | { readonly kind: "write"; readonly conn: number; readonly payload: Uint8Array }
  /** End a connection, behind what was written on it if it is to be flushed; not answered. */
  | { readonly kind: "drop"; readonly conn: number; readonly isFlushed: boolean }
  /** Answer by `room` when at most `bytes` bytes written on it wait for acknowledgement. */
  | { readonly kind: "awaitRoom"; readonly conn: number; readonly bytes: number }
  /** A mailbox that was empty has a message: `take` gives it, and those behind it. */
  | { readonly kind: "mail"; readonly counter: number }
  /** The one message that a reply was waiting for; it is gone now. */
  | { readonly kind: "reply"; readonly counter: number; readonly message: Message }
  /** One that a mailbox watches is gone. */
  | {
      readonly kind: "goneMail";
      readonly counter: number;
      readonly ref: ActorRef;
      readonly why: GoneReason;
    }
  /** An actor threw, or could not be restarted. */
  | { readonly kind: "failed"; readonly ref: ActorRef; readonly error: unknown }
  /** After `close`: nothing more will be told or asked for. */
  | { readonly kind: "closed" };

/** What a system counted since its start. Plain data. */
export interface SystemStats {
  /** Actors and mailboxes now. */
  readonly actors: number;
  /** Messages told, each once, whatever became of it. */
  readonly sent: number;
  /** Those of them for other machines. */
  readonly sentRemote: number;
  /** Messages handed to actors and mailboxes. */
  readonly delivered: number;
  /** Bytes written to connections, and read from them. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Most messages from one actor to another in any one second of the clock. */
  readonly mostPerSecond: number;
  /** Connections toward other systems that are made. */
  readonly connections: number;
  /** Bytes that wait toward the one other system that most waits for, unwritten. */
  readonly waitingBytes: number;
  /** Bytes from other systems that wait in mailboxes. */
  readonly unreadBytes: number;
  /** Messages that were not delivered, by reason: see {@link DropReason}. */
  readonly dropped: Readonly<Record<DropReason, number>>;
  /** What others sent that is no message of actors, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
}

/** Why a message was dropped. */
export type DropReason =
  /** There is no such actor (any more), or its mailbox was closed. */
  | "noActor"
  /** It was for another life of its system. */
  | "stale"
  /** The oldest in a full queue toward another system. */
  | "queueFull"
  /** Its system could not be reached, or its connection ended before it was written. */
  | "unreachable"
  /** Its connection ended before an acknowledgement was seen: it may have arrived. */
  | "unsettled"
  /** There are connections toward too many systems. */
  | "systemsFull"
  /** From another machine, and too much from there waits in the mailbox, or in all. */
  | "mailboxFull"
  /** From another machine, and no encoding of a message. */
  | "malformed"
  /** The system that it was told in was closed. */
  | "closed";

/** A message that cannot be told, and where in it: `$.list[3].name`. */
export class MessageError extends TypeError {
  override name = "MessageError";
  readonly code = "INVALID_MESSAGE";
  /** Where; `$` is the message itself. */
  readonly path: string;

  constructor(path: string, text: string) {
    super(`Cannot tell ${path}: ${text}`);
    this.path = path;
  }
}

/** Bytes of one encoded message, at most. */
export const MESSAGE_BYTES_MAX: number = 1 << 20;
/** Arrays and objects may stand this deep in each other, the outermost counted. */
export const MESSAGE_DEPTH_MAX = 64;

/** Bounds of one system. Whatever is left out takes its default. */
export interface SystemLimits {
  /** Bytes that wait toward one other system; the oldest are dropped first. Default 4 MiB. */
  readonly queueBytesMax: number;
  /** Bytes written on a connection and not acknowledged; more wait in the queue. Default 1 MiB. */
  readonly underWayBytesMax: number;
  /** Bytes from other machines that wait in one mailbox. Default 4 MiB. */
  readonly mailboxBytesMax: number;
  /** The same of all mailboxes. Default 64 MiB. */
  readonly mailboxesBytesMax: number;
  /** Other systems that are known at a time. Default 1024. */
  readonly systemsMax: number;
  /** Connections from other systems. Default 4096. */
  readonly incomingMax: number;
  /** Actors of one system that another watches at a time. Default 65536. */
  readonly watchesMax: number;
}

/** A well-known actor: number `counter` of whichever system runs at `address`. */
export function actorAt(address: string, counter: number): ActorRef {
  return { address, incarnation: 0, counter };
}
