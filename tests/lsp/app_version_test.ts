/** What the handshake says of the application, and what people are told when two ends differ. */
import { test } from "bun:test";
import { assertEquals, assertThrows } from "@std/assert";
import { whyDiffer } from "../../lsp/app_version.ts";
import { appVersion } from "../../lsp/mod.ts";

test("appVersion has a name of one to three letters, and a version of a byte", () => {
  assertEquals(appVersion("kv", 1), 0x6b760001);
  assertEquals(appVersion("geo", 255), 0x67656fff);
  for (const name of ["", "four", "KV", "k v", "é"]) {
    assertThrows(() => appVersion(name, 1), RangeError, "one to three letters");
  }
  for (const version of [-1, 256, 1.5]) {
    assertThrows(() => appVersion("kv", version), RangeError, "expected 0..255");
  }
});

test("ends that cannot speak are told whether programs or only versions differ", () => {
  const why = (server: number, peer: number, lspVersion = 2): string =>
    whyDiffer({ lspVersion: 2, appVersion: server }, { lspVersion, appVersion: peer }, "we");
  assertEquals(
    why(appVersion("kv", 1), appVersion("geo", 2)),
    "client and server are of different programs: " +
      "the server has LSP 2, kv messages 1; we have LSP 2, geo messages 2",
  );
  assertEquals(
    why(3, appVersion("a", 0)),
    "client and server are of different programs: " +
      "the server has LSP 2, messages 3; we have LSP 2, a messages 0",
  );
  assertEquals(
    why(appVersion("kv", 1), appVersion("kv", 2), 1),
    "versions differ: the server has LSP 2, kv messages 1; we have LSP 1, kv messages 2",
  );
  // What has no name is a number, whatever it is.
  for (const number of [0, 3, 0x01020304, 2 ** 32 - 1]) {
    assertEquals(
      why(number, 7),
      `versions differ: the server has LSP 2, messages ${number}; we have LSP 2, messages 7`,
    );
  }
});
