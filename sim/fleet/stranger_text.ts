/**
 * The classic application messages as a student of the course would write and read them
 * (docs/lsp.md, section 9), with none of our code.
 *
 * @module
 */

/** A Join (type 0), a Request (1) or a Result (2). */
export interface StrangerText {
  readonly type: number;
  readonly data: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly hash: bigint;
  readonly nonce: bigint;
}

/** All six keys in their order, numbers in bare digits; what is left out is 0 or empty. */
export function writeText(message: Partial<StrangerText>): string {
  const { type = 0, data = "", lower = 0n, upper = 0n, hash = 0n, nonce = 0n } = message;
  return (
    `{"Type":${type},"Data":${JSON.stringify(data)},"Lower":${lower},"Upper":${upper},` +
    `"Hash":${hash},"Nonce":${nonce}}`
  );
}

/** Reads what keeps to that form, all 64 bits of its numbers; throws on anything else. */
export function readText(json: string): StrangerText {
  const digits = (key: string) => BigInt(new RegExp(`"${key}":(\\d+)[,}]`).exec(json)![1]!);
  return {
    type: Number(digits("Type")),
    data: (JSON.parse(json) as { Data: string }).Data,
    lower: digits("Lower"),
    upper: digits("Upper"),
    hash: digits("Hash"),
    nonce: digits("Nonce"),
  };
}
