/**
 * Applications that wait: to read, in the order in which they asked, or to write; and how they
 * learn that there is no more.
 *
 * @module
 */
import { Queue } from "../base/queue.ts";
import { ConnectionClosed, ConnectionLost, type LspError } from "./errors.ts";
import type { LspEvent } from "./types.ts";

/** The error that reports a connection's last event. */
export function endError(event: Exclude<LspEvent, { kind: "data" }>): LspError {
  return event.kind === "lost"
    ? new ConnectionLost(event.connId)
    : new ConnectionClosed(event.connId, event.code, event.reason);
}

/** Readers are served in the order in which they asked. */
export class ReadQueue<T> {
  readonly #next: () => T | undefined;
  readonly #waiting = new Queue<PromiseWithResolvers<T>>();

  /** `next` takes what is next to be read, `undefined` for nothing yet; it may throw an end. */
  constructor(next: () => T | undefined) {
    this.#next = next;
  }

  /** What is next. Rejects with what `next` throws. */
  read(): Promise<T> {
    try {
      const value = this.tryRead();
      if (value !== undefined) return Promise.resolve(value);
    } catch (error) {
      return Promise.reject(error as LspError);
    }
    const reader = Promise.withResolvers<T>();
    this.#waiting.push(reader);
    return reader.promise;
  }

  /** What is next if it is here and nobody waits for it. */
  tryRead(): T | undefined {
    return this.#waiting.length > 0 ? undefined : this.#next();
  }

  /** Gives those who wait what there is now. */
  serve(): void {
    while (this.#waiting.length > 0) {
      try {
        const value = this.#next();
        if (value === undefined) return;
        this.#waiting.shift()!.resolve(value);
      } catch (error) {
        this.#waiting.shift()!.reject(error);
      }
    }
  }
}

/** An application that waits to write so many bytes. */
export interface Writer extends PromiseWithResolvers<void> {
  readonly bytes: number | undefined;
}

/** Iterates over what `source` reads; `isEnd` looks at its errors, and throws or goes on. */
export function iterate<T>(
  source: { read(): Promise<T>; tryRead(): T | undefined },
  isEnd: (error: unknown) => boolean,
): AsyncIterator<T> {
  return {
    async next(): Promise<IteratorResult<T>> {
      for (;;) {
        try {
          return { done: false, value: source.tryRead() ?? (await source.read()) };
        } catch (error) {
          if (isEnd(error)) return { done: true, value: undefined };
        }
      }
    },
  };
}
