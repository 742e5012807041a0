/**
 * How messages name an application: a built-in one by its name, a user's by its code's SHA-256.
 *
 * @module
 */
import { builtin } from "./builtin.ts";

const CODE = /^code:([0-9a-f]{64})$/;

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
    if (builtin(application) !== undefined) return undefined;
  } catch (error) {
    return (error as Error).message;
  }
  return "there is no such application";
}
