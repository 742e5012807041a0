/** Bad options are refused at once, by one class with a code, whichever verb they were for. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { base, type client, mine, type miner, serve, type server, submit } from "../../mod.ts";

const JOB = { port: 1, message: "m", lower: 0n, upper: 9n };

function thrownBy(options: object): base.OptionError {
  try {
    void mine({ port: 1, ...options } as miner.MineOptions).close();
  } catch (error) {
    assert(error instanceof base.OptionError);
    return error;
  }
  throw new Error(`mine took ${JSON.stringify(options)}`);
}

describe("an option that cannot work is named, with what was got and expected:", () => {
  test("mine throws", () => {
    for (const [options, option, text] of [
      [{ threads: 0 }, "threads", "got 0, expected an integer 1..1024"],
      [{ threads: 1.5 }, "threads", "got 1.5"],
      [{ kernel: "abacus" }, "kernel", 'got "abacus", expected one of auto'],
      [{ port: 70_000 }, "port", "got 70000"],
      [{ port: undefined }, "port", "got nothing"],
      [{ host: "" }, "host", "expected text"],
      [{ niceness: "high" }, "niceness", "expected one of low, normal"],
      [{ wire: "xml" }, "wire", "expected one of cbor, json"],
      [{ params: { epochMillis: 0 } }, "params", "epochMillis"],
    ] as const) {
      const error = thrownBy(options);
      assertEquals([error.code, error.option], ["INVALID_OPTION", option]);
      assertStringIncludes(error.message, text);
    }
  });

  test("serve rejects", async () => {
    for (const [options, option] of [
      [{ port: -1 }, "port"],
      [{ params: { epochLimit: 0 } }, "params"],
      [{ limits: { maxJobz: 1 } }, "limits.maxJobz"],
      [{ limits: { maxJobs: "1" } }, "limits.maxJobs"],
    ] as const) {
      const error = await serve({ port: 0, ...options } as server.ServeOptions).then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assert(error instanceof base.OptionError);
      assertEquals([error.code, error.option], ["INVALID_OPTION", option]);
    }
  });

  test("submit's answer rejects, by its own class with the same code", async () => {
    for (const options of [
      { port: 0 },
      { port: "1" },
      { wire: "xml" },
      { params: { windowSize: 0 } },
    ]) {
      const job = submit({ ...JOB, ...options } as client.SubmitOptions);
      const error = await job.answer.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      assertEquals((error as client.SubmitError).code, "INVALID_OPTION");
    }
    const missing = submit({ port: 1, message: "m", upper: 9n } as client.SubmitOptions);
    const error = await missing.answer.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    assertStringIncludes((error as Error).message, "lower must be a bigint, got undefined");
  });

  test("an abort keeps its reason", async () => {
    const reason = new Error("enough");
    const job = submit({ ...JOB, signal: AbortSignal.abort(reason) });
    const error = await job.answer.then(
      () => undefined,
      (cause: unknown) => cause,
    );
    assertEquals((error as client.SubmitError).code, "CANCELLED");
    assertEquals((error as Error).cause, reason);
  });
});
