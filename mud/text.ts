/**
 * What happens in the game, as lines for people. Colours and widths are the caller's; a line is
 * plain text and a tone.
 *
 * @module
 */
import { readableCount, readablePlural, wrapped } from "../base/text.ts";
import { COMMAND_NAMES, FIGHT_COMMAND_NAMES } from "./commands.ts";
import {
  HARDWARE_NAMES,
  hitPoints,
  type Inventory,
  type Place,
  placeName,
  PLACES,
  RANKS,
  RETIRED,
} from "./rules.ts";
import type { GameEvent, Person } from "./types.ts";

/** How a line feels: what it is coloured by. */
export type Tone = "plain" | "good" | "bad" | "quiet" | "others";

/** One line for a person. */
export interface Line {
  readonly tone: Tone;
  readonly text: string;
}

const HELP: Readonly<Record<string, string>> = {
  help: "this list",
  stats: "your rank, place, coins, power, and what is left of your rank's problem",
  map: "where you and the others are",
  move: "move PLACE: go to the fence, the bridge, or a floor from 1 to 9",
  mine: "mine [N]: earn up to your power in coins, N times over",
  shop: "what you can buy",
  buy: "buy HARDWARE: as much as your coins pay for",
  inv: "your hardware and its power",
  solve: "take on your rank's problem, then: hit it with all your power",
  who: "who is in the game",
  say: "say TEXT: to all who are where you are",
  top: "the best ten",
  resign: "leave the problem alone",
  quit: "leave the game; you can come back on any machine",
};

const rankName = (rank: number): string => RANKS[Math.min(rank, RETIRED)] ?? "";
const coinsText = (count: number): string => readablePlural(count, "coin");

/** The lines that an event is told by; `columns` is how wide they should be at most. */
export function linesOf(event: GameEvent, columns: number): readonly Line[] {
  switch (event.kind) {
    case "welcome":
      return [
        { tone: "good", text: `Welcome, ${event.name}. You are ${article(event.rank)}.` },
        {
          tone: "plain",
          text: `You stand on ${placeName(event.place)}. "help" lists what you can do.`,
        },
      ];
    case "help":
      return helpLines(event.isFight, columns);
    case "stats":
    case "inventory":
    case "shop":
      return standing(event);
    case "map":
      return mapLines(event.here, event.players, columns);
    case "who":
      return peopleLines("In the game", event.players);
    case "top":
      return peopleLines("The best", event.players);
    case "came":
    case "went":
    case "joined":
    case "left":
    case "rose":
    case "said":
      return [{ tone: "others", text: heard(event) }];
    default:
      return [line(event)];
  }
}

/** Events that one line tells. */
type OneLine = Exclude<
  GameEvent,
  {
    readonly kind:
      | "welcome"
      | "help"
      | "stats"
      | "inventory"
      | "shop"
      | "map"
      | "who"
      | "top"
      | "came"
      | "went"
      | "joined"
      | "left"
      | "rose"
      | "said";
  }
>;

function line(event: OneLine): Line {
  const plain = (text: string): Line => ({ tone: "plain", text });
  const good = (text: string): Line => ({ tone: "good", text });
  const bad = (text: string): Line => ({ tone: "bad", text });
  switch (event.kind) {
    case "moved": {
      const others =
        event.others.length === 0 ? "Nobody else is here." : `Here: ${event.others.join(", ")}.`;
      return plain(`You stand on ${placeName(event.place)}. ${others}`);
    }
    case "working":
      return {
        tone: "quiet",
        text: event.what === "mine" ? "Mining ..." : "You work on the problem ...",
      };
    case "searching":
      return {
        tone: "quiet",
        text: `The fleet searches ${readablePlural(event.count, "nonce")} ...`,
      };
    case "mined":
      return event.coins === 0
        ? plain(`Nothing found. You have ${coinsText(event.total)}.`)
        : good(`You mined ${coinsText(event.coins)}: you have ${coinsText(event.total)} now.`);
    case "bought":
      return good(
        `You bought ${readableCount(event.count)} ${event.hardware} for ${coinsText(event.cost)}; ${coinsText(event.coins)} left.`,
      );
    case "problem":
      return plain(
        `The problem of ${rankName(event.rank)}, round ${event.round + 1}: ${readableCount(event.left)} of ${readableCount(hitPoints(event.rank))} hit points left. solve, resign or inv?`,
      );
    case "hit":
      return good(
        `A hit for ${readableCount(event.power)}! ${readablePlural(event.left, "hit point")} left.`,
      );
    case "missed":
      return plain("Nothing comes of it.");
    case "broke":
      return bad(
        `Something breaks: you lose ${lossText(event.lost)}.${event.isLostFight ? " One cpu is all you have, and the fight is lost." : ""}`,
      );
    case "beaten":
      return plain(
        "Somebody else has solved it. The problem is whole again, and the fight is over.",
      );
    case "risen":
      return good(`Solved! You are ${article(event.rank)} now.`);
    case "resigned":
      return plain("You leave the problem alone.");
    case "refused":
      return bad(event.text);
    case "trouble":
      return bad(event.isUnknown ? `${event.text}; it may have happened all the same` : event.text);
    default:
      event satisfies { readonly kind: "bye" };
      return plain("Goodbye.");
  }
}

