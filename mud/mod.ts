/**
 * The game: one world, in the geo store, that no lost server stops (docs/mud.md).
 * {@link MudCore} is one player's client as a plain state machine; the rules stand in `rules.ts`.
 *
 * @module
 */
export { botLine } from "./bot.ts";
export { Books } from "./books.ts";
export { COMMAND_NAMES, FIGHT_COMMAND_NAMES } from "./commands.ts";
export { fleetSearch } from "./fleet_adapter.ts";
export { homeRouter } from "./home.ts";
export { MudCore, type MudOptions } from "./core.ts";
export * from "./keys.ts";
export { MudPlayer, type PlayerOptions, type Search, type World } from "./adapter.ts";
export * from "./rules.ts";
export { type Line, linesOf, type Tone } from "./text.ts";
export {
  type GameEvent,
  type MudEffect,
  type MudInput,
  type Person,
  type WorldAnswer,
  WorldError,
  type WorldItem,
  type WorldOperation,
} from "./types.ts";
export { GeoGameWorld, type GeoGameWorldOptions } from "./world_adapter.ts";
