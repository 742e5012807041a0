/**
 * Text: numbers as people read them, in one style everywhere; a stranger's words made harmless; and
 * lengths in bytes.
 *
 * @module
 */

/** A time with its two largest units: `42 s`, `3 min 5 s`, `2 h 7 min`, `12 days`. */
export function readableTime(seconds: number): string {
  if (!Number.isFinite(seconds)) return "unknown";
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 172_800)
    return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  const days = Math.floor(whole / 86_400);
  return days < 1000 ? `${days} days` : `${readableCount(Math.floor(days / 365))} years`;
}

/** A count with its thousands set apart: `1,500,000,000`. */
export function readableCount(count: bigint | number): string {
  return count.toString().replace(/\B(?=(\d{3})+$)/g, ",");
}

/** So many of something whose plural takes an s: `1 thread`, `1,500 nonces`. */
export function readablePlural(count: bigint | number, word: string): string {
  return `${readableCount(count)} ${word}${Number(count) === 1 ? "" : "s"}`;
}

/** How long something took: `420 ms`, `12.3 s`, then as {@link readableTime}. */
export function readableDuration(seconds: number): string {
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : readableTime(seconds);
}

/** `HOST:PORT` as the command line reads it. */
export function atPort(host: string, at: number): string {
  return host.includes(":") ? `[${host}]:${at}` : `${host}:${at}`;
}

/** `text` on one line, without control characters: a stranger's text must not steer a terminal. */
export function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
}

const utf8 = new TextEncoder();

/** Bytes of `text` in UTF-8. */
export function utf8Length(text: string): number {
  return utf8.encode(text).length;
}

/** As much of `text` as fits into `maxBytes` bytes of UTF-8, whole characters only. */
export function clipped(text: string, maxBytes: number): string {
  const whole = text.toWellFormed();
  return whole.slice(0, utf8.encodeInto(whole, new Uint8Array(maxBytes)).read);
}

/** Steps from one text to another: letters put in, taken out or exchanged (Levenshtein, 1966). */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, at) => at);
  for (let i = 0; i < from.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < to.length; j++) {
      const exchanged = (row[j] ?? 0) + (from[i] === to[j] ? 0 : 1);
      next.push(Math.min(exchanged, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** Longer words have no nearest one: nobody mistypes so much. */
const NEAREST_MAX = 40;

/** The word that `typed` was probably meant to be: the nearest, if half of it is right. */
export function nearest(typed: string, words: readonly string[]): string | undefined {
  if (typed === "" || typed.length > NEAREST_MAX) return undefined;
  let best: { readonly word: string; readonly distance: number } | undefined;
  for (const word of words) {
    const distance = word.startsWith(typed) ? 0 : editDistance(typed, word);
    if (distance <= word.length / 2 && distance < (best?.distance ?? Infinity)) {
      best = { word, distance };
    }
  }
  return best?.word;
}

/** `text` in lines of at most `columns` columns, the further ones set in. */
export function wrapped(text: string, columns: number, indent: number): readonly string[] {
  const width = Math.max(20, columns);
  if (text.length <= width) return [text];
  const lines: string[] = [];
  let current = "";
  for (const word of text.split(" ")) {
    if (current !== "" && current.length + 1 + word.length > width && current.trim() !== "") {
      lines.push(current);
      current = " ".repeat(indent) + word;
    } else current = current === "" ? word : `${current} ${word}`;
  }
  return [...lines, current];
}
