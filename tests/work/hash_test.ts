/** SHA-256 and a nonce's hash, against published digests and Bun's. */
import { expect, test } from "bun:test";
import { sha256 } from "../../base/sha256.ts";
import { hashNonce } from "../../work/hash.ts";

const hex = (bytes: Uint8Array): string => bytes.toHex();

test("sha256() gives the digests of FIPS 180-4's examples", () => {
  const encode = (text: string) => new TextEncoder().encode(text);
  expect(hex(sha256(encode("abc")))).toBe(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  expect(hex(sha256(encode("")))).toBe(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  );
});

test("sha256() agrees with Bun's at every length from 0 to 200", () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = Uint8Array.from({ length }, (_, i) => (i * 37 + length) & 0xff);
    expect(hex(sha256(bytes))).toBe(Bun.SHA256.hash(bytes, "hex"));
  }
});

test("hashNonce() gives the three values of docs/lsp.md, section 9", () => {
  expect(hashNonce("msg", 0n)).toBe(13781283048668101583n);
  expect(hashNonce("msg", 1n)).toBe(4754799531757243342n);
  expect(hashNonce("msg", 2n)).toBe(5611725180048225792n);
});

test("hashNonce() is SHA-256's first 64 bits behind messages of every length, in any order", () => {
  for (const nonce of [0n, 7n, 1234567n, 10n ** 19n]) {
    for (let length = 0; length <= 200; length++) {
      const message = "é".repeat(length >> 1) + "m".repeat(length & 1);
      const digest = Bun.SHA256.hash(`${message} ${nonce}`, "hex");
      expect(hashNonce(message, nonce)).toBe(BigInt(`0x${digest.slice(0, 16)}`));
    }
  }
});

test("hashNonce() takes the largest nonce", () => {
  const digest = Bun.SHA256.hash("msg 18446744073709551615", "hex");
  expect(hashNonce("msg", 2n ** 64n - 1n)).toBe(BigInt(`0x${digest.slice(0, 16)}`));
});
