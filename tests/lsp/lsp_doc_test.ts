/** docs/lsp.md says what the code does: its defaults and its hashes. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { CLASSIC_PARAMS, CBOR_PARAMS } from "../../lsp/mod.ts";
import { hashNonce } from "../../work/hash.ts";

const page = await Bun.file(new URL("../../docs/lsp.md", import.meta.url)).text();

/** The cells of all rows of tables. */
const rows: string[][] = [...page.matchAll(/^\|(.*)\|$/gm)].map(([, row]) =>
  row!.split("|").map((cell) => cell.trim()),
);

describe("docs/lsp.md", () => {
  test("section 2 has the defaults of both wires", () => {
    for (const [name, json] of Object.entries(CLASSIC_PARAMS)) {
      const row = rows.find(([first]) => first === `\`${name}\``);
      const cbor = CBOR_PARAMS[name as keyof typeof CBOR_PARAMS];
      assertEquals(row?.slice(2), [`${json}`, `${cbor}`], name);
    }
  });

  test("section 9 has hashes that are right", () => {
    const hashes = rows.filter(([, nonce]) => /^\d+$/.test(nonce!));
    assertEquals(hashes.length, 3);
    for (const [message, nonce, hash] of hashes) {
      assertEquals(`${hashNonce(message!, BigInt(nonce!))}`, hash, `${message} ${nonce}`);
    }
  });
});
