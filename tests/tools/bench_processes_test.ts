/** What a benchmark starts ends with it, even if it is killed. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { withUs } from "../../bench/processes.ts";
import { within } from "../support/waiting.ts";

describe("withUs", () => {
  test("a command ends when the process that started it is killed", async () => {
    // What the command holds open is closed when it ends, also as a zombie.
    const [began, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const socket = { open: () => began.resolve(), data() {}, close: () => ended.resolve() };
    using listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket });
    const holding = `Bun.connect({ hostname: "127.0.0.1", port: ${listener.port},
      socket: { data() {} } });`;
    const command = [process.execPath, "-e", holding];
    if (Bun.which("setpriv") === null) {
      // Nothing on this machine can see to it: the command is what it was.
      assertEquals(withUs(command), command);
      return;
    }
    const path = JSON.stringify(`${import.meta.dirname}/../../bench/processes.ts`);
    const starting = `import { pinned } from ${path};
      pinned(0, ${JSON.stringify(command)});
      setInterval(() => {}, 1000);`;
    const bench = Bun.spawn([process.execPath, "-e", starting]);
    try {
      await within("the command", began.promise);
    } finally {
      bench.kill("SIGKILL");
    }
    await within("the end of the command", ended.promise);
  });
});
