/**
 * A process that runs shares of campaigns, one after the other: `HARNESS FIRST COUNT`, and again.
 * Prints what it has to say of each failing seed, and behind every share its summary.
 *
 * @module
 */
import { runCampaign, summary } from "../../sim/engine/campaign.ts";
import { HARNESSES } from "../../sim/harnesses.ts";

const words = process.argv.slice(2);
for (let at = 0; at + 2 < words.length; at += 3) {
  const [name, first, count] = [words[at], Number(words[at + 1]), Number(words[at + 2])];
  const harness = HARNESSES.find((one) => one.name === name);
  if (harness === undefined) throw new Error(`no harness is named ${name}`);
  const seeds = Array.from({ length: count }, (_, i) => first + i);
  const told: string[] = [];
  const result = runCampaign(harness, seeds, { tell: (text) => void told.push(text) });
  await Bun.write(Bun.stdout, [...told, summary(result), ""].join("\n"));
}
