/** base/ip_address.ts: addresses are compared by value, whatever was typed. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  canonicalIp,
  isLinkLocal,
  isLoopbackIp,
  isWildcard,
  zoneOf,
} from "../../base/ip_address.ts";

describe("canonicalIp", () => {
  test("gives one text for each value", () => {
    const same: readonly (readonly [text: string, ...typed: string[]])[] = [
      ["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1", "::FFFF:7f00:1", "0:0:0:0:0:ffff:7f00:0001"],
      ["::1", "::1", "0:0:0:0:0:0:0:1", "0::1", "::0:1", "::0.0.0.1"],
      ["::", "::", "0::", "::0", "0:0:0:0:0:0:0:0"],
      ["2001:db8::1", "2001:DB8::1", "2001:0db8:0:0:0:0:0:1", "2001:db8::1%eth0"],
      ["2001:db8:0:1:1:1:1:1", "2001:db8::1:1:1:1:1"],
      ["2001:0:0:1::1", "2001:0:0:1:0:0:0:1"],
      ["2001:db8::1:0:0:1", "2001:db8:0:0:1:0:0:1"],
      ["fe80::1%4", "fe80::1%4", "FE80:0::1%4"],
      ["fe80::1%br-lan", "fe80::0001%br-lan"],
      ["fe80::1", "fe80::1"],
    ];
    for (const [text, ...typed] of same) {
      for (const host of typed) assertEquals(canonicalIp(host), text, host);
    }
  });

  test("gives nothing for names and for what is no address", () => {
    const wrong =
      "localhost 1.2.3 1.2.3.256 1.2.3.4.5 0x7f.1 :::1 1::2::3 1:2:3:4:5:6:7 g::1 12345::1 " +
      "1:2:3:4:5:6:7:8:9 fe80::1% 1.2.3.4%eth0 ::1.2.3 ::1.2.3.4:5 [::1] 1.2.3.4:80";
    for (const host of ["", ...wrong.split(" ")]) assertEquals(canonicalIp(host), undefined, host);
    // Eight groups and a double colon are one too many; seven and a double colon are not.
    assertEquals(canonicalIp("1:2:3:4:5:6:7:8::"), undefined);
    assertEquals(canonicalIp("1:2:3:4:5:6:7::"), "1:2:3:4:5:6:7:0");
  });

  test("is its own canonical text, and agrees with the URL parser on IPv6 (property)", () => {
    const group = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), (groups) => {
        const typed = groups.map((value) => value.toString(16).padStart(4, "0")).join(":");
        const text = canonicalIp(typed)!;
        assertEquals(canonicalIp(text), text);
        if (!text.includes(".")) assertEquals(`[${text}]`, new URL(`http://[${typed}]/`).hostname);
      }),
    );
  });
});

describe("kinds of addresses:", () => {
  test("wildcards, loopback and link-local ones are known however they are written", () => {
    for (const host of ["0.0.0.0", "::", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0"])
      assert(isWildcard(host));
    for (const host of ["127.0.0.1", "127.9.8.7", "::1", "::ffff:127.0.0.1"]) {
      assert(isLoopbackIp(host), host);
    }
    for (const host of ["fe80::1", "FE80::1%eth0", "febf::1"]) assert(isLinkLocal(host), host);
    for (const host of ["fec0::1", "::1", "10.0.0.1", "127.example", "localhost"]) {
      assert(!isLinkLocal(host) && !isWildcard(host), host);
    }
    assert(!isLoopbackIp("128.0.0.1") && !isLoopbackIp("::2") && !isLoopbackIp("127.example"));
  });

  test("only a link-local address has a zone", () => {
    assertEquals(zoneOf("fe80::1%br-lan"), "br-lan");
    assertEquals(zoneOf("fe80::1"), undefined);
    assertEquals(zoneOf("2001:db8::1%eth0"), undefined);
  });
});
