/** Both drivers of cores, on Bun and in the simulator, keep the contract of base/machine.ts. */
import { describe, jest, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import type { Machine, Millis, Wake } from "../../base/machine.ts";
import { Outbox } from "../../base/outbox.ts";
import { Drive } from "../../run/drive.ts";
import { Computer, PLAIN } from "../../sim/engine/computer.ts";
import { Loop } from "../../sim/engine/loop.ts";
import { Process } from "../../sim/engine/process.ts";

type Input = {
  readonly kind: "say";
  readonly words: readonly string[];
  readonly wakeInMs?: number;
};
type Effect = { readonly word: string };

/** Repeats what it is told, word by word, and asks for wake-ups when told to. */
class Parrot implements Machine<Input, Effect> {
  readonly heard: { kind: string; nowMs: Millis }[] = [];
  readonly #outbox = new Outbox<Effect>();
  #wakeAtMs: Millis | undefined;

  handle(input: Input | Wake, nowMs: Millis): void {
    this.heard.push({ kind: input.kind, nowMs });
    if (input.kind === "wake") {
      if (this.#wakeAtMs === undefined || nowMs < this.#wakeAtMs) return;
      this.#wakeAtMs = undefined;
      return this.#outbox.push({ word: "awake" });
    }
    for (const word of input.words) this.#outbox.push({ word });
    if (input.wakeInMs !== undefined) this.#wakeAtMs = nowMs + input.wakeInMs;
  }

  poll(): Effect | undefined {
    return this.#outbox.poll();
  }

  wakeAtMs(): Millis | undefined {
    return this.#wakeAtMs;
  }
}

/** A driver with a parrot in it, and a way to let its timers run off. */
interface Rig {
  readonly parrot: Parrot;
  tell(input: Input): void;
  end(): void;
  untilAwake(): Promise<void>;
}

type MakeRig = (carryOut: (word: string, rig: Rig) => void) => Rig;

function onBun(carryOut: (word: string, rig: Rig) => void): Rig {
  const parrot = new Parrot();
  const awake = Promise.withResolvers<void>();
  const drive = new Drive<Input, Effect>(parrot, ({ word }) => {
    carryOut(word, rig);
    if (word === "awake") awake.resolve();
  });
  const rig: Rig = {
    parrot,
    tell: (input) => drive.tell(input),
    end: () => drive.stop(),
    untilAwake: () => awake.promise,
  };
  return rig;
}

function simulated(carryOut: (word: string, rig: Rig) => void): Rig {
  const parrot = new Parrot();
  const loop = new Loop();
  const quirks = { ...PLAIN, clockOriginMs: 1000, clockRate: 1.25 };
  const process = new Process<Input, Effect>({
    computer: new Computer({ name: "one", loop, quirks }),
    core: parrot,
    carryOut: ({ word }) => carryOut(word, rig),
  });
  const rig: Rig = {
    parrot,
    tell: (input) => process.tell(input),
    end: () => process.crash(),
    untilAwake: () => Promise.resolve(loop.runUntil(1e9, () => {}, 1000)),
  };
  return rig;
}

const RIGS: Readonly<Record<string, MakeRig>> = { "Drive, on Bun": onBun, Process: simulated };

for (const [name, make] of Object.entries(RIGS)) {
  describe(name, () => {
    test("carries out every effect of an input, in order", () => {
      const said: string[] = [];
      const rig = make((word) => said.push(word));
      rig.tell({ kind: "say", words: ["a", "b"] });
      rig.tell({ kind: "say", words: ["c"] });
      assertEquals(said, ["a", "b", "c"]);
    });

    test("puts what an effect brings about behind the effects that wait already", () => {
      const said: string[] = [];
      let isInside = false;
      const rig = make((word, { tell }) => {
        assert(!isInside, "an effect is carried out in the middle of another");
        isInside = true;
        if (word === "a") tell({ kind: "say", words: ["c"] });
        said.push(word);
        isInside = false;
      });
      rig.tell({ kind: "say", words: ["a", "b"] });
      assertEquals(said, ["a", "b", "c"]);
    });

    test("carries out nothing once it is ended, not even what was asked for before", () => {
      const said: string[] = [];
      const rig = make((word, { end }) => {
        said.push(word);
        end();
      });
      rig.tell({ kind: "say", words: ["a", "b"] });
      rig.tell({ kind: "say", words: ["c"] });
      assertEquals(said, ["a"]);
      assertEquals(rig.parrot.heard.length, 1);
    });

    test("wakes the core when it asked for that, at its own clock's time or after", async () => {
      const said: string[] = [];
      const rig = make((word) => said.push(word));
      rig.tell({ kind: "say", words: [], wakeInMs: 5000 });
      rig.tell({ kind: "say", words: [], wakeInMs: 5 });
      await rig.untilAwake();
      const [, told, woken] = rig.parrot.heard;
      assertEquals(woken?.kind, "wake");
      assert(woken!.nowMs >= told!.nowMs + 5, `woken at ${woken!.nowMs}, told at ${told!.nowMs}`);
      assertEquals(said, ["awake"]);
    });

    test("wakes the core that put its wake-up off only at the later time", async () => {
      const said: string[] = [];
      const rig = make((word) => said.push(word));
      rig.tell({ kind: "say", words: [], wakeInMs: 5 });
      rig.tell({ kind: "say", words: [], wakeInMs: 50 });
      await rig.untilAwake();
      const [, told, ...woken] = rig.parrot.heard;
      assertEquals(woken.length, 1);
      assert(woken[0]!.nowMs >= told!.nowMs + 50, `woken at ${woken[0]!.nowMs}`);
      assertEquals(said, ["awake"]);
    });

    test("goes on after an effect has thrown, with the effects behind it", () => {
      const said: string[] = [];
      const rig = make((word) => {
        if (word === "bad") throw new RangeError("no");
        said.push(word);
      });
      assertThrows(() => rig.tell({ kind: "say", words: ["bad", "b"] }), RangeError, "no");
      rig.tell({ kind: "say", words: ["c"] });
      assertEquals(said, ["b", "c"]);
    });
  });
}

describe("Drive", () => {
  test("puts its timer off with the wake-up, and rings in vain at no time in between", () => {
    jest.useFakeTimers();
    try {
      const said: string[] = [];
      const { parrot, tell } = onBun((word) => said.push(word));
      const wakeAtMs = parrot.wakeAtMs.bind(parrot);
      let looks = 0;
      parrot.wakeAtMs = () => {
        looks++;
        return wakeAtMs();
      };
      for (let i = 0; i < 10; i++) {
        tell({ kind: "say", words: [], wakeInMs: 150 });
        const before = looks;
        jest.advanceTimersByTime(100);
        assertEquals(looks, before);
      }
      jest.advanceTimersByTime(60);
      assertEquals(said, ["awake"]);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe("Process", () => {
  test("stands still while it sleeps, timers included", () => {
    const loop = new Loop();
    const parrot = new Parrot();
    const said: { word: string; atMs: Millis }[] = [];
    const computer = new Computer({ name: "one", loop });
    const process = new Process<Input, Effect>({
      computer,
      core: parrot,
      carryOut: ({ word }) => said.push({ word, atMs: loop.nowMs }),
    });
    process.tell({ kind: "say", words: [], wakeInMs: 10 });
    loop.at(5, () => computer.sleep(100));
    loop.at(20, () => process.whenAwake(() => process.tell({ kind: "say", words: ["late"] })));
    loop.runUntil(1000, () => {}, 1000);
    assertEquals(
      said.toSorted((a, b) => a.word.localeCompare(b.word)),
      [
        { word: "awake", atMs: 105 },
        { word: "late", atMs: 105 },
      ],
    );
  });

  test("calls afterInput once the effects are carried out", () => {
    const order: string[] = [];
    const process = new Process<Input, Effect>({
      computer: new Computer({ name: "one", loop: new Loop() }),
      core: new Parrot(),
      carryOut: ({ word }) => order.push(word),
      afterInput: () => order.push("checked"),
    });
    process.tell({ kind: "say", words: ["a", "b"] });
    assertEquals(order, ["a", "b", "checked"]);
  });
});
