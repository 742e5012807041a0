/**
 * How a user started this program: what its help and its hints are to name.
 *
 * @module
 */
import { basename, isAbsolute, relative } from "node:path";

/** Whether `path`, of a module, lies inside of a compiled program, on Unix or on Windows. */
export function isCompiled(path: string): boolean {
  return /^(\/\$bunfs\/|[A-Z]:[\\/]~BUN[\\/])/.test(path);
}

/**
 * The command that started the program: `./miner` when compiled, `bun miner.js` as one file, else
 * `bun run NAME.ts`, with the folder that it lies in.
 */
export function invocation(name: string): string {
  return invocationOf(name, Bun.main, process.argv0, process.cwd());
}

/** The same for a main module `main`, started in `cwd` by the word `argv0`. */
export function invocationOf(name: string, main: string, argv0: string, cwd: string): string {
  if (isCompiled(main)) return word(argv0);
  const path = relative(cwd, main);
  const outside = path.startsWith("..") || isAbsolute(path);
  const typed = word(outside ? main : path);
  if (main.endsWith(".js")) return `bun ${typed}`;
  return `bun run ${basename(main) === `${basename(name)}.ts` ? typed : `${name}.ts`}`;
}

/** `text` as one word for a shell. */
function word(text: string): string {
  return /^[\w./\\:~@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
