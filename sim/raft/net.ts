/**
 * The network between nodes, message by message: every directed link has faults of its own.
 *
 * @module
 */
import type { Random } from "../../base/random.ts";
import { entryBytes, type Message, type NodeId } from "../../raft/mod.ts";
import { calmFaults, type Faults } from "../../base/link.ts";
import type { Loop } from "../engine/loop.ts";
import { MessageNetwork } from "../engine/message_network.ts";
import type { TraceLine } from "../engine/trace.ts";

/** Roughly what a message takes on a wire. */
export function messageBytes(message: Message): number {
  let bytes = 32;
  if (message.kind === "append") {
    for (const { data } of message.entries) bytes += entryBytes(data.length);
  } else if (message.kind === "snapshot") bytes += message.data.length;
  return bytes;
}

/** A message in a few words. */
export function describeMessage(message: Message): string {
  const { kind, term, ...rest } = message;
  const fields = Object.entries(rest).map(([name, value]) => {
    if (Array.isArray(value)) return `${name}=${value.length}`;
    if (value instanceof Uint8Array) return `${name}=${value.length}B`;
    return typeof value === "object" ? `${name}=${JSON.stringify(value)}` : `${name}=${value}`;
  });
  return `${kind} t${term} ${fields.join(" ")}`;
}

/** Messages that nobody sends unasked. */
const ANSWERS: ReadonlySet<Message["kind"]> = new Set<Message["kind"]>([
  "appended",
  "refused",
  "heard",
  "voted",
  "chunked",
  "readAt",
]);

/** Brings messages from node to node. */
export class RaftNetwork extends MessageNetwork<NodeId, Message> {
  /** The faults of answers, where those have their own. */
  answerFaults: Faults | undefined;
  /** How many of each kind were sent. */
  readonly byKind: Record<string, number> = {};

  constructor(
    loop: Loop,
    random: Random,
    deliver: (from: NodeId, to: NodeId, message: Message) => void,
    trace: TraceLine | undefined,
  ) {
    super({ loop, random, deliver, describe: describeMessage, bytesOf: messageBytes, trace });
    this.faults = calmFaults(1);
  }

  /** Every link is as `faults` from now on; what is cut stays so. */
  calm(faults: Faults): void {
    this.faults = faults;
    this.answerFaults = undefined;
  }

  override send(from: NodeId, to: NodeId, message: Message): void {
    const { kind } = message;
    this.byKind[kind] = (this.byKind[kind] ?? 0) + 1;
    super.send(from, to, message, ANSWERS.has(kind) ? this.answerFaults : undefined);
  }
}
