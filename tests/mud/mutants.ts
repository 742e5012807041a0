/** Faults that the tests of mud/ must notice; `bun run tools/mutants.ts mud`. */
import type { Mutant } from "../../tools/mutants.ts";

/** File in mud/, the line, what it becomes, what breaks; why it is known to survive. */
type Row = readonly [string, string, string, string, string?];

const ROWS: readonly Row[] = [
  [
    "keys.ts",
    "export const risenPrefix = (name: string): string => `mud/risen/${name}/`;",
    "export const risenPrefix = (name: string): string => `mud/risen/${name}`;",
    "bob rises with bobby",
  ],
  [
    "keys.ts",
    "return isName(rest) ? rest : undefined;",
    "return rest;",
    "keys that are no player's count as players",
  ],
  [
    "fight.ts",
    "if (left + power <= 0) {",
    "if (false) {",
    "a player rises by a problem that another had emptied",
  ],
  [
    "fight.ts",
    "if (problem.round !== fight.round) {",
    "if (false) {",
    "a player fights on with a problem that is solved",
  ],
  [
    "fight.ts",
    "if (isAllLost) player.fight = undefined;",
    "",
    "a player without any hardware fights on",
  ],
  [
    "fight.ts",
    "yield* put(roundKey(rank), String(round + 1));",
    "",
    "the register of rounds stays behind",
  ],
  [
    "rules.ts",
    "return Math.floor(count / 4);",
    "return Math.ceil(count / 4);",
    "one of one is left when it breaks",
  ],
  [
    "rules.ts",
    "return HARDWARE.slice(0, rank + 1);",
    "return HARDWARE.slice(0, rank + 2);",
    "the shop sells what is for the next rank",
  ],
  [
    "rules.ts",
    'if (die <= 3) return "breaks";',
    'if (die <= 4) return "breaks";',
    "4 of 20 attempts break the hardware",
  ],
  ["rules.ts", "if (!chance(random, 0.9)) return 0;", "", "mining never comes to nothing"],
  [
    "commands.ts",
    "const left = yield* add(coinsKey(player.name), -cost);",
    "const left = coins - cost;",
    "hardware costs nothing",
  ],
  [
    "commands.ts",
    "if (!names.includes(item.name)) {",
    "if (false) {",
    "the shop sells what it does not show",
  ],
  [
    "commands.ts",
    "(one) => one.place === place && one.name !== player.name,",
    "(one) => one.place === place,",
    "a player meets itself",
  ],
  [
    "world.ts",
    "return { cpu: isNothing ? 1 : cpu, gpu, asic, quantum, dark_matter };",
    "return { cpu, gpu, asic, quantum, dark_matter };",
    "a player has nothing at all",
  ],
  [
    "world.ts",
    "if (left > 0) return { rank, round, left };",
    "if (left >= 0) return { rank, round, left };",
    "a problem that is empty is fought",
  ],
  [
    "neighbours.ts",
    "if (nowMs >= other.heardMs + GONE_MS) this.#heard(name, other, false, nowMs);",
    "if (false) this.#heard(name, other, false, nowMs);",
    "a player whose machine died stays in the game",
  ],
  [
    "neighbours.ts",
    "if (said === undefined || said.place !== this.#place) return;",
    "if (said === undefined) return;",
    "what is said is heard everywhere",
  ],
  [
    "core.ts",
    "if (input.id === this.#awaited) this.#resume(input.answer);",
    "this.#resume(input.answer);",
    "an answer that comes twice, or late, is taken for that to the next question",
  ],
];

export const MUTANTS: readonly Mutant[] = ROWS.map(([file, line, becomes, breaks, survives]) => ({
  file: `mud/${file}`,
  line,
  becomes,
  breaks,
  ...(survives !== undefined && { survives }),
}));
