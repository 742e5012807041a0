/** Which of several servers is dialled next, and when there is a wait. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { ROUND_MS_MAX, ServerRing, SERVERS_MAX } from "../../base/server_ring.ts";

const ring = (...servers: string[]): ServerRing => new ServerRing(servers, seededRandom(1));

describe("ServerRing", () => {
  test("tries each server once before it waits", () => {
    const three = ring("a", "b", "c");
    const tried = [three.current];
    for (let i = 0; i < 2; i++) {
      assertEquals(three.lost(), 0);
      tried.push(three.current);
    }
    assertEquals(tried, ["a", "b", "c"]);
    const waitMs = three.lost();
    assert(waitMs > 0 && waitMs <= ROUND_MS_MAX);
    assertEquals([three.current, three.lost()], ["a", 0]);
  });

  test("goes where it is sent, also to a server that it did not know", () => {
    const two = ring("a", "b");
    assertEquals([two.lost("z"), two.current], [0, "z"]);
    two.arrived();
    assertEquals([two.lost(), two.current], [0, "a"]);
  });

  test("is not sent back in a round to one that is silent", () => {
    const three = ring("a", "b", "c");
    three.lost();
    assertEquals([three.current, three.lost("a"), three.current], ["b", 0, "c"]);
    assert(three.lost("a") > 0);
    // In the next round it is believed.
    assertEquals([three.current, three.lost("a"), three.current], ["b", 0, "a"]);
  });

  test("is sent back at once to one that has come to lead meanwhile", () => {
    const three = ring("a", "b", "c");
    // The leader before is dead, and its follower did not know.
    assertEquals([three.lost("b"), three.current], [0, "b"]);
    assertEquals([three.lost(), three.current], [0, "c"]);
    assertEquals([three.lost("a"), three.current], [0, "a"]);
    // Once a round: then it is dialled behind a wait.
    assert(three.lost("c") > 0);
    assertEquals(three.current, "c");
  });

  test("dials one again that says that it has just come to lead, once a round", () => {
    const two = ring("a", "b");
    assertEquals([two.lost("a"), two.current], [0, "a"]);
    assertEquals([two.lost("a"), two.current], [0, "b"]);
  });

  test("asks those last that are silent", () => {
    const three = ring("a", "b", "c");
    three.lost("");
    three.lost();
    assertEquals(three.current, "c");
    assert(three.lost("") > 0);
    const next = [three.current];
    for (let i = 0; i < 2; i++) {
      three.lost("");
      next.push(three.current);
    }
    assertEquals(next, ["a", "c", "b"]);
    // What led for a while may be gone since: all are asked in turn.
    three.arrived();
    assertEquals([three.lost(), three.current], [0, "c"]);
  });

  test("two servers that name each other are asked with ever longer waits", () => {
    const two = ring("a", "b");
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) waits.push(two.lost(two.current === "a" ? "b" : "a"));
    assert(waits.filter((ms) => ms > 0).length >= 6);
    assert(Math.max(...waits) > ROUND_MS_MAX / 2);
  });

  test("a round ends, however many leaders are made up", () => {
    const one = ring("a", "b");
    let steps = 0;
    while (one.lost(`made up ${steps}`) === 0) steps++;
    assert(steps <= SERVERS_MAX);
  });

  test("learns the others, forgets those that are named no more, and keeps what it was given", () => {
    const one = ring("a");
    assertEquals(one.isCluster, false);
    one.learn(["b", "c", "b"]);
    assertEquals([one.isCluster, one.all], [true, ["a", "b", "c"]]);
    one.learn(["d"]);
    assertEquals(one.all, ["a", "d"]);
    one.learn(Array.from({ length: 100 }, (_, i) => `s${i}`));
    assertEquals(one.all.length, SERVERS_MAX);
  });
});
