/** The command line: what is accepted, what is refused and how that reads. */
import { describe, test } from "bun:test";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { atPort } from "../../base/text.ts";
import { LSP_FLAGS, lspParams, WIRE_FLAG, wireFlag } from "../../peer/flags.ts";
import { helpText, readCommandLine, type Usage } from "../../run/args.ts";
import { UsageError } from "../../run/errors.ts";
import { hex64, hostAndPort, port, seconds, uint64 } from "../../run/flags.ts";
import { invocationOf } from "../../run/invocation.ts";
import { rowsText } from "../../run/rows.ts";

const USAGE: Usage = {
  name: "tool",
  takes: "A [B]",
  count: [1, 2],
  about: "Does things.",
  flags: { wire: WIRE_FLAG, ...LSP_FLAGS, quiet: { help: "say nothing" } },
};
const read = (...argv: string[]) => readCommandLine(USAGE, argv);

describe("readCommandLine", () => {
  test("takes arguments and flags in any order", () => {
    const line = read("--quiet", "a", "--epoch-millis", "100", "--", "--b");
    assertEquals(line.positionals, ["a", "--b"]);
    assertEquals([line.has("quiet"), line.flag("epoch-millis")], [true, "100"]);
    assertEquals([read("a").has("quiet"), read("a").flag("wire")], [false, undefined]);
  });

  test("refuses too few, too many, unknown and valueless in one line", () => {
    for (const argv of [
      [],
      ["a", "b", "c"],
      ["a", "--nope"],
      ["a", "--wire"],
      ["a", "--quiet=1"],
    ]) {
      const { message } = assertThrows(() => read(...argv), UsageError);
      assertEquals(message.split("\n").length, 1, message);
    }
  });
});

test("readCommandLine tells what is wrong in our style, and the way out for a leading dash", () => {
  const why = (...argv: string[]): string => assertThrows(() => read(...argv), UsageError).message;
  assertEquals(why("a", "--nope"), "unknown option '--nope'");
  assertEquals(
    why("a", "-5"),
    'unknown option \'-5\'; an argument that begins with "-" goes behind "--"',
  );
  assertEquals(
    why("a", "--wire", "-1"),
    '--wire is followed by "-1"; a value that begins with "-" is given as --wire=-1',
  );
  assertEquals(why("a", "--wire", ""), '--wire is "", expected WIRE');
  assertEquals(why("a", "--epoch-limit="), '--epoch-limit is "", expected N');
  assertEquals(why("-dash").startsWith("unknown option '-dash'; an argument"), true);
  assertEquals(why(), "got 0 arguments, expected A [B]");
});

test("readCommandLine forgives the one verb of a program, and no other word", () => {
  const serving = (...argv: string[]) => readCommandLine({ ...USAGE, verb: "serve" }, argv);
  assertEquals(serving("serve", "a").positionals, ["a"]);
  assertEquals(serving("a").positionals, ["a"]);
  assertEquals(serving("serve", "serve").positionals, ["serve"]);
  assertThrows(() => serving("serve"), UsageError, "got 0 arguments");
  assertStringIncludes(helpText({ ...USAGE, verb: "serve" }), "tool.ts [serve] A [B]\n");
});

test("helpText lists every flag with its meaning", () => {
  const help = helpText(USAGE);
  for (const flag of [...Object.keys(USAGE.flags), "version", "help"]) {
    assertStringIncludes(help, `--${flag}`);
  }
  assertStringIncludes(help, "-h");
  assertStringIncludes(help, "usage: bun run tool.ts A [B]\n");
});

test("helpText fits a terminal: paragraphs are cut anew, lines that are set in are kept", () => {
  const long = "word ".repeat(30).trim();
  const about = `One two\nthree.\n  tool.ts A\n  ${long}\nThe end.`;
  const help = helpText({ ...USAGE, about, flags: { flag: { value: "N", help: long } } });
  const lines = help.split("\n");
  assertEquals(Math.max(...lines.map((line) => line.length)) <= 80, true, help);
  assertEquals(lines.slice(2, 4), ["One two three.", "  tool.ts A"]);
  assertEquals(
    lines.slice(4, 7).map((line) => /^ */.exec(line)![0].length),
    [2, 4, 0],
  );
  const further = lines.filter((line) => /^ {13}word/.test(line));
  assertEquals(further.length, 2, help);
});

test("rowsText has its columns in one order, whichever rows lack some", () => {
  const [few, all] = [
    { node: 1, data: "d" },
    { node: 2, miners: 12, data: "d" },
  ];
  const table = "node  miners  data\n1     -       d\n2     12      d\n";
  assertEquals(rowsText([few, all], false), table);
  assertEquals(rowsText([all, few], false).split("\n")[0], table.split("\n")[0]);
  const json = rowsText([{ node: 1, "log bytes": 5 }, few], true);
  assertEquals(json, '{"node":1,"logBytes":5}\n{"node":1,"data":"d"}\n');
});

