/**
 * Threads that run our code and nobody else's. In a bundle all modules are one file, so that a
 * Worker started from any of them runs the bundle's main module again: a stranger's program would
 * start itself once more in every thread, and each of those would mine in turn. So in a bundle a
 * thread is started only if the program has said that its main module does nothing in a Worker.
 *
 * @module
 */
import { Worker } from "node:worker_threads";

/** Why there are no threads. */
export class BundledError extends Error {
  override name = "BundledError";
}

let isGuarded = false;

/**
 * Says that this program's main module does nothing in a Worker, because it checks
 * `Bun.isMainThread` first. To be called before `mine`; needed in bundles and compiled programs.
 */
export function declareGuardedMain(): void {
  isGuarded = true;
}

/** Throws a {@link BundledError} if a thread of `url`, a file `name`, would run main again. */
export function checkOwnWorker(url: string, name: string): void {
  if (isGuarded || new URL(url).pathname.endsWith(`/${name}`)) return;
  throw new BundledError(
    "Cannot start threads in a bundled program: each would run its main module again; " +
      "have that do nothing unless Bun.isMainThread, and call miner.declareGuardedMain() first",
  );
}

/** Starts a thread of the module at `url`, a file `name`. Throws as {@link checkOwnWorker}. */
export function ownWorker(url: string, name: string, workerData: unknown): Worker {
  checkOwnWorker(url, name);
  return new Worker(new URL(url), { workerData });
}
