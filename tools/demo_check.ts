/**
 * The demo's distrust: checks an answer without the code that found it. The hash is computed by
 * two other implementations, and the range is searched once more by a kernel that the fleet did not
 * use.
 *
 * @module
 */
import type { JobAnswer } from "../client/mod.ts";
import { chooseKernel, Pool } from "../miner/mod.ts";
import { Failure } from "../run/errors.ts";
import { hashNonce } from "../work/hash.ts";

/** Preferred for the second search: it has least in common with the fastest ones. */
const UNLIKE = "sha";

/** What runs everywhere. */
const SAFE = "bun";

/** Where records of kernels are kept; in memory only, if left out. */
export interface Cache {
  readonly cacheDirectory?: string;
}

/** The question and its answer. */
export interface ClaimedAnswer {
  readonly message: string;
  /** The range is 0..upper. */
  readonly upper: bigint;
  readonly answer: JobAnswer;
}

/** What the second search did. */
export interface SecondSearch {
  readonly kernel: string;
  /** Nonces from 0 on that it searched. */
  readonly searched: bigint;
}

/** Throws {@link Failure} unless the answer's hash is right and its nonce in range. */
export function checkHash({ message, upper, answer: { hash, nonce } }: ClaimedAnswer): void {
  if (nonce < 0n || nonce > upper) throw new Failure(`nonce ${nonce} is outside 0..${upper}`);
  const native = new Bun.CryptoHasher("sha256").update(`${message} ${nonce}`).digest();
  for (const own of [hashNonce(message, nonce), native.readBigUInt64BE(0)]) {
    if (own !== hash) throw new Failure(`nonce ${nonce} has hash ${own}, not ${hash}`);
  }
}

/**
 * Searches the range again with a kernel that is not in `used`, for at most `millis`; `onProgress`
 * hears how far it is. Throws {@link Failure} if it finds anything better, or not the answer.
 */
export async function searchAgain(
  { message, upper, answer }: ClaimedAnswer,
  used: ReadonlySet<string>,
  onProgress: (searched: bigint, kernel: string) => void,
  millis: number,
  cache: Cache = {},
): Promise<SecondSearch> {
  const kernel = await otherKernel(used, cache);
  const end = Promise.withResolvers<{ searched: bigint; best?: { hash: bigint; nonce: bigint } }>();
  const pool = new Pool({
    ...cache,
    kernel,
    onEvent: (event) => {
      if (event.kind === "progress") onProgress(event.next, kernel);
      if (event.kind === "finished") end.resolve({ searched: upper + 1n, best: event.best });
      if (event.kind === "stopped") end.resolve({ ...event, searched: event.next });
    },
    onDead: () => end.reject(new Failure("the second search broke down")),
  });
  const timer = setTimeout(() => pool.command({ kind: "stop", id: 1 }), millis);
  pool.command({ kind: "start", search: { id: 1, subject: message, lower: 0n, upper } });
  try {
    const { searched, best } = await end.promise;
    const reached = answer.nonce < searched;
    const isBetter =
      best !== undefined &&
      (best.hash < answer.hash || (best.hash === answer.hash && best.nonce < answer.nonce));
    if (isBetter) throw new Failure(`nonce ${best.nonce} has the smaller hash ${best.hash}`);
    if (reached && best?.nonce !== answer.nonce) {
      throw new Failure(`a second search found nonce ${best?.nonce}, not ${answer.nonce}`);
    }
    return { kernel, searched };
  } finally {
    clearTimeout(timer);
    await pool.close();
  }
}

/**
 * A kernel that this machine can run and that is not in `used`, if there is any: of those that were
 * proved in a child process {@link UNLIKE}, else the fastest.
 */
async function otherKernel(used: ReadonlySet<string>, cache: Cache): Promise<string> {
  const { table } = await chooseKernel(cache);
  const known = table.filter(({ name, usable, rate }) => usable && rate > 0 && !used.has(name));
  const fastest = known.toSorted((a, b) => b.rate - a.rate).map(({ name }) => name);
  const preferred = [UNLIKE, ...fastest].find((name) => fastest.includes(name));
  return preferred ?? (used.has(SAFE) ? "plain" : SAFE);
}
