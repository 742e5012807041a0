/**
 * Plain, exact SHA-256 (FIPS 180-4).
 *
 * @module
 */

/** The initial hash value (FIPS 180-4, section 5.3.3). */
export const SHA256_INITIAL: Readonly<Int32Array> = Int32Array.of(
  0x6a09e667,
  0xbb67ae85,
  0x3c6ef372,
  0xa54ff53a,
  0x510e527f,
  0x9b05688c,
  0x1f83d9ab,
  0x5be0cd19,
);

/** The round constants: cube roots of the first 64 primes (FIPS 180-4, section 4.2.2). */
export const SHA256_ROUND_CONSTANTS: Readonly<Int32Array> = roundConstants();

function roundConstants(): Int32Array {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return Int32Array.from(primes, (p) => Math.floor((Math.cbrt(p) % 1) * 2 ** 32) | 0);
}

const K = Int32Array.from(SHA256_ROUND_CONSTANTS);
const schedule = new Int32Array(64);

/**
 * Folds one 64-byte block, given as 16 big-endian words at `words[offset..]`, into a hash value of
 * 8 words: that of `from` (`to` itself if left out) goes to `to`. FIPS 180-4, section 6.2.2. The
 * form is tuned for JavaScriptCore: three times as fast as the standard's in plain words.
 */
export function compress(
  to: Int32Array,
  words: Int32Array,
  offset = 0,
  from: Int32Array = to,
): void {
  const w = schedule;
  for (let t = 0; t < 16; t++) w[t] = words[offset + t]!;
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[t] = (w[t - 16]! + s0 + w[t - 7]! + s1) | 0;
  }
  let a = from[0]!;
  let b = from[1]!;
  let c = from[2]!;
  let d = from[3]!;
  let e = from[4]!;
  let f = from[5]!;
  let g = from[6]!;
  let h = from[7]!;
  for (let t = 0; t < 64; t++) {
    const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const t1 = (h + s1 + (g ^ (e & (f ^ g))) + K[t]! + w[t]!) | 0;
    const t2 = (s0 + ((a & b) | (c & (a | b)))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  to[0] = (from[0]! + a) | 0;
  to[1] = (from[1]! + b) | 0;
  to[2] = (from[2]! + c) | 0;
  to[3] = (from[3]! + d) | 0;
  to[4] = (from[4]! + e) | 0;
  to[5] = (from[5]! + f) | 0;
  to[6] = (from[6]! + g) | 0;
  to[7] = (from[7]! + h) | 0;
}

/**
 * `bytes` padded as FIPS 180-4, section 5.1.1 says, as big-endian words, 16 a block; the length in
 * the padding counts `before` bytes that went before them in whole blocks.
 */
export function paddedWords(bytes: Uint8Array, before = 0): Int32Array {
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const padded = new Uint8Array(blocks * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setBigUint64(padded.length - 8, BigInt(before + bytes.length) * 8n);
  const words = new Int32Array(blocks * 16);
  for (let i = 0; i < words.length; i++) words[i] = view.getInt32(i * 4);
  return words;
}

/** The eight state words after all of `bytes`: the SHA-256 digest as big-endian words. */
export function sha256Words(bytes: Uint8Array): Int32Array {
  const words = paddedWords(bytes);
  const state = Int32Array.from(SHA256_INITIAL);
  for (let offset = 0; offset < words.length; offset += 16) compress(state, words, offset);
  return state;
}

/** The SHA-256 digest of `bytes`, 32 bytes. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  const view = new DataView(digest.buffer);
  sha256Words(bytes).forEach((word, i) => view.setInt32(i * 4, word));
  return digest;
}
