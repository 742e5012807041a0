/**
 * What verbs that talk to servers share: their servers, where values come from, and how bytes are
 * shown.
 *
 * @module
 */
import { readFile } from "node:fs/promises";
import type { CommandLine, Flag } from "./args.ts";
import { UsageError } from "./errors.ts";
import { hostAndPort, wholeNumber } from "./flags.ts";
import { printResult } from "./output.ts";

/** How a list of servers is written in a usage. */
export const SERVERS = "HOST[:PORT][,HOST[:PORT]…]";
export const JSON_FLAG: Flag = { help: "print the result as JSON, a line each" };
export const FILE_FLAG: Flag = {
  value: "FILE",
  help: "take VALUE from FILE, byte by byte (- for stdin)",
};

/** How much `--limit` asks for; Infinity without it. Throws UsageError. */
export function limitOf(line: CommandLine): number {
  const limit = line.flag("limit");
  return limit === undefined ? Infinity : Number(wholeNumber("--limit", limit, 1n, 2n ** 52n));
}

/** The servers that a list of addresses names. Throws UsageError. */
export function serversOf(text: string, defaultPort: number): string[] {
  const servers = text.split(",");
  for (const server of servers) hostAndPort(server, defaultPort);
  return servers;
}

/** The value of a write: an argument, or what `--file` names. */
export async function valueOf(line: CommandLine, at: number): Promise<Uint8Array> {
  const text = line.positionals[at];
  const file = line.flag("file");
  if ((text === undefined) === (file === undefined)) {
    throw new UsageError("expected VALUE or --file, one of the two");
  }
  if (file === undefined) return new TextEncoder().encode(text);
  return await contentOf(file);
}

/** Everything in a file, or on stdin. */
export async function contentOf(file: string): Promise<Uint8Array> {
  try {
    return file === "-" ? await Bun.stdin.bytes() : await readFile(file);
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
}

/** Bytes as JSON has them: as text, or, where they are not UTF-8, as `{"base64": "…"}`. */
export function jsonOf(bytes: Uint8Array): string | { readonly base64: string } {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return { base64: bytes.toBase64() };
  }
}

/** Prints a result as a line of JSON. */
export async function printLine(value: unknown): Promise<void> {
  await printResult(`${JSON.stringify(value)}\n`);
}
