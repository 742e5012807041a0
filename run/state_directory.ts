/**
 * Where a program keeps what must outlive it, unless it is told a directory.
 *
 * @module
 */
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The user's directory for what the program called `name` keeps; undefined when there is none.
 * Linux: `$XDG_STATE_HOME` or `~/.local/state`; macOS: `~/Library/Application Support`; Windows:
 * `%LOCALAPPDATA%`.
 */
export function stateDirectory(
  name: string,
  environment: Environment = process.env,
  platform: string = process.platform,
  home: string = homedir(),
): string | undefined {
  const base = stateBase(environment, platform, home);
  if (base === undefined || !isAbsolute(base)) return undefined;
  return join(base, "motherlode", name);
}

function stateBase(environment: Environment, platform: string, home: string): string | undefined {
  if (platform === "win32") return environment["LOCALAPPDATA"];
  if (platform === "darwin") return join(home, "Library", "Application Support");
  // XDG Base Directory Specification: ignore relative paths.
  const base = environment["XDG_STATE_HOME"];
  return base !== undefined && isAbsolute(base) ? base : join(home, ".local", "state");
}
