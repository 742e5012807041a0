/**
 * Word count on bytes in one thread, as one would write it without a framework: the measure for
 * `--local`. Words of ASCII letters and of what UTF-8 has beyond; prints them sorted.
 *
 *   bun run bench/mapreduce_twin.ts FILE > counts
 *
 * @module
 */
import { closeSync, openSync, readSync } from "node:fs";

const isLetter = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 127 || ((byte | 32) - 97) >>> 0 < 26 ? 1 : 0,
);
const counts = new Map<string, number>();
const fd = openSync(process.argv[2]!, "r");
const buffer = Buffer.alloc(1 << 20);
let rest = 0;
for (;;) {
  const filled = rest + readSync(fd, buffer, rest, buffer.length - rest, null);
  const isLast = filled === rest;
  let at = 0;
  let from = 0;
  while (at < filled) {
    while (at < filled && isLetter[buffer[at]!] === 0) at++;
    from = at;
    while (at < filled && isLetter[buffer[at]!] === 1) at++;
    if (at === filled && !isLast) break;
    if (at > from) {
      const word = buffer.toString("latin1", from, at);
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    from = at;
  }
  if (isLast) break;
  buffer.copyWithin(0, from, filled);
  rest = filled - from;
}
closeSync(fd);
const lines = [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([w, n]) => `${w} ${n}\n`);
await Bun.write(Bun.stdout, Buffer.from(lines.join(""), "latin1"));
