/** Lines of the simulator: what is said arrives in order and once; both ends learn of the end. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { calmLines, type Line, type LineFaults, Lines } from "../../sim/engine/lines.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { MessageNetwork } from "../../sim/engine/message_network.ts";

const LATENCY_MS = 10;
const SILENCE_MS = 300;

/** A client and a server, and what each of them was told, with the time. */
class Pair {
  readonly loop = new Loop();
  readonly lines: Lines<string>;
  readonly client: string[] = [];
  readonly server: string[] = [];
  near: Line | undefined;
  far: Line | undefined;

  constructor(faults: LineFaults = calmLines(LATENCY_MS, SILENCE_MS)) {
    this.lines = new Lines({ loop: this.loop, random: seededRandom(1), faults });
    this.lines.listen("server", (line, note) => {
      this.far = line;
      this.server.push(`${note} at ${this.loop.nowMs}`);
      return this.#end(this.server);
    });
    this.lines.dial("client", "server", "hello", {
      connected: (line) => (this.near = line),
      ...this.#end(this.client),
    });
    while (this.near === undefined) this.run(1);
  }

  #end(told: string[]) {
    return {
      received: (payload: Uint8Array) => void told.push(`${payload[0]} at ${this.loop.nowMs}`),
      gone: () => void told.push(`gone at ${this.loop.nowMs}`),
    };
  }

  run(forMs: number): void {
    this.loop.runUntil(this.loop.nowMs + forMs, () => {}, 10_000);
  }

  say(...numbers: number[]): void {
    for (const number of numbers) this.near!.say(Uint8Array.of(number));
  }
}

describe("a line of the simulator", () => {
  test("brings what is said in order and once, and the end behind it", () => {
    const pair = new Pair();
    assertEquals(pair.near!.id, pair.far!.id);
    pair.say(1, 2);
    pair.near!.hangUp();
    pair.say(3);
    pair.run(1000);
    assertEquals(pair.server, ["hello at 20", "1 at 30", "2 at 30", "gone at 30"]);
    assertEquals(pair.client, ["gone at 30"]);
  });

  test("keeps the order where messages are late", () => {
    const pair = new Pair({
      ...calmLines(1, SILENCE_MS),
      jitterMs: 9,
      lossShare: 0.5,
      resendMs: 90,
    });
    const numbers = Array.from({ length: 50 }, (_, i) => i);
    pair.say(...numbers);
    pair.run(1000);
    assertEquals(
      pair.server.slice(1).map((told) => Number(told.split(" ")[0])),
      numbers,
    );
    const [least, most] = [pair.server[1]!, pair.server[50]!].map((told) =>
      Number(told.split(" at ")[1]),
    );
    assert(most! - least! > 10, "some were late");
  });

  test("holds back what is said while the way is cut, and goes on", () => {
    const pair = new Pair();
    pair.lines.cut("client", "server", 100);
    pair.say(1, 2);
    pair.far!.say(Uint8Array.of(7));
    pair.run(1000);
    assertEquals(pair.server, ["hello at 20", "1 at 120", "2 at 120"]);
    assertEquals(pair.client, ["7 at 30"]);
  });

  test("ends where one way stays cut: the end that hears nothing first", () => {
    const pair = new Pair();
    pair.lines.cut("client", "server");
    pair.say(1);
    pair.run(5000);
    assertEquals(pair.server, ["hello at 20", "gone at 320"]);
    assertEquals(pair.client, ["gone at 620"]);
    pair.lines.heal();
    assertEquals(pair.server.length, 2);
  });

  test("is missed by the other end when one crashes, and nobody answers a dial then", () => {
    const pair = new Pair();
    pair.lines.crash("server");
    pair.say(1);
    const told: string[] = [];
    pair.lines.dial("client", "server", "again", {
      connected: () => void told.push("connected"),
      received: () => {},
      gone: () => void told.push(`gone at ${pair.loop.nowMs}`),
    });
    pair.run(1000);
    assertEquals(pair.client, ["gone at 320"]);
    assertEquals(pair.server, ["hello at 20"]);
    assertEquals(told, ["gone at 340"]);
  });

  test("breaks at a message, and both ends learn of it", () => {
    const pair = new Pair();
    const calm = pair.lines.faults;
    pair.say(1);
    pair.run(20);
    pair.lines.faults = { ...calm, breakShare: 1 };
    pair.say(2);
    // What comes behind a gap would be out of order.
    pair.lines.faults = { ...calm, latencyMs: 1 };
    pair.say(3);
    pair.far!.say(Uint8Array.of(7));
    pair.run(1000);
    assertEquals(pair.server, ["hello at 20", "1 at 30", "gone at 50"]);
    assertEquals(pair.client, ["gone at 50"]);
  });
});

test("a network of messages loses, doubles and delays them, each way as its link does", () => {
  const loop = new Loop();
  const told: string[] = [];
  const network = new MessageNetwork<number, string>({
    loop,
    random: seededRandom(1),
    deliver: (from, to, message) => void told.push(`${from} ${to} ${message} at ${loop.nowMs}`),
    describe: (message) => message,
    bytesOf: (message) => message.length,
  });
  network.faults = { lossShare: 0, duplicateShare: 0, latencyMs: 5, jitterMs: 0 };
  network.link(2, 1).faults = { ...network.faults, duplicateShare: 1 };
  network.cutOneWay(1, 3);
  for (const [from, to] of [
    [1, 2],
    [2, 1],
    [1, 3],
    [3, 1],
  ] as const)
    network.send(from, to, "a");
  loop.runUntil(10, () => {}, 100);
  assertEquals(told, ["1 2 a at 5", "2 1 a at 5", "2 1 a at 5", "3 1 a at 5"]);
  assertEquals([network.sent, network.sentBytes, network.lost], [4, 4, 1]);
  network.mendAll();
  network.send(1, 3, "b", { ...network.faults, lossShare: 1 });
  network.send(1, 3, "c");
  loop.runUntil(20, () => {}, 100);
  assertEquals(told.slice(4), ["1 3 c at 15"]);
});
