/** A room with a disk, crashing: tests/support/counter.ts. The proof that a room is cheap. */
import { test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { Computer, PLAIN } from "../../sim/engine/computer.ts";
import { Dice } from "../../sim/engine/dice.ts";
import { drawDiskFaults, SimulatedDisk } from "../../sim/engine/disk.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { Process } from "../../sim/engine/process.ts";
import { Counter, type CounterEffect, type CounterInput, Tally } from "../support/counter.ts";

/** Runs ten lives of a counter; gives how many texts were echoed. */
function runCounter(seed: number, isLying = false): number {
  const dice = new Dice(seed, 1);
  const loop = new Loop();
  const disk = new SimulatedDisk(loop, seededRandom(seed, 2), drawDiskFaults(dice, "disk"));
  disk.files.isLying = isLying;
  const quirks = { ...PLAIN, clockOriginMs: dice.real(0, 1e6), clockRate: dice.real(0.8, 1.25) };
  const computer = new Computer({ name: "counter", loop, quirks, disks: [disk] });
  /** The texts by their numbers: those that were echoed must stay. */
  const said: string[] = [];
  let echoed = 0;
  for (let life = 0; life < 10; life++) {
    const opened = disk.open({ kind: "counter", segmentBytes: 16 << 10 });
    const core = new Counter(opened.state);
    assert(core.tally.count >= echoed, `${echoed} were echoed, ${core.tally.count} are known`);
    said.length = core.tally.count;
    const expected = new Tally();
    for (const [i, text] of said.entries()) expected.apply(new TextEncoder().encode(text), i + 1);
    assertEquals(core.tally.checksum, expected.checksum);
    const carryOut = (effect: CounterEffect): void => {
      if (effect.kind === "exit" || effect.kind === "refuse") return;
      if (effect.kind !== "echo") return opened.disk.handle(effect);
      assertEquals(said[effect.number - 1], effect.text);
      echoed = Math.max(echoed, effect.number);
    };
    const process = new Process<CounterInput, CounterEffect>({ computer, core, carryOut });
    opened.disk.start((input) => process.whenAwake(() => process.tell(input)));
    for (let i = dice.integer(0, 200); i > 0; i--) {
      said[core.tally.count] = `${life} ${i}`;
      process.tell({ kind: "say", text: `${life} ${i}` });
      loop.runUntil(loop.nowMs + dice.real(0, 2), () => {}, 1e6);
    }
    if (dice.chance(0.5)) computer.crash();
    else computer.cutPower();
  }
  return echoed;
}

test("a counter never forgets what it echoed, and gives no number twice: 60 seeds", () => {
  let echoed = 0;
  for (let seed = 1; seed <= 60; seed++) echoed += runCounter(seed);
  assert(echoed > 3000, `${echoed} texts were echoed`);
});

test("a counter is found out when its disk lies", () => {
  for (let seed = 1; seed <= 5; seed++) assertThrows(() => runCounter(seed, true), Error);
});
