/** What people are told of an end depends on codes, never on a peer's words. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import {
  type ClosureCause,
  ConnectionClosed,
  ConnectionLost,
  ConnectRefused,
} from "../../lsp/mod.ts";
import { isServerThere, whyEnded } from "../../peer/endings.ts";

test("whyEnded calls a peer that left in peace just that, whatever its words", () => {
  const why = (closure: ClosureCause, reason: string): string =>
    whyEnded("the server", new ConnectionClosed(1, closure, reason));
  assertEquals(why("done", "closed by the peer"), "the server said goodbye");
  assertEquals(why("done", "so long"), "the server said goodbye");
  assertEquals(why("shutdown", "the peer shut down"), "the server said goodbye");
  for (const closure of ["protocol", "limit", "lost", "replaced", "other"] as const) {
    assertEquals(
      why(closure, "closed by the peer"),
      "the server closed the connection: closed by the peer",
    );
  }
});

test("whyEnded and isServerThere know a server that was restarted, and a path too small", () => {
  const forgotten = new ConnectionClosed(1, "forgotten", "the server does not know it");
  assertEquals(whyEnded("the server at X", forgotten), "the server at X was restarted");
  const path = new ConnectionClosed(1, "path", "datagrams of 1200 bytes are lost");
  assertEquals(whyEnded("the server", path), "lost the server: datagrams of 1200 bytes are lost");
  assertEquals([forgotten, path].map(isServerThere), [true, true]);
  const others = [new ConnectionLost(3), new ConnectionClosed(1, "done", ""), new Error("x")];
  assertEquals(others.map(isServerThere), [false, false, false]);
});

test("whyEnded says of a silent peer what to look at", () => {
  assertEquals(whyEnded("it", new ConnectionLost(3)), "it fell silent");
  const silent = new ConnectRefused("timeout", "no answer");
  assertEquals(whyEnded("the server", silent), "no answer from the server (is it running?)");
  assertEquals(whyEnded("the server", new ConnectRefused("full", "full house")), "full house");
});
