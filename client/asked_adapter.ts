/**
 * What a client's command line asks for.
 *
 * @module
 */
import type { CommandLine } from "../run/args.ts";
import { UsageError } from "../run/errors.ts";
import { hex64, uint64, wholeNumber } from "../run/flags.ts";

/** A job as the command line states it. */
export interface Asked {
  readonly message: string;
  readonly lower: bigint;
  readonly upper: bigint;
  readonly target?: bigint;
}

/** The job of `HOST MESSAGE MAXNONCE` and the flags beside it. Throws {@link UsageError}. */
export async function jobAsked(line: CommandLine): Promise<Asked> {
  const { message, upper } = await messageAndRange(line);
  const lower = uint64("--lower", line.flag("lower") ?? "0");
  const target = targetOf(line);
  return { message, lower, upper, ...(target !== undefined && { target }) };
}

/** The message and MAXNONCE, from the arguments or, with `--file`, a file. */
async function messageAndRange(line: CommandLine): Promise<{ message: string; upper: bigint }> {
  const file = line.flag("file");
  const [, first, second] = line.positionals;
  if (file === undefined && second === undefined) {
    throw new UsageError("got 2 arguments, expected HOST[:PORT] MESSAGE MAXNONCE");
  }
  if (file !== undefined && second !== undefined) {
    throw new UsageError("got a MESSAGE and --file, expected one of them");
  }
  const upper = uint64("MAXNONCE", file === undefined ? second! : first!);
  return { message: file === undefined ? first! : await messageFrom(file), upper };
}

function targetOf(line: CommandLine): bigint | undefined {
  const [hex, zeros] = [line.flag("target"), line.flag("zeros")];
  if (hex !== undefined && zeros !== undefined) {
    throw new UsageError("got --target and --zeros, expected one of them");
  }
  if (hex !== undefined) return hex64("--target", hex);
  if (zeros === undefined) return undefined;
  return (1n << (64n - wholeNumber("--zeros", zeros, 0n, 64n))) - 1n;
}

/** The text of a file, or of stdin for `-`. Throws {@link UsageError} when it is no UTF-8. */
async function messageFrom(file: string): Promise<string> {
  const name = file === "-" ? "stdin" : file;
  let bytes: Uint8Array;
  try {
    bytes = await (file === "-" ? Bun.stdin : Bun.file(file)).bytes();
  } catch (error) {
    throw new UsageError(`cannot read the message from ${name}: ${(error as Error).message}`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new UsageError(`the message in ${name} is no UTF-8`);
  }
}
