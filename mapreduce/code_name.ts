/**
 * How messages name an application: a built-in one by its name, a user's by its code's SHA-256.
 *
 * The server reads names too, and has no use for the applications themselves (`builtin.ts`).
 *
 * @module
 */
/** The names of the built-in ones, as messages and help show them. */
export const BUILTIN_NAMES = "wc, indexer, grep:PATTERN, sort";

/** A built-in application; `grep` by the pattern that it looks for. */
export type BuiltinName = "wc" | "indexer" | "sort" | { readonly grep: RegExp };

const GREP = "grep:";
const CODE = /^code:([0-9a-f]{64})$/;

/** What built-in application `name` stands for, if any. Throws SyntaxError on a pattern. */
export function builtinNamed(name: string): BuiltinName | undefined {
  if (name === "wc" || name === "indexer" || name === "sort") return name;
  return name.startsWith(GREP) ? { grep: new RegExp(name.slice(GREP.length), "u") } : undefined;
}

/** Whether the application is code of a user. */
export function isCode(application: string): boolean {
  return CODE.test(application);
}

/** The SHA-256 of the code, in hexadecimal digits; undefined for a built-in application. */
export function codeHash(application: string): string | undefined {
  return CODE.exec(application)?.[1];
}

/** The name for code with that SHA-256. */
export function codeName(hash: string): string {
  return `code:${hash}`;
}

/** Why there is no such application, if so. */
export function whyNoApplication(application: string): string | undefined {
  if (isCode(application)) return undefined;
  try {
    if (builtinNamed(application) !== undefined) return undefined;
  } catch (error) {
    return (error as Error).message;
  }
  return "there is no such application";
}
