/** Which of two candidates is better, and what is no candidate. */
import { expect, test } from "bun:test";
import { better } from "../../work/candidate.ts";

test("better() prefers the smaller hash, then the smaller nonce", () => {
  const a = { hash: 1n, nonce: 9n };
  expect(better(a, { hash: 2n, nonce: 1n })).toBe(a);
  expect(better({ hash: 1n, nonce: 10n }, a)).toBe(a);
  expect(better(undefined, a)).toBe(a);
  expect(better(a, undefined)).toBe(a);
});