/** A rank with its article. */
function article(rank: number): string {
  const name = rankName(rank);
  if (name === "Retired") return "Retired";
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name === "Masters" ? "Masters student" : name}`;
}

function heard(
  event: Extract<
    GameEvent,
    { readonly kind: "came" | "went" | "joined" | "left" | "rose" | "said" }
  >,
): string {
  switch (event.kind) {
    case "came":
      return `${event.name} comes.`;
    case "went":
      return `${event.name} goes away.`;
    case "joined":
      return `${event.name} is in the game.`;
    case "left":
      return `${event.name} has left the game.`;
    case "rose":
      return `${event.name} is ${article(event.rank)} now.`;
    default:
      return `${event.name}: ${event.text}`;
  }
}

function lossText(lost: Inventory): string {
  const parts = HARDWARE_NAMES.filter((name) => lost[name] > 0);
  return parts.length === 0
    ? "nothing but time"
    : parts.map((name) => `${readableCount(lost[name])} ${name}`).join(", ");
}

function helpLines(isFight: boolean, columns: number): readonly Line[] {
  const names = isFight ? FIGHT_COMMAND_NAMES : COMMAND_NAMES;
  return names.flatMap((name) =>
    wrapped(`${name.padEnd(7)} ${HELP[name] ?? ""}`, columns, 8).map((text) => ({
      tone: "plain" as const,
      text,
    })),
  );
}

function standing(
  event: Extract<GameEvent, { readonly kind: "stats" | "inventory" | "shop" }>,
): readonly Line[] {
  const rows: (readonly [string, string])[] = [];
  if (event.kind === "stats") {
    rows.push([event.name, `${rankName(event.rank)}, on ${placeName(event.place)}`]);
    rows.push(["coins", readableCount(event.coins)], ["power", readableCount(event.power)]);
    if (event.left !== undefined) {
      const whole = readableCount(hitPoints(event.rank));
      rows.push(["problem", `${readableCount(event.left)} of ${whole}`]);
    }
  } else if (event.kind === "inventory") {
    for (const name of HARDWARE_NAMES) {
      if (event.inventory[name] > 0) rows.push([name, readableCount(event.inventory[name])]);
    }
    rows.push(["power", readableCount(event.power)]);
  } else {
    for (const { name, price, power } of event.items) {
      rows.push([name, `${coinsText(price)}, power ${readableCount(power)}`]);
    }
    rows.push(["you have", coinsText(event.coins)]);
  }
  const width = Math.max(...rows.map(([head]) => head.length)) + 2;
  return rows.map(([head, text]) => ({ tone: "plain", text: head.padEnd(width) + text }));
}

function mapLines(
  here: Place,
  players: Readonly<Record<string, number>>,
  columns: number,
): readonly Line[] {
  const floors = [...PLACES].filter((place) => place.length === 1).reverse();
  const row = (place: Place): Line => {
    const count = players[place] ?? 0;
    const people = count === 0 ? "" : readablePlural(count, "player");
    const mark = place === here ? "> " : "  ";
    const text = `${mark}${placeName(place).padEnd(12)}${people}`.trimEnd().slice(0, columns);
    return { tone: place === here ? "good" : "plain", text };
  };
  return [...floors.map(row), row("bridge"), row("fence")];
}

function peopleLines(head: string, people: readonly Person[]): readonly Line[] {
  if (people.length === 0) return [{ tone: "plain", text: `${head}: nobody` }];
  const width = Math.max(...people.map(({ name }) => name.length)) + 2;
  return people.map(({ name, rank, place, coins }) => {
    const where = coins === undefined ? placeName(place) : coinsText(coins);
    return { tone: "plain", text: `${name.padEnd(width)}${rankName(rank).padEnd(15)}${where}` };
  });
}
