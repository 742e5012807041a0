/**
 * `mud.ts HOST:PORT,… NAME`: a person plays.
 *
 * @module
 */
import { seededRandom } from "../base/random.ts";
import { GEO_PORT } from "../geo/mod.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { hostAndPort } from "../run/flags.ts";
import { atMost } from "../run/patience.ts";
import { onSignal } from "../run/signals.ts";
import { SERVERS, serversOf } from "../run/verb_values.ts";
import type { Verb } from "../run/verbs.ts";
import { fleetSearch } from "./fleet_adapter.ts";
import { isName } from "./keys.ts";
import { MudPlayer, type Search } from "./adapter.ts";
import { Screen } from "./screen_adapter.ts";
import { GeoGameWorld } from "./world_adapter.ts";

/** How long a goodbye may take when somebody wants to be gone. */
const GOODBYE_MS = 1000;
/** The exit code of Ctrl-C. */
const INTERRUPTED = 130;

/** The flag of everything that mines. */
export const FLEET_FLAG: Flag = {
  value: "HOST:PORT",
  help: "mine by real searches on the fleet of this server",
};

export const PLAY_VERB: Verb = {
  usage: {
    name: "mud",
    takes: `${SERVERS} NAME`,
    count: [2, 2],
    about: `Plays the game in the world that is on these servers of the geo store (geo.ts serve):
  mud.ts HOST:${GEO_PORT} ann
"help" in the game lists what can be done. NAME is 1 to 20 letters, digits, _ and -.
\`mud.ts VERB --help\` says more of each verb:
  bot ${SERVERS} N
  demo
  serve [PORT]`,
    flags: {
      fleet: FLEET_FLAG,
      json: { help: "print what happens as JSON, a line each" },
    },
  },
  run: play,
};

/** A seed that nobody knows. */
export function newSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
}

/** The search that `--fleet` asks for; throws UsageError. */
export function searchOf(line: CommandLine): Search | undefined {
  const fleet = line.flag("fleet");
  if (fleet === undefined) return undefined;
  hostAndPort(fleet, undefined, "--fleet");
  return fleetSearch(fleet, (reason) =>
    process.stderr.write(`mud: waiting for the fleet: ${reason}\n`),
  );
}

async function play(line: CommandLine): Promise<number> {
  const [servers = "", name = ""] = line.positionals;
  if (!isName(name)) {
    const text = `NAME is ${JSON.stringify(name)}, expected 1 to 20 letters, digits, _ and -`;
    throw new UsageError(text);
  }
  const search = searchOf(line);
  await using world = new GeoGameWorld({ servers: serversOf(servers, GEO_PORT) });
  let trouble = "";
  let code = 0;
  /** Somebody wants to be gone, and has waited long enough. */
  const late = Promise.withResolvers<void>();
  /** Lines that wait for their turn; a terminal's do not. */
  const waiting: string[] = [];
  let hasEnded = false;
  const next = (): void => {
    const text = waiting.shift();
    if (text !== undefined) player.type(text);
    else if (hasEnded) player.leave(false);
  };
  const screen = new Screen({
    name,
    isJson: line.has("json"),
    isFighting: () => player.isFighting,
    onLine: (text) => {
      if (screen.isTerminal) return player.type(text);
      waiting.push(text);
      if (player.isIdle) next();
    },
    onEnd: () => {
      hasEnded = true;
      if (player.isIdle) next();
    },
    onInterrupt: () => {
      code = INTERRUPTED;
      player.leave(true);
      setTimeout(late.resolve, GOODBYE_MS);
    },
  });
  const player: MudPlayer = new MudPlayer({
    name,
    world,
    random: seededRandom(newSeed()),
    search,
    onEvent: (event) => {
      if (event.kind === "trouble" && !player.hasJoined) trouble = event.text;
      else screen.show(event);
    },
    onReady: () => {
      screen.prompt();
      next();
    },
  });
  onSignal(async () => {
    player.leave(true);
    await atMost(GOODBYE_MS, player.left);
    screen.close();
  });
  await Promise.race([player.left, late.promise]);
  screen.close();
  if (trouble !== "") throw new Failure(trouble);
  return code;
}
