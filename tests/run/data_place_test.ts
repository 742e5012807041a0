/** Where servers keep their data, by their command line; and memory where that cannot be. */
import { afterEach, describe, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { type CommandLine, readCommandLine } from "../../run/args.ts";
import { dataPlace, durabilityCaveat, keptIn, openKept } from "../../run/data_place.ts";
import { homeDirectory } from "../../run/home.ts";
import { stateDirectory } from "../../run/state_directory.ts";
import { DiskError } from "../../run/disk_errors.ts";
import { UsageError } from "../../run/errors.ts";

const before = process.env["XDG_STATE_HOME"];
afterEach(() => {
  if (before === undefined) delete process.env["XDG_STATE_HOME"];
  else process.env["XDG_STATE_HOME"] = before;
});

function line(...argv: string[]): CommandLine {
  const flags = { data: { value: "DIR", help: "" }, memory: { help: "" } };
  return readCommandLine({ name: "x", takes: "", count: [0, 0], about: "", flags }, argv);
}

describe("dataPlace()", () => {
  test("is what was asked for, else the user's own for that program and port", () => {
    assertEquals(dataPlace(line("--data", "d"), "kv", 0), { directory: "d", isDefault: false });
    assertEquals(dataPlace(line("--memory"), "kv", 7), { directory: undefined, why: "asked" });
    assertEquals(dataPlace(line(), "kv", 0), { directory: undefined, why: "port" });
    if (process.platform !== "linux") return;
    process.env["XDG_STATE_HOME"] = "/state";
    const directory = "/state/motherlode/kv-7";
    assertEquals(dataPlace(line(), "kv", 7), { directory, isDefault: true });
  });

  test("refuses both", () => {
    assertThrows(
      () => dataPlace(line("--memory", "--data", "d"), "kv", 7),
      UsageError,
      "of the two",
    );
  });
});

test("a user that the system does not know, without $HOME, has no directories", () => {
  const home = homeDirectory(() => {
    throw new Error("ENOENT: no such file or directory, uv_os_homedir");
  });
  assertEquals(home, "");
  assertEquals(stateDirectory("kv-7", {}, "linux", home), undefined);
  assertEquals(
    homeDirectory(() => "/home/me"),
    "/home/me",
  );
});

describe("openKept()", () => {
  const open = (code: "UNUSABLE" | "LOCKED") => (directory: string | undefined) =>
    directory === undefined
      ? Promise.resolve("memory")
      : Promise.reject(new DiskError(code, `${directory}: ${code}`));

  test("goes on in memory where the user's own directory cannot be used, and says why", async () => {
    const place = { directory: "own", isDefault: true };
    const kept = await openKept(place, open("UNUSABLE"));
    assertEquals([kept.opened, kept.directory], ["memory", undefined]);
    assert(kept.failure instanceof DiskError);
  });

  test("rejects where the directory was asked for, or another program has it", async () => {
    const asked = { directory: "asked", isDefault: false };
    await assertRejects(() => openKept(asked, open("UNUSABLE")), DiskError);
    await assertRejects(() => openKept({ ...asked, isDefault: true }, open("LOCKED")), DiskError);
  });
});

test("keptIn() says where durable is worth less than it says", () => {
  assertEquals([keptIn("data", "linux"), durabilityCaveat("linux")], ["data", undefined]);
  assertEquals(keptIn("data", "darwin"), `data (${durabilityCaveat("darwin")})`);
  assert(durabilityCaveat("darwin")!.includes("power cut"));
});
