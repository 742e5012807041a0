/**
 * The answer to a job by the plainest means, which shares nothing with the code under test.
 *
 * @module
 */
import type { ClientPlan } from "./plan.ts";

const encoder = new TextEncoder();

/** What the outputs of a job must be. */
export function answerOf({ application, splits, reducers, name }: ClientPlan): string[] {
  const files: [string, string][][] = Array.from({ length: reducers }, () => []);
  for (const [key, line] of linesOf(application, splits, name)) {
    files[partition(key, reducers)]!.push([key, line]);
  }
  return files.map((lines) => {
    lines.sort(([a], [b]) => compare(encoder.encode(a), encoder.encode(b)));
    return lines.map(([, line]) => `${line}\n`).join("");
  });
}

/** The name of a split's file, as the client says it. */
export function splitName(client: string, split: number): string {
  // Two splits a file.
  return `${client}/${Math.floor(split / 2)}`;
}

function linesOf(
  application: ClientPlan["application"],
  splits: readonly string[],
  client: string,
): [string, string][] {
  if (application === "sort") {
    return splits.flatMap((text) => {
      const lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      return lines.map((line): [string, string] => {
        const bare = line.replace(/\r$/, "");
        return [bare, bare.replaceAll("\\", "\\\\")];
      });
    });
  }
  const counts = new Map<string, number>();
  const names = new Map<string, Set<string>>();
  for (const [i, text] of splits.entries()) {
    for (const [word] of text.matchAll(/\p{L}+/gu)) {
      counts.set(word, (counts.get(word) ?? 0) + 1);
      if (!names.has(word)) names.set(word, new Set());
      names.get(word)!.add(splitName(client, i));
    }
  }
  return [...counts].map(([word, count]) => {
    const files = [...names.get(word)!].sort();
    return [word, application === "wc" ? `${word} ${count}` : `${word} ${files.length} ${files}`];
  });
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}

function partition(key: string, reducers: number): number {
  let hash = 0x811c9dc5n;
  for (const byte of encoder.encode(key)) {
    hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn;
  }
  return Number((hash & 0x7fffffffn) % BigInt(reducers));
}