test("invocation names the program as it was started", () => {
  const of = (main: string, argv0 = "bun"): string => invocationOf("tool", main, argv0, "/home/me");
  assertEquals(of("/home/me/tool.ts"), "bun run tool.ts");
  assertEquals(of("/home/me/tools/tool.ts"), "bun run tools/tool.ts");
  assertEquals(of("/opt/tool.ts"), "bun run /opt/tool.ts");
  assertEquals(of("/home/me/test.ts"), "bun run tool.ts");
  assertEquals(of("/home/me/tool.js"), "bun tool.js");
  assertEquals(of("/home/me/dist/tool.js"), "bun dist/tool.js");
  assertEquals(of("/opt/tool.js"), "bun /opt/tool.js");
  assertEquals(of("/home/me/my tools/it's.js"), "bun 'my tools/it'\\''s.js'");
  assertEquals(of("/$bunfs/root/tool", "./tool"), "./tool");
  assertEquals(of("/$bunfs/root/tool", "my-tool"), "my-tool");
  assertEquals(of("B:\\~BUN\\root\\tool.exe", ".\\tool.exe"), ".\\tool.exe");
});

test("nonce takes 0..2^64-1 and nothing else", () => {
  assertEquals(uint64("N", "0"), 0n);
  assertEquals(uint64("N", "18446744073709551615"), 2n ** 64n - 1n);
  assertEquals([uint64("N", "2^40"), uint64("N", "1e9")], [2n ** 40n, 10n ** 9n]);
  assertEquals([uint64("N", "0^0"), uint64("N", "1E19")], [1n, 10n ** 19n]);
  for (const text of [
    "18446744073709551616",
    "2^64",
    "1e20",
    "2^",
    "e3",
    "2^-1",
    "-1",
    "1.5",
    "",
    " 1",
    "0x10",
    "1n",
    "٣",
  ]) {
    assertThrows(() => uint64("N", text), UsageError, "whole number");
  }
});

test("port takes 1..65535, and 0 where a free one may be picked", () => {
  assertEquals(port("65535"), 65535);
  assertEquals(port("0", 0n), 0);
  for (const text of ["0", "65536", "http"]) assertThrows(() => port(text), UsageError, "PORT");
});

test("seconds takes what a timer can wait: above 0, and less than 25 days", () => {
  assertEquals(
    [seconds("T", "0.001"), seconds("T", "60"), seconds("T", "2147483")],
    [1, 60_000, 2147483000],
  );
  for (const text of ["0", "0.0004", "-1", "1e3", "", "2147483.001", "2147484", "9999999999"]) {
    assertThrows(() => seconds("T", text), UsageError, "expected seconds above 0, at most 2147483");
  }
});

test("hex64 takes exactly 16 digits", () => {
  assertEquals(hex64("--target", "00000000ffffFFFF"), 0xffff_ffffn);
  for (const text of ["fff", "00000000fffffffff", "00000000fffffffg", "0x000000ffffffff"]) {
    assertThrows(() => hex64("--target", text), UsageError, "16 hexadecimal");
  }
});

test("hostAndPort takes a name, an IPv4 and a bracketed IPv6", () => {
  assertEquals(hostAndPort("localhost:6060"), { host: "localhost", port: 6060 });
  assertEquals(hostAndPort("127.0.0.1:1"), { host: "127.0.0.1", port: 1 });
  assertEquals(hostAndPort("[::1]:6060"), { host: "::1", port: 6060 });
  for (const host of ["fe80::1%4", "fe80::1%eth0", "fe80::1%br-lan", "fe80::1%wl.0:1"]) {
    assertEquals(hostAndPort(`[${host}]:6060`), { host, port: 6060 });
    assertEquals(hostAndPort(`[${host}]`, 6060), { host, port: 6060 });
  }
  assertEquals(atPort("::1", 6060), "[::1]:6060");
  for (const text of ["", "host", "6060", ":6060", "host:", "::1:6060", "[::1]", "a b:1", "h:0"]) {
    assertThrows(() => hostAndPort(text), UsageError);
  }
});

test("lspParams takes every parameter of docs/lsp.md, section 2", () => {
  const given = ["--epoch-millis", "9", "--epoch-limit", "3", "--window-size", "8"];
  const more = ["--max-unacked-messages", "4", "--max-back-off-interval", "0"];
  assertEquals(lspParams(read("a", ...given, ...more)), {
    epochMillis: 9,
    epochLimit: 3,
    windowSize: 8,
    maxUnackedMessages: 4,
    maxBackOffInterval: 0,
  });
  assertEquals(lspParams(read("a")), {});
  assertThrows(() => lspParams(read("a", "--epoch-limit", "0")), UsageError, "--epoch-limit");
  const contradiction = ["--window-size", "2", "--max-unacked-messages", "3"];
  assertThrows(() => lspParams(read("a", ...contradiction)), UsageError, "above");
});

test("wireFlag takes cbor and json", () => {
  assertEquals(wireFlag(read("a")), "cbor");
  assertEquals(wireFlag(read("a", "--wire", "json")), "json");
  assertThrows(() => wireFlag(read("a", "--wire", "xml")), UsageError, "cbor or json");
});
