/**
 * LSP against what one could use instead: echo and one-way rates and round trips of 200-byte
 * messages over raw Bun UDP, Bun TCP and LSP, one process a core, the cases interleaved.
 *
 *   bun run bench/transport.ts [--rounds 5] [--ms 2000] [--only ping] [--json]
 *
 * Ratios are medians over the rounds of the ratio within a round. Beside each ratio by the clock
 * stands the one by processor time, of whichever process needs more of it for a message: on a
 * machine that others use too, the clock measures them as well.
 *
 * @module
 */
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";
import { type Case, measure, type Run } from "./transport_case.ts";

const RAW_ECHO: Case = { name: "echo, raw UDP, one datagram a message", role: "raw-echo" };
const LSP_ECHO: Case = { name: "echo, LSP", role: "lsp-echo" };
const LSP_SINGLE: Case = {
  name: "echo, LSP, one frame a datagram",
  role: "lsp-echo",
  env: { LSP_PACKING: "off" },
};
const TCP_WRITES: Case = { name: "echo, TCP, a write a message", role: "tcp-echo" };
const TCP_COALESCED: Case = { name: "echo, TCP, coalesced writes", role: "tcp-coalesced" };
const RAW_SINK: Case = { name: "one-way, raw UDP, delivered", role: "raw-sink" };
const LSP_SINK: Case = { name: "one-way, LSP, delivered", role: "lsp-sink" };
const RAW_PING: Case = { name: "ping-pong, raw UDP", role: "raw-ping" };
const LSP_PING: Case = { name: "ping-pong, LSP", role: "lsp-ping" };

/** What issue 4 asks for: `what` against `base`, at least (rates) or at most (round trips). */
const BARS: readonly { what: Case; base: Case; bar: string; by: "rate" | "p50" }[] = [
  { what: LSP_ECHO, base: RAW_ECHO, bar: ">= 1.6", by: "rate" },
  { what: LSP_SINGLE, base: RAW_ECHO, bar: ">= 0.65", by: "rate" },
  { what: LSP_ECHO, base: TCP_WRITES, bar: ">= 2.0", by: "rate" },
  { what: LSP_ECHO, base: TCP_COALESCED, bar: ">= 0.2", by: "rate" },
  { what: LSP_SINK, base: RAW_SINK, bar: ">= 2.0", by: "rate" },
  { what: LSP_PING, base: RAW_PING, bar: "<= 1.15", by: "p50" },
];

const options = benchOptions(import.meta.path, {
  rounds: count(5, "rounds, each with all cases"),
  ms: count(2000, "milliseconds a case"),
  only: { value: "TEXT", help: "only the cases with TEXT in their names" },
  json: { help: "all figures as JSON" },
});
const bars = BARS.filter(({ what }) => what.name.includes(options.text("only") ?? ""));
const cases = [...new Set(bars.flatMap(({ what, base }) => [base, what]))];
const runs = new Map<Case, Run[]>(cases.map((one) => [one, []]));
for (let round = 0; round < options.number("rounds"); round++) {
  for (const one of cases) runs.get(one)!.push(await measure(one, options.text("ms")!));
}

const figures = cases.map((one) => {
  const of = (pick: (run: Run) => number): number => median(runs.get(one)!.map(pick));
  return {
    case: one.name,
    "messages/s": Math.round(of((run) => run.rate)),
    "p50 us": of((run) => run.p50).toFixed(1),
    "client us CPU": of((run) => run.clientMicros).toFixed(2),
    "server us CPU": of((run) => run.serverMicros).toFixed(2),
  };
});
const ratios = bars.map(({ what, base, bar, by }) => {
  const ratio = (pick: (run: Run) => number): string => {
    const below = runs.get(base)!;
    return median(runs.get(what)!.map((run, i) => pick(run) / pick(below[i]!))).toFixed(2);
  };
  const byCpu = ratio((run) => 1 / Math.max(run.clientMicros, run.serverMicros));
  const isRate = by === "rate";
  return {
    what: what.name,
    against: base.name,
    bar,
    ratio: ratio(isRate ? (run) => run.rate : (run) => run.p50),
    "by CPU": isRate ? byCpu : "",
  };
});
if (options.has("json")) console.log(JSON.stringify({ figures, ratios }));
else {
  console.log(Bun.inspect.table(figures, { colors: false }));
  console.log(Bun.inspect.table(ratios, { colors: false }));
}
