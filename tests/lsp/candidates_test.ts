/** A name with several addresses: who is asked, when, and whose answer counts (docs/lsp.md, 11). */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Candidates } from "../../lsp/candidates.ts";
import { createDialer } from "../../lsp/dialer.ts";
import type { Wire } from "../../lsp/types.ts";
import { Lan, type Node, packetsBetween } from "./lan.ts";

const C = "client 1";
const params = { epochMillis: 1000, epochLimit: 4 };

/** When datagrams left for `to`. */
function timesTo(link: Lan, to: string): number[] {
  return packetsBetween(link, C, to).map(({ sentMs }) => sentMs);
}

function connectedTo(node: Node): string | undefined {
  const notice = node.notices.find(({ kind }) => kind === "connected");
  return notice?.kind === "connected" ? notice.from : undefined;
}

describe.each(["cbor", "json"] as Wire[])("a dialer of several addresses (%s)", (wire) => {
  test("asks one more every 250 ms, and each again at every tick; fails after K epochs", () => {
    const link = new Lan();
    const client = link.dialer({ wire, params, to: ["a 1", "b 1", "c 1"] });
    link.run(6000);
    assertEquals(timesTo(link, "a 1"), [0, 1000, 2000, 3000]);
    assertEquals(timesTo(link, "b 1"), [250, 1000, 2000, 3000]);
    assertEquals(timesTo(link, "c 1"), [500, 1000, 2000, 3000]);
    const [notice] = client.notices;
    assert(notice?.kind === "refused" && notice.code === "timeout");
    assert(notice.reason.includes("a:1 or b:1 or c:1"), notice.reason);
    assertEquals(client.core.wakeAtMs(), undefined);
  });

  test("takes the first that answers, and asks no other then", () => {
    const link = new Lan();
    link.listener({}, "b 1");
    const client = link.dialer({ wire, to: ["a 1", "b 1", "c 1"] });
    assert(link.runUntil(() => client.notices.length > 0, 260));
    assertEquals(connectedTo(client), "b 1");
    link.run(3000);
    assertEquals([timesTo(link, "a 1"), timesTo(link, "c 1")], [[0], []]);
  });

  test("does not bother the others while the first answers", () => {
    const link = new Lan();
    const first = link.listener({}, "a 1");
    const second = link.listener({}, "b 1");
    const client = link.dialer({ wire, to: ["a 1", "b 1"] });
    link.run(3000);
    assertEquals(connectedTo(client), "a 1");
    assertEquals([first.core.stats().connections, second.core.stats().connections], [1, 0]);
    assertEquals(second.core.stats().receivedDatagrams, 0);
  });

  test("takes an answer from another address with the port it asked, and no other", () => {
    for (const [elsewhere, isTaken] of [
      ["other 1", true],
      ["other 2", false],
    ] as const) {
      const link = new Lan();
      const server = link.listener({}, elsewhere);
      // What is sent to "a 1" is received by the server elsewhere, as on a wildcard address.
      link.passes = ({ from, to, bytes }) => {
        if (to === "a 1") link.inject(bytes, elsewhere, from);
        return true;
      };
      const client = link.dialer({ wire, params, to: "a 1" });
      link.run(200);
      assertEquals(connectedTo(client), isTaken ? "a 1" : undefined, elsewhere);
      if (!isTaken) continue;
      link.write(client, 1, "there");
      link.write(server, 1, "and back");
      link.run(link.nowMs + 3000);
      assertEquals([server.texts, client.texts], [["there"], ["and back"]]);
    }
  });
});

describe("a cbor dialer of several addresses", () => {
  test("asks no other again, even if the connection takes time", () => {
    const link = new Lan();
    link.listener({}, "b 1");
    // No Accept comes through at first.
    link.passes = ({ from, bytes }) => from !== "b 1" || bytes.length < 50 || link.nowMs > 1500;
    const client = link.dialer({ params, to: ["a 1", "b 1", "c 1"] });
    assert(link.runUntil(() => client.notices.length > 0, 3000));
    assertEquals(connectedTo(client), "b 1");
    assertEquals([timesTo(link, "a 1"), timesTo(link, "c 1")], [[0], []]);
  });

  test("goes on to the next at once when one refuses; the last refusal counts", () => {
    const link = new Lan();
    link.listener({ appVersion: 9 }, "a 1");
    const good = link.listener({ appVersion: 1 }, "b 1");
    const client = link.dialer({ appVersion: 1, to: ["a 1", "b 1"] });
    assert(link.runUntil(() => client.notices.length > 0, 10));
    assertEquals([connectedTo(client), good.core.stats().connections], ["b 1", 1]);
    link.listener({ appVersion: 9 }, "c 1");
    const other = link.dialer({ appVersion: 1, to: ["a 1", "c 1"] }, "client 2");
    link.run(link.nowMs + 1000);
    const [notice] = other.notices;
    assert(notice?.kind === "refused" && notice.code === "version", JSON.stringify(notice));
  });

  test("asks the others again when the one that answered falls silent", () => {
    const link = new Lan();
    const half = link.listener({}, "a 1");
    link.listener({}, "b 1");
    // The first gives cookies, and takes none.
    let isFirst = true;
    link.passes = ({ to }) => {
      if (to !== "a 1") return true;
      const passes = isFirst;
      isFirst = false;
      return passes;
    };
    const client = link.dialer({ to: ["a 1", "b 1"], params: { epochMillis: 100 } });
    assert(link.runUntil(() => client.notices.length > 0, 1000));
    assertEquals([connectedTo(client), half.core.stats().connections], ["b 1", 0]);
  });
});

describe("Candidates", () => {
  test("one alone that said no is still the one", () => {
    const one = new Candidates(["a 1"], 0);
    assertEquals([one.wakeAtMs, one.takeDue()?.to, one.areDue], [Infinity, "a 1", false]);
    const two = new Candidates(["a 1", "b 1"], 0);
    const a = two.takeDue()!;
    assert(two.noteRefusal(a, 10));
    assertEquals([two.takeDue()?.to, two.addresses], ["b 1", ["b 1"]]);
    two.tick();
    assert(!two.noteRefusal(two.takeDue()!, 20));
  });

  test("a dialer needs an address", () => {
    assertThrows(() => createDialer({ to: [], random: () => 1 }), RangeError, "no address");
  });
});
