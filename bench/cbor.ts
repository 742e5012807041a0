/**
 * What our strict reader of CBOR costs, beside cbor-x's, which trusts what it reads: the fleet's
 * most frequent messages. `bun run bench/cbor.ts`
 *
 * @module
 */
import { Decoder } from "cbor-x/decode";
import { bench, do_not_optimize, run, summary } from "mitata";
import { decodeCbor } from "../base/cbor.ts";
import type { Message } from "../work/messages.ts";
import { decodeMessage, encodeMessage } from "../work/wire.ts";
import { benchOptions } from "./options.ts";

benchOptions(import.meta.path);

const best = { hash: 18_079_332_266n, nonce: 87_627_576n };
const MESSAGES: Record<string, Message> = {
  progress: { kind: "progress", chunk: 4711, next: 10n ** 12n, best },
  "assign of 200 bytes": {
    kind: "assign",
    chunk: 4711,
    work: { subject: "m".repeat(200), lower: 10n ** 12n, upper: 10n ** 12n + 80_000_000n },
  },
};

const decoder = new Decoder({ useRecords: false });
for (const [name, message] of Object.entries(MESSAGES)) {
  const bytes = encodeMessage(message);
  summary(() => {
    bench(`${name}: cbor-x, unchecked`, () => do_not_optimize(decoder.decode(bytes)));
    bench(`${name}: ours, checked`, () => do_not_optimize(decodeCbor(bytes)));
    bench(`${name}: ours, and the shape`, () => do_not_optimize(decodeMessage(bytes)));
    bench(`${name}: encode`, () => do_not_optimize(encodeMessage(message)));
  });
}

await run();
