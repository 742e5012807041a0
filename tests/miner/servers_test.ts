/** A miner among the servers of a cluster: where it goes, and what it brings along. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import type { MinerEffect } from "../../miner/types.ts";
import type { Message } from "../../work/messages.ts";
import { assign, BEST, POOL, Rig, written } from "./rig.ts";

describe("MinerCore among the servers of a cluster", () => {
  const SERVERS = ["a:1", "b:2", "c:3"];
  const dial = (server: string): MinerEffect => ({ kind: "dial", server, isCluster: true });
  const news = (leads: boolean, leader: string): Message => ({
    kind: "servers",
    leads,
    leader,
    servers: SERVERS,
  });

  test("goes to the leader that it is told of, and at once", () => {
    const rig = new Rig(false, SERVERS);
    assertEquals(rig.tell({ kind: "wake" }), [dial("a:1")]);
    rig.tell(POOL);
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.say(news(false, "c:3"));
    assertEquals([rig.core.wakeAtMs(), rig.tell({ kind: "wake" })], [rig.nowMs, [dial("c:3")]]);
  });

  test("goes round when none leads, and waits only between rounds", () => {
    const rig = new Rig(false, SERVERS);
    rig.tell({ kind: "wake" });
    for (const next of ["b:2", "c:3"]) {
      rig.tell({ kind: "gone", reason: "no answer" });
      assertEquals(rig.tell({ kind: "wake" }), [dial(next)]);
    }
    rig.tell({ kind: "gone", reason: "no answer" });
    assertEquals(rig.tell({ kind: "wake" }), []);
    assertEquals(rig.wait(), [dial("a:1")]);
  });

  test("brings what it has in hand from a server that leads no more to the one that does", () => {
    const rig = new Rig(false, SERVERS);
    rig.tell({ kind: "wake" });
    rig.tell(POOL);
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.say(news(true, "a:1"));
    rig.say({ ...assign(1), job: 9 });
    assertEquals(rig.say(news(false, "b:2")), []);
    rig.tell({ kind: "wake" });
    const said = written(rig.tell({ kind: "connected", wire: "cbor" })) as Message[];
    assertEquals(
      said.map(({ kind }) => kind),
      ["join", "resume"],
    );
  });

  test("tells the next leader the result that the one before may not have heard", () => {
    const rig = new Rig(false, SERVERS);
    rig.tell({ kind: "wake" });
    rig.tell(POOL);
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.say(news(true, "a:1"));
    rig.say({ ...assign(1), job: 9 });
    rig.tell({ kind: "finished", id: 1, best: BEST });
    rig.tell({ kind: "gone", reason: "it fell silent" });
    rig.tell({ kind: "wake" });
    const said = written(rig.tell({ kind: "connected", wire: "cbor" })) as Message[];
    const { lower, upper } = assign(1).work;
    const held = [{ job: 9, lower, upper, next: upper + 1n, best: BEST }];
    assertEquals(said[1], { kind: "resume", held });
    assertEquals(rig.say({ kind: "resumed", chunks: [0] }), []);
    // It is told once: this leader has heard it.
    rig.tell({ kind: "gone", reason: "lost" });
    rig.tell({ kind: "wake" });
    assertEquals(written(rig.tell({ kind: "connected", wire: "cbor" })).length, 1);
  });

  test("with --once ends when the leader is lost, or when a round finds none", () => {
    const lost = new Rig(true, SERVERS);
    lost.tell({ kind: "wake" });
    lost.tell({ kind: "connected", wire: "cbor" });
    lost.say(news(false, "b:2"));
    assertEquals(lost.tell({ kind: "wake" }), [dial("b:2")]);
    lost.tell({ kind: "connected", wire: "cbor" });
    lost.say(news(true, "b:2"));
    const end = lost.tell({ kind: "gone", reason: "it fell silent" });
    assertEquals(end, [{ kind: "exit", reason: "it fell silent" }]);
    const futile = new Rig(true, ["a:1", "b:2"]);
    futile.tell({ kind: "wake" });
    assertEquals(futile.tell({ kind: "gone", reason: "no" }), []);
    futile.tell({ kind: "wake" });
    assertEquals(futile.tell({ kind: "gone", reason: "no" }), [{ kind: "exit", reason: "no" }]);
  });

  test("that was given one server knows the others once that names them", () => {
    const rig = new Rig(false, ["a:1"]);
    assertEquals(rig.tell({ kind: "wake" }), [{ ...dial("a:1"), isCluster: false } as MinerEffect]);
    rig.tell(POOL);
    rig.tell({ kind: "connected", wire: "cbor" });
    rig.say(news(true, "a:1"));
    rig.tell({ kind: "gone", reason: "lost" });
    assertEquals(rig.tell({ kind: "wake" }), [dial("b:2")]);
  });
});
