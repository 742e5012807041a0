/** What people are told of an end depends on codes, never on a peer's words. */
import { test } from "bun:test";
import { assertEquals } from "@std/assert";
import {
  type ClosureCause,
  ConnectionClosed,
  ConnectionLost,
  ConnectRefused,
} from "../../lsp/mod.ts";
import { whyEnded } from "../../peer/endings.ts";

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

test("whyEnded says of a silent peer what to look at", () => {
  assertEquals(whyEnded("it", new ConnectionLost(3)), "it fell silent");
  const silent = new ConnectRefused("timeout", "no answer");
  assertEquals(whyEnded("the server", silent), "no answer from the server (is it running?)");
  assertEquals(whyEnded("the server", new ConnectRefused("full", "full house")), "full house");
});
