/**
 * The user's home directory, where there is one.
 *
 * @module
 */
import { homedir } from "node:os";

/**
 * The user's home directory; "" when there is none. A process in a container often runs with the
 * number of a user that the system does not know, and without $HOME: what is asked then throws.
 */
export function homeDirectory(ask: () => string = homedir): string {
  try {
    return ask();
  } catch {
    return "";
  }
}
