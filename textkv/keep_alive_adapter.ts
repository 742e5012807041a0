/**
 * TCP's keep-alive, for connections that last: so that one that comes and goes costs the others
 * four calls of the system less.
 *
 * @module
 */
import type { ClientId } from "./types.ts";

/** A connection whose peer's machine is gone is noticed some minutes after this. */
const KEEP_ALIVE_MS = 60_000;
/** How often connections are looked at; one lasts when it has been there for so long. */
const LOOK_MS = 1000;
/** What is done in one look, so that nobody waits for it long: about a millisecond of it. */
const LOOK_MAX = 300;

type Socket = Pick<Bun.Socket<unknown>, "setKeepAlive">;

/** Switches keep-alive on for the sockets that it is given, unless they are gone by then. */
export class KeepAlive {
  /** Since the last look. */
  #young = new Map<ClientId, Socket>();
  /** Those that the next look is for. */
  #old = new Map<ClientId, Socket>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  add(id: ClientId, socket: Socket): void {
    this.#young.set(id, socket);
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  delete(id: ClientId): void {
    if (!this.#young.delete(id)) this.#old.delete(id);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#young.clear();
    this.#old.clear();
  }

  #look(): void {
    let left = LOOK_MAX;
    for (const [id, socket] of this.#old) {
      if (left-- === 0) break;
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      this.#old.delete(id);
    }
    const isBehind = this.#old.size > 0;
    if (!isBehind) [this.#old, this.#young] = [this.#young, this.#old];
    const isIdle = this.#old.size === 0;
    // The rest of many at once comes soon, and others in between.
    const nextMs = isBehind ? LOOK_MS / 100 : LOOK_MS;
    this.#timer = isIdle ? undefined : setTimeout(() => this.#look(), nextMs);
  }
}
