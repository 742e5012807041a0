/** Faults that the tests of channels/ must notice; `bun run tools/mutants.ts channels`. */
import type { Mutant } from "../../tools/mutants.ts";

const core = "channels/core.ts";
const adapter = "channels/adapter.ts";
const squarer = "channels/squarer_adapter.ts";
const suite = "channels/suite_adapter.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: core,
    line: "if (this.#closed || this.#values.length < this.capacity) return true;",
    becomes: "if (this.#closed || this.#values.length <= this.capacity) return true;",
    breaks: "canSend says yes where a send would wait",
  },
  {
    file: core,
    line: "} else if (this.#values.length < this.capacity) this.#values.push(value);",
    becomes: "} else if (this.#values.length <= this.capacity) this.#values.push(value);",
    breaks: "one value more than the capacity lies in the channel",
  },
  {
    file: core,
    line: 'if (this.#closed) return this.#effects.push({ kind: "refused", id });',
    becomes: "",
    breaks: "a closed channel takes values",
  },
  {
    file: core,
    line: "this.#refill();",
    becomes: "",
    breaks: "a waiting sender does not move up when a value leaves",
  },
  {
    file: core,
    line: 'for (const id of this.#senders.keys()) this.#effects.push({ kind: "refused", id });',
    becomes: "",
    breaks: "a sender that waits when the channel is closed is never answered",
  },
  {
    file: core,
    line: 'for (const id of this.#receivers.keys()) this.#effects.push({ kind: "ended", id });',
    becomes: "",
    breaks: "a receiver that waits when the channel is closed is never answered",
  },
  {
    file: core,
    line: '} else if (this.#closed) this.#effects.push({ kind: "ended", id });',
    becomes: "}",
    breaks: "a receiver waits for ever on a closed channel",
  },
  {
    file: core,
    line: "this.#receivers.delete(input.id);",
    becomes: "",
    breaks: "a receive that was withdrawn takes a value with it",
  },
  {
    file: core,
    line: "this.#senders.delete(input.id);",
    becomes: "",
    breaks: "a value that was withdrawn is received",
  },
  {
    file: core,
    line: "for (const one of waiting.values()) if (one.party !== party || this.capacity > 0) return one;",
    becomes: "for (const one of waiting.values()) return one;",
    breaks: "a select meets itself",
  },
  {
    file: core,
    line: 'this.#effects.push({ kind: "sent", id: sender.id });',
    becomes: "",
    breaks: "a sender is not told that its value was received",
  },
  {
    file: adapter,
    line: "for (const [i, other] of cases.entries()) if (i !== index) other.stop(ids[i]!);",
    becomes: "",
    breaks: "the cases that a select did not choose stay, and take values with them",
  },
  {
    file: adapter,
    line: "if (first === undefined || one.chosenAt < cases[first]!.chosenAt) first = i;",
    becomes: "first ??= i;",
    breaks: "a select serves its first ready case for ever",
  },
  {
    file: adapter,
    line: "choose: (at) => void (chosenAt[end] = at),",
    becomes: "choose: () => {},",
    breaks: "no select remembers what was chosen",
  },
  {
    file: adapter,
    line: "if (result instanceof ChannelClosedError) reject(result);",
    becomes: "if (false) reject(result);",
    breaks: "a select that could not send says that it did",
  },
  {
    file: adapter,
    line: "if (this.#core.closed) throw closedError();",
    becomes: "",
    breaks: "trySend says yes to a closed channel",
  },
  {
    file: adapter,
    line: "else reject(closedError());",
    becomes: "else resolve();",
    breaks: "a send into a closed channel seems to have worked",
  },
  {
    file: squarer,
    line: "this.#stop.close();",
    becomes: "",
    breaks: "close waits for a squarer that nobody told to stop",
  },
  {
    file: squarer,
    line: 'if (next.kind === "ended") return output.close();',
    becomes: 'if (next.kind === "ended") return;',
    breaks: "the output does not end with the input",
  },
  {
    file: squarer,
    line: "if (!(error instanceof ChannelClosedError)) throw error;",
    becomes: "throw error;",
    breaks: "a reader that closes the output brings the squarer down",
  },
  {
    file: suite,
    line: "if (ahead > 1) throw new PropertyError(`${ahead} numbers were in flight, expected 1`);",
    becomes: "",
    breaks: "the suite does not notice a squarer that reads ahead",
  },
  {
    file: suite,
    line: "if (got.done !== true) throw new PropertyError(`${got.value} came out after close`);",
    becomes: "",
    breaks: "the suite does not notice what comes out after close",
  },
  {
    file: suite,
    line: 'if (!(await trial.quiet(sending))) throw new PropertyError("a number was taken after close");',
    becomes: "",
    breaks: "the suite does not notice a squarer that still takes numbers",
  },
];
