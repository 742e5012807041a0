/** A client's core: where operations go, and what becomes of them when servers are gone. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { ClientCore, type ClientEffect } from "../../geo/client_core.ts";
import { type Answer, decodeRequest, encodeReply, type Operation } from "../../geo/requests.ts";
import { nearest, roundRobin, type Router } from "../../geo/routers.ts";

const SERVERS = ["a:1", "b:2", "c:3"];
const GET: Operation = { kind: "get", key: "x" };
const ADD: Operation = { kind: "add", key: "n", delta: 1 };

/** A client, and what it asked for. */
class Client {
  readonly core: ClientCore;
  nowMs = 0;
  effects: ClientEffect[] = [];

  constructor(router: Router = roundRobin(), retries = false) {
    this.core = new ClientCore({ servers: SERVERS, router, retries });
  }

  tell(input: Parameters<ClientCore["handle"]>[0]): void {
    this.core.handle(input, this.nowMs);
    for (let one = this.core.poll(); one !== undefined; one = this.core.poll()) {
      this.effects.push(one);
    }
  }

  call(id: number, operation: Operation = GET, deadlineMs = 10_000): void {
    this.tell({ kind: "call", id, operation, deadlineMs });
  }

  reply(server: string, id: number, answer: Answer): void {
    this.tell({ kind: "payload", server, bytes: encodeReply({ id, answer }) });
  }

  /** A server is reached, and says how many actors it has, after `roundTripMs`. */
  connect(server: string, actors: number, roundTripMs = 1): void {
    this.tell({ kind: "connected", server });
    this.nowMs += roundTripMs;
    this.reply(server, 0, { kind: "hello", actors, address: server });
  }

  /** Servers that were dialled, and requests but for measurements, since the last look. */
  took(): string[] {
    const all = this.effects.splice(0).flatMap((effect) => {
      if (effect.kind === "dial") return [`dial ${effect.server}`];
      if (effect.kind === "failed") return [`${effect.id} failed: ${effect.failure}`];
      if (effect.kind === "answered") return [`${effect.id} answered`];
      if (effect.kind !== "send") return [`${effect.id} ${effect.kind}`];
      const { id, actor, operation } = decodeRequest(effect.bytes)!;
      return operation.kind === "hello"
        ? []
        : [`${operation.kind} ${id} ${effect.server}#${actor}`];
    });
    return all;
  }
}

describe("routers", () => {
  test("whom to forget is said to first actors, who alone know the other servers", () => {
    const client = new Client();
    for (const server of SERVERS) {
      client.call(100 + SERVERS.indexOf(server));
      client.connect(server, 2);
    }
    client.took();
    for (let id = 1; id <= 6; id++) client.call(id, { kind: "forget", server: "x:1" });
    const where = client.took().map((text) => text.split("#")[1]);
    assertEquals(where, ["0", "0", "0", "0", "0", "0"]);
  });

  test("round robin: all actors of all servers in turn, one request an operation", () => {
    const client = new Client();
    for (const server of SERVERS) {
      client.call(100 + SERVERS.indexOf(server));
      client.connect(server, 2);
    }
    client.took();
    for (let id = 1; id <= 6; id++) client.call(id);
    const where = client.took().map((text) => text.split(" ")[2]);
    assertEquals(new Set(where).size, 6);
    assertEquals(where.length, 6);
  });

  test("nearest: each is measured once, then the one that answers soonest, always one actor", () => {
    const client = new Client(nearest());
    for (const [i, server] of SERVERS.entries()) {
      client.call(100 + i);
      assertEquals(client.took(), [`dial ${server}`]);
      client.connect(server, 3, [50, 5, 20][i]!);
      client.took();
    }
    client.took();
    for (let id = 1; id <= 3; id++) client.call(id);
    assertEquals(client.took(), ["get 1 b:2#0", "get 2 b:2#0", "get 3 b:2#0"]);
  });

  test("one's own router", () => {
    const client = new Client((targets) => targets.find(({ server }) => server === "c:3")!);
    client.call(1);
    assertEquals(client.took(), ["dial c:3"]);
  });
});

describe("servers that are gone", () => {
  test("without retry: an error of that operation, at once", () => {
    const client = new Client();
    client.call(1);
    client.tell({ kind: "gone", server: "a:1", reason: "no answer" });
    assertEquals(client.took(), ["dial a:1", "1 failed: unreachable"]);
  });

  test("with retry: the next server; in the end all are named", () => {
    const client = new Client(roundRobin(), true);
    client.call(1);
    for (let i = 0; i < 3; i++) {
      const [dial] = client.effects.splice(0);
      assert(dial?.kind === "dial");
      client.tell({ kind: "gone", server: dial.server, reason: "no answer" });
    }
    const [failed] = client.effects;
    assert(failed?.kind === "failed" && failed.failure === "unreachable");
    assert(failed.reason.startsWith("no answer from any of "), failed.reason);
    for (const server of SERVERS) assert(failed.reason.includes(server));
  });

  test("with retry: one that is not connected in time is not waited for", () => {
    const client = new Client(roundRobin(), true);
    client.call(1);
    client.took();
    const wakeMs = client.core.wakeAtMs()!;
    assert(wakeMs < 10_000);
    client.nowMs = wakeMs;
    client.tell({ kind: "wake" });
    const [text] = client.took();
    assert(text?.startsWith("dial "), text);
  });

  test("an add whose answer is missing is unknown, and never sent again", () => {
    const client = new Client(roundRobin(), true);
    client.call(1, ADD);
    client.connect("a:1", 1);
    assertEquals(client.took(), ["dial a:1", `add 1 a:1#64`]);
    client.tell({ kind: "gone", server: "a:1", reason: "silent" });
    assertEquals(client.took(), ["1 failed: unknown"]);
  });

  test("an operation that waits for a connection times out; a sent write is unknown", () => {
    const client = new Client();
    client.call(1, ADD, 100);
    client.nowMs = 100;
    client.tell({ kind: "wake" });
    assertEquals(client.took(), ["dial a:1", "1 failed: timed out"]);
    client.call(2, ADD, 200);
    client.connect("b:2", 1);
    client.nowMs = 200;
    client.tell({ kind: "wake" });
    assertEquals(client.took(), ["dial b:2", "add 2 b:2#64", "2 failed: unknown"]);
  });

  test("with retry a watch goes on at another server, and says so", () => {
    const client = new Client(roundRobin(), true);
    client.call(1, { kind: "watch", prefix: "" });
    client.connect("a:1", 1);
    client.reply("a:1", 1, { kind: "events", changes: [] });
    client.took();
    client.tell({ kind: "gone", server: "a:1", reason: "silent" });
    const [dial] = client.took();
    const next = dial!.split(" ")[1]!;
    client.connect(next, 1);
    client.reply(next, 1, { kind: "events", changes: [] });
    assertEquals(client.took().at(-1), "1 resumed");
    client.tell({ kind: "forget", id: 1 });
    assertEquals(client.took(), [`unwatch 0 ${next}#64`]);
  });
});
