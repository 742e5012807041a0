/** Programs of other versions: what was recorded of them is read as it was meant, or refused. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { createListener, DATAGRAM_BUFFER_BYTES } from "../../lsp/mod.ts";
import { MESSAGES_VERSION } from "../../work/messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import lsp1Dial from "../data/lsp1_dial.json";
import messagesV3 from "../data/messages_v3.json";

/** As JSON has it: numbers of 64 bits and more as `1n`, bytes as `0x01`. */
function plain(message: object): unknown {
  const text = JSON.stringify(message, (_, value: unknown) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Uint8Array ? `0x${value.toHex()}` : value;
  });
  return JSON.parse(text);
}

describe("messages of version 3, as recorded,", () => {
  // A fleet is upgraded machine by machine: a server of the next version has to read these, too.
  test.each(messagesV3)("are read and written the same: $message.kind", (recorded) => {
    const message = decodeMessage(Uint8Array.fromHex(recorded.hex));
    assertEquals(typeof message === "string" ? message : plain(message), recorded.message);
    assertEquals(typeof message === "string" ? "" : encodeMessage(message).toHex(), recorded.hex);
  });
});

describe("a program of the version before (LSP 1, messages 2), as recorded,", () => {
  // The datagrams of commit ea3cdcc's dialer and what it was answered, when it said `said`.
  test("is answered so that both sides say in a line which versions they have", () => {
    const listener = createListener({ random: seededRandom(1), appVersion: MESSAGES_VERSION });
    const buffer = new Uint8Array(DATAGRAM_BUFFER_BYTES);
    for (const { from, hex } of lsp1Dial.datagrams) {
      if (from === "old") listener.handleDatagram(Uint8Array.fromHex(hex), "10.0.0.2 7", 0);
      else {
        const answer = listener.pollDatagram(buffer, 0)!;
        assertEquals([answer.to, buffer.slice(0, answer.length).toHex()], ["10.0.0.2 7", hex]);
      }
    }
    assertEquals(listener.pollDatagram(buffer, 0), undefined);
    assertEquals(listener.pollNotice(), {
      kind: "refused",
      code: "version",
      reason:
        "10.0.0.2 7: versions differ: the server has LSP 2, messages 3; " +
        "the peer has LSP 1, messages 2",
    });
    const { said } = lsp1Dial;
    assertEquals(
      said,
      "versions differ: the server has LSP 2, messages 3; we have LSP 1, messages 2",
    );
  });
});
