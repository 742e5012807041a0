/**
 * Where programs keep what is to outlive them, unless they are told where.
 *
 * @module
 */
import { isAbsolute, join } from "node:path";
import { homeDirectory } from "./home.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user's directory for the state of the program that is called `name` (a word of our own, never
 * a user's); `undefined` when the user has none. `$XDG_STATE_HOME/motherlode/NAME`, by default
 * `~/.local/state/motherlode/NAME`; on macOS in `~/Library/Application Support`, on Windows in
 * `%LOCALAPPDATA%`.
 */
export function stateDirectory(
  name: string,
  environment: Environment = process.env,
  platform: string = process.platform,
  home: string = homeDirectory(),
): string | undefined {
  const base = stateBase(environment, platform, home);
  return base === undefined || !isAbsolute(base) ? undefined : join(base, "motherlode", name);
}

function stateBase(environment: Environment, platform: string, home: string): string | undefined {
  if (platform === "win32") return environment["LOCALAPPDATA"];
  if (platform === "darwin") return join(home, "Library", "Application Support");
  // XDG Base Directory Specification: ignore relative paths.
  const base = environment["XDG_STATE_HOME"];
  return base !== undefined && isAbsolute(base) ? base : join(home, ".local", "state");
}
