/** A client's core without a server, for tests. */
import { seededRandom } from "../../base/random.ts";
import { ClientCore } from "../../kv/client_core.ts";
import type { CallOutcome, ClientEffect, ClientInput, Gone } from "../../kv/client_types.ts";
import { decodeRequest, type Denial, encodeReply, type Request } from "../../kv/messages.ts";

/** A core whose server is the test. */
export class Desk {
  readonly core: ClientCore;
  readonly requests: Request[] = [];
  readonly outcomes: CallOutcome[] = [];
  /** Ends of watches. */
  readonly ends: (ClientEffect & { readonly kind: "watchEnded" })[] = [];
  /** Servers that were dialled. */
  readonly dialled: string[] = [];
  /** How dials end; undefined: they are answered. */
  onDial: (server: string) => Gone | undefined = () => undefined;
  nowMs = 0;

  constructor(servers: readonly string[] = ["a", "b"]) {
    this.core = new ClientCore({ servers, random: seededRandom(1) });
  }

  tell(input: ClientInput | { kind: "wake" }): void {
    this.core.handle(input, this.nowMs);
    for (let effect = this.core.poll(); effect; effect = this.core.poll()) {
      if (effect.kind === "dial") this.#dialled(effect.server);
      if (effect.kind === "watchEnded") this.ends.push(effect);
      if (effect.kind === "done") this.outcomes.push(effect.outcome);
      if (effect.kind !== "send") continue;
      const request = decodeRequest(effect.bytes)!;
      this.requests.push(request);
      if (request.kind === "open") this.reply({ kind: "opened", id: request.id, session: 5 });
    }
  }

  #dialled(server: string): void {
    this.dialled.push(server);
    const gone = this.onDial(server);
    this.tell(gone === undefined ? { kind: "connected" } : { kind: "gone", ...gone });
  }

  reply(reply: Parameters<typeof encodeReply>[0]): void {
    this.tell({ kind: "payload", bytes: encodeReply(reply) });
  }

  /** Denies the last request. */
  deny(why: Denial, about?: string): void {
    const { id } = this.requests.at(-1) as Request & { readonly id: number };
    this.reply({ kind: "denied", id, why, leader: "", ...(about !== undefined && { about }) });
  }

  put(id: number, deadlineMs?: number): void {
    const change = { key: "x", at: undefined, value: new Uint8Array(1), lease: 0 };
    const call = { kind: "write", isBare: false, command: { kind: "put", change } } as const;
    this.tell({ kind: "calls", calls: [{ id, call, deadlineMs }] });
  }

  /** Time passes, up to `ms`. */
  until(ms: number): void {
    for (; this.nowMs <= ms; this.nowMs += 10) this.tell({ kind: "wake" });
  }
}
