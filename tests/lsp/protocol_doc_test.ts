/** docs/protocol.md says what the codecs do: its tables, its dumps, its numbers. */
import { describe, expect, test } from "bun:test";
import { classicChecksum, ClassicType, encodeClassicFrame } from "../../lsp/classic_frame.ts";
import { Field, FRAME_FIELDS, FrameType, LSP_VERSION } from "../../lsp/frame.ts";
import { datagramOf, type Frame, rangesOf } from "./frame_support.ts";

const page = await Bun.file(new URL("../../docs/protocol.md", import.meta.url)).text();
const utf8 = new TextEncoder();

/** The cells of the table rows whose first cell is a number. */
const rows: string[][] = [...page.matchAll(/^\| +(\d+) +\|.*$/gm)].map(([row]) =>
  row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim()),
);

/** The bytes of the hex dumps, in the order of the page. */
const dumps: string[] = [...page.matchAll(/^```hex\n([^`]*)```$/gm)].map(([, dump]) =>
  dump!.replaceAll(/#.*$/gm, "").replaceAll(/\s+/g, ""),
);

const offer = {
  windowMessages: 1024,
  windowBytes: 2 ** 20,
  epochMillis: 250,
  maxMessageBytes: 64 << 20,
};
const isn = 2 ** 32 - 1;
const token = 0x0123456789abcdefn;
/** The number of the first Connect. */
const first = 0x0004_1db2_8d09_25c1;
const versions = { lspVersion: LSP_VERSION, appVersion: 1 };
const connect = { type: FrameType.connect, isn, token: 0n, ...versions, ...offer };
const ack = { cumulative: isn, echo: 3, echoDelayMicros: 40, ...offer };

/** Connection id, number and frames of the page's exchange. */
const exchange: [number, number, Frame[]][] = [
  [0, first, [connect]],
  [0, first, [{ type: FrameType.challenge, isn, token }]],
  [0, first + 1, [{ ...connect, token }]],
  [7, 1, [{ type: FrameType.accept, isn, newConnId: 7, ...offer }]],
  [
    7,
    1,
    [
      { type: FrameType.data, seq: isn + 1, payload: utf8.encode("hello") },
      { type: FrameType.data, seq: isn + 2, payload: utf8.encode("you") },
    ],
  ],
  [7, 2, [{ type: FrameType.ack, ...ack, ...rangesOf(isn + 2, isn + 4) }]],
  [7, 9, [{ type: FrameType.close, code: 0, seq: isn + 4, reason: "done" }]],
];

describe("docs/protocol.md", () => {
  test("its exchange is what the codec writes", () => {
    expect(dumps).toEqual(
      exchange.map(([connId, number, frames]) => datagramOf(connId, number, ...frames).toHex()),
    );
  });

  test("its table of frames has every type with the fields of the codec", () => {
    const names = new Map<number, string>();
    for (const [name, type] of Object.entries(FrameType)) names.set(type, name);
    const kinds = Object.keys(Field);
    for (const [type, fields] of FRAME_FIELDS.entries()) {
      const row = rows.find(([first, name]) => {
        return first === `${type}` && name!.toLowerCase() === names.get(type)!.toLowerCase();
      });
      if (fields === undefined) continue;
      const listed = row?.[2]!.split(", ").map((field) => field.split(" ")[0]);
      expect(listed).toEqual(fields.map((field) => kinds[field]!));
    }
    for (const name of ["Window", "Sealed"]) {
      const row = rows.find((cells) => cells[1] === name);
      expect(row?.[0]).toBe(`${FrameType[name.toLowerCase() as "window"]}`);
    }
  });

  test("its classic frame and its checksums are what the codec computes", () => {
    const into = new Uint8Array(2000);
    const frame = { type: ClassicType.data, connId: 1, seq: 124, payload: utf8.encode("abc") };
    const text = new TextDecoder().decode(into.subarray(0, encodeClassicFrame(into, frame)));
    expect(page).toContain(`\n${text}\n`);
    const vectors = rows.filter(([, seq, , sum]) => /^\d+$/.test(`${seq}${sum}`));
    expect(vectors.length).toBe(5);
    for (const [connId, seq, name, sum] of vectors) {
      const payload = {
        "(empty)": new Uint8Array(0),
        "`abc`": utf8.encode("abc"),
        "`ff ff ff ff`": new Uint8Array(4).fill(0xff),
      }[name!]!;
      const checksum = classicChecksum(Number(connId), Number(seq), payload.length, payload);
      expect(checksum).toBe(Number(sum));
    }
  });
});
