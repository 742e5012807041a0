/** From what people type to the addresses to dial, or to bind (docs/lsp.md, section 11). */
import { afterEach, describe, jest, test } from "bun:test";
import { networkInterfaces } from "node:os";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { UnresolvedHost } from "../../lsp/mod.ts";
import { resolveToBind, resolveToDial } from "../../lsp/resolve_adapter.ts";

/** A look-up that knows one name. */
const knows =
  (...addresses: string[]) =>
  async (name: string): Promise<string[]> => {
    if (name !== "fleet") throw new Error("no such name");
    return addresses;
  };

describe("resolveToDial", () => {
  test("gives all addresses of a name, the families in turn, at most eight", async () => {
    const all = ["2001:db8::1", "2001:DB8:0::1", "2001:db8::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"];
    const inTurn = "2001:db8::1 10.0.0.1 2001:db8::2 10.0.0.2 10.0.0.3".split(" ");
    assertEquals(await resolveToDial("fleet", knows(...all)), inTurn);
    assertEquals(await resolveToDial("fleet", knows("10.0.0.2", "10.0.0.1")), [
      "10.0.0.2",
      "10.0.0.1",
    ]);
    const many = Array.from({ length: 20 }, (_, i) => `10.0.1.${i}`);
    assertEquals((await resolveToDial("fleet", knows(...many))).length, 8);
  });

  test("takes addresses by value, brackets allowed", async () => {
    for (const [typed, ...dialled] of [
      ["[::FFFF:7f00:1]", "127.0.0.1"],
      ["0:0::1", "::1"],
      ["127.0.0.2", "127.0.0.2"],
      // A server on a wildcard address prints it; here it means this machine.
      ["0.0.0.0", "127.0.0.1"],
      ["[::]", "::1", "127.0.0.1"],
    ]) {
      assertEquals(await resolveToDial(typed!, knows()), dialled, typed);
    }
  });

  test("knows both addresses of localhost, whatever a machine's list says", async () => {
    const look = async (): Promise<string[]> => ["127.0.0.1"];
    for (const name of ["localhost", "LOCALHOST", "kv.localhost"]) {
      assertEquals(await resolveToDial(name, look), ["127.0.0.1", "::1"]);
    }
    assertEquals(await resolveToDial("mylocalhost", look), ["127.0.0.1"]);
  });

  test("tries a link-local address without zone on every link, and names numbered zones", async () => {
    const links = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
      (list ?? []).flatMap((entry) =>
        entry.family === "IPv6" && entry.address.startsWith("fe80")
          ? [{ name, index: entry.scopeid }]
          : [],
      ),
    );
    const expected = links.map(({ name }) => `fe80::77%${name}`);
    const dialled = await resolveToDial("fleet", knows("FE80:0::77"));
    assertEquals(new Set(dialled), new Set(expected.length > 0 ? expected : ["fe80::77"]));
    for (const { name, index } of links) {
      assertEquals(await resolveToDial(`[fe80::77%${index}]`), [`fe80::77%${name}`]);
    }
    assertEquals(await resolveToDial("[fe80::77%br-lan]"), ["fe80::77%br-lan"]);
  });

  test("says which host it does not find", async () => {
    const error = await assertRejects(() => resolveToDial("nobody", knows()), UnresolvedHost);
    assertEquals(error.message, "cannot find the host nobody: there is no such name");
    const none = await assertRejects(() => resolveToDial("fleet", knows()), UnresolvedHost);
    assert(none.message.includes("fleet: the name has no address"), none.message);
    const busy = async (): Promise<string[]> => {
      throw Object.assign(new Error("temporary failure"), { code: "EAI_AGAIN" });
    };
    const failed = await assertRejects(() => resolveToDial("fleet", busy), UnresolvedHost);
    assert(failed.message.includes("no name server could tell"), failed.message);
  });
});

describe("a look-up that never ends", () => {
  afterEach(() => void jest.useRealTimers());

  test("is given up after five seconds, in one line", async () => {
    jest.useFakeTimers();
    const resolving = resolveToDial("fleet", () => new Promise(() => {}));
    const rejected = assertRejects(
      () => resolving,
      UnresolvedHost,
      "no name server answered in 5 s",
    );
    jest.advanceTimersByTime(5000);
    await rejected;
  });
});

test("resolveToBind prefers IPv4, and keeps wildcards", async () => {
  assertEquals(await resolveToBind("fleet", knows("2001:db8::1", "10.0.0.1")), "10.0.0.1");
  assertEquals(await resolveToBind("fleet", knows("2001:db8::1")), "2001:db8::1");
  assertEquals(await resolveToBind("0::0"), "::");
  assertEquals(await resolveToBind("0.0.0.0"), "0.0.0.0");
});
