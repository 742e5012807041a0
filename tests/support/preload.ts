/**
 * What bunfig.toml loads before the tests: their one time limit. A test that reaches it hangs, on
 * however busy a machine. `MOTHERLODE_TEST_SECONDS` sets another, for campaigns and for emulators.
 *
 * Bun 1.4.5 knows no limit in bunfig.toml, and forgets after each file what setDefaultTimeout() has
 * set; so it is set again whenever a test file is about to be loaded.
 *
 * @module
 */
import { setDefaultTimeout } from "bun:test";
import { plugin } from "bun";

const TEST_SECONDS = 600;

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
