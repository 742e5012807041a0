/**
 * Mining on a fleet: a search for the least hash, as any client of the fleet would submit it.
 *
 * @module
 */
import { submit } from "../client/mod.ts";
import { hostAndPort } from "../run/flags.ts";
import type { Search } from "./adapter.ts";
import { WorldError } from "./types.ts";

/** A search that takes longer is given up: the fleet has lost its miners, perhaps. */
const TIMEOUT_MS = 60_000;

/** Searches on the fleet whose server is at `address`. */
export function fleetSearch(address: string, onWaiting: (reason: string) => void): Search {
  const { host, port } = hostAndPort(address);
  return async (message, count) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const job = { host, port, message, lower: 0n, upper: BigInt(count - 1), signal, onWaiting };
    try {
      return (await submit(job).answer).hash;
    } catch (error) {
      const why = signal.aborted ? `no answer in ${TIMEOUT_MS / 1000} s` : (error as Error).message;
      throw new WorldError(`the fleet at ${address}: ${why}`, false);
    }
  };
}
