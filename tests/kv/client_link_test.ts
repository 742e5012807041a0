/** Which servers a client tries, and for how long. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { ClientLink } from "../../kv/client_link.ts";

const SERVERS = ["a", "b", "c"];
/** The longest wait between two dials. */
const WAIT_MS = 400;

/** A link that needs a server, and whom it has dialled, and when. */
class Desk {
  readonly dials: { readonly server: string; readonly atMs: number }[] = [];
  readonly link: ClientLink;
  nowMs = 0;

  constructor(seed: number, servers: readonly string[] = SERVERS) {
    this.link = new ClientLink(servers, seededRandom(seed), (effect) => {
      if (effect.kind === "dial") this.dials.push({ server: effect.server, atMs: this.nowMs });
    });
    this.link.need(true, 0);
  }

  get last(): string {
    return this.dials.at(-1)!.server;
  }

  /** Time passes; the link is called when it wants to be. */
  wait(forMs: number): void {
    for (const endMs = this.nowMs + forMs; ;) {
      const atMs = this.link.wakeAtMs() ?? Infinity;
      if (atMs > endMs) {
        this.nowMs = endMs;
        return;
      }
      this.nowMs = Math.max(this.nowMs, atMs);
      this.link.need(true, this.nowMs);
    }
  }
}

describe("a client's link", () => {
  test("soon leaves servers that are not there, and gives them more time when none is", () => {
    const desk = new Desk(1);
    desk.wait(60_000);
    const { dials } = desk;
    const first = dials.slice(0, 3);
    assertEquals(new Set(first.map(({ server }) => server)).size, 3);
    assert(first[2]!.atMs <= 2 * (400 + WAIT_MS), `the third is tried at ${first[2]!.atMs} ms`);
    const gaps = dials.slice(1).map(({ atMs }, i) => atMs - dials[i]!.atMs);
    assert(
      gaps.slice(-5).every((gap) => gap >= 2000 && gap <= 2000 + WAIT_MS),
      gaps.join(),
    );
  });

  test("whose server goes tries the others before that", () => {
    for (let seed = 1; seed <= 20; seed++) {
      const desk = new Desk(seed);
      const others = SERVERS.filter((server) => server !== desk.last);
      // By way of one that named it, as is usual for a leader.
      const [leader, next] = others as [string, string];
      desk.link.connected(desk.nowMs);
      desk.link.misled(leader, desk.nowMs);
      desk.wait(1);
      assertEquals(desk.last, leader);
      desk.link.connected(desk.nowMs);
      desk.link.gone(desk.nowMs);
      const before = desk.dials.length;
      desk.wait(2 * (400 + WAIT_MS));
      const tried = desk.dials.slice(before, before + 2).map(({ server }) => server);
      assert(tried.includes(next) && !tried.includes(leader), `seed ${seed}: ${tried.join()}`);
    }
  });

  test("does not believe for a while that one leads that was just gone; then it does", () => {
    for (const [afterMs, isBelieved] of [
      [300, false],
      [600, true],
    ] as const) {
      const desk = new Desk(1);
      const dead = desk.last;
      desk.link.connected(desk.nowMs);
      desk.link.gone(desk.nowMs);
      desk.wait(200);
      assert(desk.last !== dead);
      desk.link.connected(desk.nowMs);
      desk.nowMs = afterMs;
      desk.link.misled(dead, desk.nowMs);
      desk.wait(WAIT_MS);
      assertEquals(desk.last === dead, isBelieved, `after ${afterMs} ms`);
    }
  });
});
