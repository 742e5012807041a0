/**
 * What the strict validator in front of cbor-x costs, beside what it guards: the fleet's most
 * frequent messages. `bun run bench/cbor.ts`
 *
 * @module
 */
import { Decoder } from "cbor-x";
import { bench, do_not_optimize, run, summary } from "mitata";
import { decodeCbor, isPlainCbor } from "../base/cbor.ts";
import { decodeMessage, encodeMessage, type Message } from "../work/messages.ts";

const best = { hash: 18_079_332_266n, nonce: 87_627_576n };
const MESSAGES: Record<string, Message> = {
  progress: { kind: "progress", chunk: 4711, next: 10n ** 12n, best },
  "assign of 200 bytes": {
    kind: "assign",
    chunk: 4711,
    message: "m".repeat(200),
    lower: 10n ** 12n,
    upper: 10n ** 12n + 80_000_000n,
  },
};

const decoder = new Decoder({ useRecords: false });
for (const [name, message] of Object.entries(MESSAGES)) {
  const bytes = encodeMessage(message);
  summary(() => {
    bench(`${name}: validator alone`, () => do_not_optimize(isPlainCbor(bytes)));
    bench(`${name}: cbor-x alone`, () => do_not_optimize(decoder.decode(bytes)));
    bench(`${name}: both`, () => do_not_optimize(decodeCbor(bytes)));
    bench(`${name}: both, and the shape`, () => do_not_optimize(decodeMessage(bytes)));
    bench(`${name}: encode`, () => do_not_optimize(encodeMessage(message)));
  });
}

await run();
