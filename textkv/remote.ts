/**
 * Lists that are elsewhere, in a replicated store: each request of a client goes there, and the
 * client's next one waits for what comes of it.
 *
 * A list is one value there: its values, each with a `\n` behind it.
 *
 * @module
 */
import { List } from "./list.ts";
import type { Request } from "./request.ts";
import type { ClientId, RemoteRequest, TextEffect } from "./types.ts";

/** What came of a request. */
export interface RemoteAnswer {
  /** Of a Get: the list; undefined: there is none. */
  readonly list: List | undefined;
  /** Why the request came to nothing, if it did. */
  readonly why: "full" | "malformed" | undefined;
}

/** See the module. */
export class Remote {
  readonly #push: (effect: TextEffect) => void;
  /** Of clients that wait: undefined until the answer is there. */
  readonly #asked = new Map<ClientId, RemoteAnswer | undefined>();

  constructor(push: (effect: TextEffect) => void) {
    this.#push = push;
  }

  /** What came of the client's request, which is asked for if it was not: then undefined. */
  answerTo(client: ClientId, request: Request): RemoteAnswer | undefined {
    const answer = this.#asked.get(client);
    if (answer !== undefined) this.#asked.delete(client);
    else if (!this.#asked.has(client)) {
      const { verb, key, old, value } = request;
      this.#asked.set(client, undefined);
      this.#push({ kind: "ask", client, request: { verb, key, old, value } });
    }
    return answer;
  }

  /** The store has answered. */
  answered(client: ClientId, value: string | undefined, why: RemoteAnswer["why"]): void {
    if (!this.#asked.has(client)) return;
    this.#asked.set(client, { list: value === undefined ? undefined : listOf(value), why });
  }

  /** The client is gone. */
  forget(client: ClientId): void {
    this.#asked.delete(client);
  }
}

function listOf(value: string): List {
  const list = new List();
  for (const one of value.split("\n").slice(0, -1)) list.append(one);
  return list;
}

/** The value that a request appends to. */
export function appended({ value }: RemoteRequest): string {
  return `${value}\n`;
}

/** The list as it is after an Update: the first `old` is out, `value` at the end. */
export function updated(list: string | undefined, { old, value }: RemoteRequest): string {
  const values = (list ?? "").split("\n").slice(0, -1);
  const at = values.indexOf(old);
  if (at >= 0) values.splice(at, 1);
  return [...values, value].map((one) => `${one}\n`).join("");
}
