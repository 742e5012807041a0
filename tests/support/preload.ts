/**
 * What bunfig.toml loads before the tests: their one time limit, the cases that properties draw,
 * the campaigns that run beside all of them, and what is tidied up when all are over. A test that
 * reaches the limit hangs, on however busy a machine. `MOTHERLODE_TEST_SECONDS` sets another limit,
 * for campaigns and for emulators.
 *
 * Bun 1.4.5 knows no limit in bunfig.toml, and forgets after each file what setDefaultTimeout() has
 * set; so it is set again whenever a test file is about to be loaded.
 *
 * @module
 */
import { afterAll, setDefaultTimeout } from "bun:test";
import { rmSync } from "node:fs";
import { plugin } from "bun";
import fc from "fast-check";
import { startCampaigns } from "../sim/early.ts";
import { endShards } from "../sim/shards.ts";
import { leftovers } from "./leftovers.ts";

const TEST_SECONDS = 600;

/**
 * Properties draw the same cases in every run, so that what passes here passes elsewhere, and a
 * failure is there again. `MOTHERLODE_PROPERTY_SEED` sets other ones: "random", or a whole number.
 */
const PROPERTY_SEED = 20_261_126;

const propertySeed = process.env["MOTHERLODE_PROPERTY_SEED"] ?? `${PROPERTY_SEED}`;
if (propertySeed !== "random") fc.configureGlobal({ seed: Number(propertySeed) });

const limitMs = Number(process.env["MOTHERLODE_TEST_SECONDS"] ?? TEST_SECONDS) * 1000;

plugin({
  name: "one time limit for every test",
  setup(build) {
    build.onResolve({ filter: /_(test|soak)\.ts$/ }, () => {
      setDefaultTimeout(limitMs);
      return undefined;
    });
  },
});

startCampaigns();

// A hook of the preload runs once, behind the last test of the last file. By then Bun has forgotten
// the limit again; removing the built programs takes a busy machine longer than Bun's five seconds.
afterAll(
  async () => {
    await endShards();
    for (const path of leftovers) rmSync(path, { recursive: true, force: true });
  },
  { timeout: TEST_SECONDS * 1000 },
);
