/**
 * The actors of a simulated system: some that get, one that watches, some that write.
 *
 * @module
 */
import { type ActorRef, actorAt, type MakeActor, type Message } from "../../actors/mod.ts";
import { chance, integerBetween, unitReal } from "../../base/random.ts";
import { addressOf, type Letter, MAILBOX, type Oracle, padOf, SINK } from "./oracle.ts";
import type { ActorsPlan } from "./plan.ts";

/** How often the watcher looks whether it watches all that it can. */
const WATCH_AGAIN_MS = 300;

/** What actors of a run share with the world, beside what they are told. */
export interface Stage {
  readonly plan: ActorsPlan;
  readonly oracle: Oracle;
  /** Whether all is healed: nothing new is written then. */
  readonly isOver: () => boolean;
  /** A life of a system that was seen once, perhaps the present one. */
  readonly someLife: (system: number, pick: number) => number;
}

/** Gets messages, until it is told to stop. */
export function sink(stage: Stage, system: number): MakeActor {
  return () => ({
    onMessage(message, context) {
      if (message !== "stop") return stage.oracle.gets(system, SINK, message as Letter);
      stage.oracle.stops(system, SINK);
      context.stop();
    },
  });
}

/** Watches the sinks of the other systems, again and again. */
export function watcher(stage: Stage, system: number): MakeActor {
  return (context) => {
    const watched = new Set<string>();
    const keyOf = ({ address, incarnation }: ActorRef): string => `${address} ${incarnation}`;
    context.tell(context.self, "again");
    return {
      onMessage() {
        context.tellAfter(context.self, "again", WATCH_AGAIN_MS);
        if (stage.isOver()) return;
        for (let other = 0; other < stage.plan.systems; other++) {
          const isExact = chance(context.random, 0.5);
          const incarnation = isExact ? stage.someLife(other, 1) : 0;
          const ref = { address: addressOf(other), incarnation, counter: SINK };
          if (other === system || watched.has(keyOf(ref)) || !chance(context.random, 0.5)) continue;
          watched.add(keyOf(ref));
          stage.oracle.watches(system, ref, other);
          context.watch(ref);
        }
      },
      onGone(ref, why) {
        watched.delete(keyOf(ref));
        stage.oracle.fires(system, ref, why);
      },
    };
  };
}

/** Tells the sinks and mailboxes of all systems, its own too, in bursts. */
export function writer(stage: Stage, system: number, name: string): MakeActor {
  const { plan, oracle } = stage;
  return (context) => {
    const { random } = context;
    const numbers = new Map<number, number>();
    const tellOne = (): void => {
      const other = integerBetween(random, 0, plan.systems - 1);
      const counter = chance(random, 0.3) ? MAILBOX : SINK;
      const number = (numbers.get(other * 10 + counter) ?? -1) + 1;
      numbers.set(other * 10 + counter, number);
      const isExact = chance(random, plan.exactShare);
      const aim = isExact ? stage.someLife(other, unitReal(random)) : 0;
      const pad = padOf(number, plan.padBytes);
      const letter: Letter = { writer: name, from: system, number, aim, atMs: context.nowMs, pad };
      const ref = { ...actorAt(addressOf(other), counter), incarnation: aim };
      oracle.tells();
      context.tell(ref, letter as Message);
    };
    context.tellAfter(context.self, "go", unitReal(random) * plan.paceMs);
    return {
      onMessage() {
        if (stage.isOver()) return;
        for (let i = 0; i < plan.burst; i++) tellOne();
        context.tellAfter(context.self, "go", (0.5 + unitReal(random)) * plan.paceMs);
      },
    };
  };
}
