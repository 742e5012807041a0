/**
 * A violation as a page: a lane a client, a bar from call to return, the longest possible order
 * numbered and in another colour.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import type { Operation } from "./linearize.ts";
import type { Violation } from "./verdict.ts";

const LANE_PIXELS = 34;
const NAME_PIXELS = 90;
const WIDTH_PIXELS_MIN = 900;
/** Of an operation, on the average: so that words fit. */
const OPERATION_PIXELS = 60;

const STYLE = `body { font: 14px sans-serif; margin: 1em } .lanes { position: relative }
.bar { position: absolute; height: 22px; overflow: hidden; white-space: nowrap; font-size: 11px;
  line-height: 22px; padding-left: 3px; box-sizing: border-box; border: 1px solid #555;
  background: #f3b9b0; min-width: 4px } .bar.placed { background: #b8dcb4 }
.bar.open { border-right: 3px dotted #555 } .bar:hover { overflow: visible; z-index: 1 }
.name { position: absolute; width: ${NAME_PIXELS - 8}px; line-height: 22px; overflow: hidden }`;

/** The page. `describe` puts an operation into words, as in a model. */
export function violationHtml<Op>(
  { operations, order }: Violation<Op>,
  describe: (op: Op) => string,
): string {
  const places = new Map(order.map((operation, place) => [operation, place + 1]));
  const lanes = lanesOf(operations);
  const ends = operations.flatMap(({ callMs, returnMs }) => [callMs, returnMs]);
  const times = ends.filter((ms) => ms !== Infinity);
  const firstMs = times.reduce((a, b) => Math.min(a, b), Infinity);
  const lastMs = times.reduce((a, b) => Math.max(a, b), -Infinity);
  const width = Math.max(
    WIDTH_PIXELS_MIN,
    (operations.length * OPERATION_PIXELS) / Math.max(1, lanes.size),
  );
  const scale = width / Math.max(lastMs - firstMs, Number.MIN_VALUE);
  const xOf = (ms: number): number => NAME_PIXELS + (Math.min(ms, lastMs) - firstMs) * scale;
  const names = [...lanes].map(([client, { top }]) => {
    return `<div class="name" style="top:${top}px">client ${escaped(String(client))}</div>`;
  });
  const bars = operations.map(({ client, op, callMs, returnMs }, i) => {
    const lane = lanes.get(client)!;
    const place = places.get(i);
    const isOpen = returnMs === Infinity;
    const kind = `bar${place === undefined ? "" : " placed"}${isOpen ? " open" : ""}`;
    const words = `${place === undefined ? "" : `${place}. `}${describe(op)}`;
    const title = `${callMs} to ${isOpen ? "never" : returnMs}: ${words}`;
    const left = xOf(callMs).toFixed(1);
    const wide = (xOf(returnMs) - xOf(callMs)).toFixed(1);
    const style = `top:${lane.top + lane.rows[i]! * LANE_PIXELS}px;left:${left}px;width:${wide}px`;
    const text = escaped(words);
    return `<div class="${kind}" style="${style}" title="${escaped(title)}">${text}</div>`;
  });
  const height = [...lanes.values()].reduce((sum, { count }) => sum + count, 0) * LANE_PIXELS;
  const count = readablePlural(operations.length, "operation");
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Not linearizable</title>
<style>${STYLE}</style>
<h1>Not linearizable</h1>
<p>${count}. Numbered and green: the longest order that is possible. A dotted end: no answer.</p>
<div class="lanes" style="height:${height}px;width:${Math.ceil(width + NAME_PIXELS)}px">
${names.join("\n")}
${bars.join("\n")}
</div></html>
`;
}

/** A client's part of the page: rows enough that no two bars overlap. */
interface Lane {
  top: number;
  count: number;
  /** Row of each of its operations, by index in the history. */
  readonly rows: Record<number, number>;
}

function lanesOf<Op>(operations: readonly Operation<Op>[]): Map<number | string, Lane> {
  const lanes = new Map<number | string, Lane & { readonly busyUntilMs: number[] }>();
  for (const [i, { client, callMs, returnMs }] of operations.entries()) {
    let lane = lanes.get(client);
    if (lane === undefined) {
      lane = { top: 0, count: 0, rows: {}, busyUntilMs: [] };
      lanes.set(client, lane);
    }
    const free = lane.busyUntilMs.findIndex((ms) => ms < callMs);
    const row = free === -1 ? lane.busyUntilMs.length : free;
    lane.busyUntilMs[row] = returnMs;
    lane.rows[i] = row;
    lane.count = lane.busyUntilMs.length;
  }
  let top = 0;
  for (const lane of lanes.values()) {
    lane.top = top;
    top += lane.count * LANE_PIXELS;
  }
  return lanes;
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
