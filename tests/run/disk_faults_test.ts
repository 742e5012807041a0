/** What every disk does when something is wrong (docs/storage.md, faults), real and simulated. */
import { afterEach, beforeEach, describe, test } from "bun:test";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { DiskError, type DiskErrorCode } from "../../run/disk_errors.ts";
import { bytesOf, DISK_WORLDS, type DiskWorld, Rig } from "../support/disks.ts";

const LOG = "log-0000000001";
/** Where the first batch begins in a segment without metadata, and how long a header is. */
const FIRST_BATCH = 64;
const BATCH_HEADER = 24;

for (const [name, newWorld] of Object.entries(DISK_WORLDS)) {
  describe(`${name}:`, () => {
    let world: DiskWorld;
    beforeEach(() => void (world = newWorld()));
    afterEach(() => world.end());

    /** Opens in vain, and gives the one line that says why. */
    function refused(code: DiskErrorCode, options = {}): string {
      const error = assertThrows(() => world.open(options), DiskError);
      assertEquals(error.code, code, error.message);
      assert(!error.message.includes("\n"), error.message);
      return error.message;
    }

    /** A disk with three batches, closed; where each batch begins. */
    async function threeBatches(): Promise<number[]> {
      const rig = new Rig(world);
      const starts: number[] = [];
      for (let at = 1; at <= 3; at++) {
        starts.push(rig.disk.stats().usedBytes);
        await rig.append(at, `record ${at} `.repeat(20));
      }
      await world.crash(rig.disk);
      return starts;
    }

    describe("damage", () => {
      test("a bad batch before a good one is refused, with file, offset and what to do", async () => {
        const [first, second] = await threeBatches();
        assertEquals(first, FIRST_BATCH);
        for (const [at, where] of [
          [first!, first!],
          [first! + 100, first!],
          [second! + 5, second!],
          [second! + BATCH_HEADER + 3, second!],
        ] as const) {
          world.rot(LOG, at);
          const line = refused("DAMAGED");
          assertStringIncludes(line, `${LOG} is damaged at offset ${where}: `);
          assertStringIncludes(line, "restore the directory from a copy, or move it away");
          world.rot(LOG, at);
        }
        assertEquals(new Rig(world).texts.length, 3);
      });

      test("a bad last batch is torn, and cut off for good", async () => {
        const starts = await threeBatches();
        world.rot(LOG, starts[2]! + 60);
        let rig = new Rig(world);
        assertEquals(rig.texts.length, 2);
        await rig.append(3, "another");
        await rig.close();
        rig = new Rig(world);
        assertEquals(rig.texts.slice(2), ["another"]);
        const left = world.read(LOG).subarray(rig.disk.stats().usedBytes);
        assert(
          left.every((byte) => byte === 0),
          "nothing is left of what was torn",
        );
      });

      test("a bad last batch is damage when the log was closed behind it", async () => {
        let rig = new Rig(world);
        await rig.append(1, "one");
        await rig.close();
        world.rot(LOG, FIRST_BATCH + BATCH_HEADER);
        refused("DAMAGED");
        world.rot(LOG, FIRST_BATCH + BATCH_HEADER);
        rig = new Rig(world);
        assertEquals(rig.texts, ["one"]);
      });

      test("a bad header, a cut file, a missing segment are refused", async () => {
        const rig = new Rig(world);
        for (let at = 1; at <= 400; at++) {
          rig.ask({ log: { at, records: [bytesOf("x".repeat(300))] }, meta: bytesOf(`${at}`) });
        }
        await rig.until(() => rig.stored === rig.token);
        await rig.close();
        assert(world.list().includes("log-0000000003"), world.list().join(" "));
        for (const at of [0, 8, 13, 20, 30, 57, 66]) {
          world.rot("log-0000000002", at);
          assertStringIncludes(refused("DAMAGED"), "log-0000000002 is damaged at offset 0: ");
          world.rot("log-0000000002", at);
        }
        // Bytes 48..55 of a header are the size of the file.
        world.rot(LOG, 200);
        assertStringIncludes(refused("DAMAGED"), `${LOG} is damaged at offset 64: `);
        world.rot(LOG, 200);
        new Rig(world);
      });

      test("a bad snapshot is refused, wherever it is bad", async () => {
        const rig = new Rig(world);
        await rig.append(1, "a", "b", "c");
        await rig.save(2, bytesOf("content".repeat(100)), "keep");
        await rig.close();
        const file = "snapshot-0000000000000002";
        for (const at of [0, 350, 699, 700, 712, 716, 724, 740]) {
          world.rot(file, at);
          assertStringIncludes(refused("DAMAGED"), `${file} is damaged at offset `);
          world.rot(file, at);
        }
        assertEquals(new Rig(world).state.snapshot?.index, 2);
      });

      test("no flipped bit anywhere is taken for what was written", async () => {
        const rig = new Rig(world);
        await rig.append(1, "one", "two");
        await rig.store({ meta: bytesOf("meta") });
        await rig.append(3, "three");
        const used = rig.disk.stats().usedBytes;
        await rig.close();
        for (let at = 0; at < used + BATCH_HEADER; at++) {
          world.rot(LOG, at, 1 << (at % 8));
          try {
            const { disk, state } = world.open();
            // Bytes that fill up a header or a batch mean nothing.
            const texts = [1, 2, 3].map((index) => new Buffer(state.records.at(index)).toString());
            assertEquals([...texts, `${state.records.next}`], ["one", "two", "three", "4"]);
            await world.crash(disk);
          } catch (error) {
            assert(error instanceof DiskError && error.code === "DAMAGED", `${at}: ${error}`);
          }
          world.rot(LOG, at, 1 << (at % 8));
        }
      });
    });

    describe("a full disk", () => {
      test("is told, loses nothing, has room for the end, and goes on by itself", async () => {
        let rig = new Rig(world);
        await rig.append(1, "first");
        world.setFull(true);
        let next = 2;
        const record = "y".repeat(500);
        while (rig.diskState !== "full") await rig.append(next++, record);
        // Half a segment is left when it is told; what ends things in good order goes there.
        for (let i = 0; i < 10; i++) await rig.append(next++, record);
        await rig.store({ meta: bytesOf("stepping down") });
        while (rig.disk.stats().usedBytes < (32 << 10) - 600) await rig.append(next++, record);
        const waiting = rig.ask({ log: { at: next++, records: [bytesOf(record)] } });
        assert(!world.list().includes("spare"), "half a segment is not kept");
        world.setFull(false);
        await rig.until(() => rig.stored >= waiting && rig.diskState === "ready");
        for (let i = 0; i < 10; i++) await rig.append(next++, record);
        const states = rig.told.flatMap((input) => (input.kind === "disk" ? [input.state] : []));
        assertEquals(states, ["full", "ready"]);
        await world.crash(rig.disk);
        rig = new Rig(world);
        assertEquals(rig.state.records.next, next);
        assertEquals(rig.state.meta, bytesOf("stepping down"));
      });

      test("holds up a snapshot, and not the log", async () => {
        const rig = new Rig(world);
        await rig.append(1, "a", "b");
        world.setFull(true);
        const token = rig.askToSave(1, 0, new Uint8Array(5000), "keep");
        await rig.until(() => rig.diskState === "full");
        await rig.append(3, "c");
        assert(!rig.wasSaved(token));
        world.setFull(false);
        await rig.until(() => rig.wasSaved(token) && rig.diskState === "ready");
        await rig.close();
        assertEquals(new Rig(world).texts, ["b", "c"]);
      });

      test("can be closed: what has room is stored, the rest is not said to be", async () => {
        let rig = new Rig(world);
        world.setFull(true);
        for (let at = 1; at <= 200; at++) {
          rig.ask({ log: { at, records: [bytesOf("z".repeat(500))] } });
        }
        await rig.close();
        assert(rig.stored < 200, "there is no room for all");
        const { stored } = rig;
        world.setFull(false);
        rig = new Rig(world);
        assertEquals(rig.state.records.next - 1, stored);
      });

      test("that is found full while it is closed still takes what it has room for", async () => {
        const rig = new Rig(world);
        world.setFull(true);
        rig.ask({ log: { at: 1, records: [new Uint8Array(20_000)] } });
        let closed: Promise<void> | undefined;
        await rig.until(() => {
          if (rig.stored < 1) return false;
          // The next segment is being made, in vain, from now on.
          rig.ask({ log: { at: 2, records: [bytesOf("the last words")] } });
          closed = rig.close();
          return true;
        });
        await closed;
        assertEquals(rig.stored, 2);
        assertEquals(new Rig(world).texts[1], "the last words");
      });
    });

    describe("a disk that fails", () => {
      for (const [op, file] of [
        ["write", LOG],
        ["sync", LOG],
        ["sync", "spare"],
        ["rename", "spare"],
        ["syncNames", ""],
      ] as const) {
        test(`at ${op} ${file}: nothing that is pending is believed, now or later`, async () => {
          const rig = new Rig(world);
          await rig.append(1, "believed");
          world.failNext(op, file);
          let at = 2;
          // Whatever it is, it is reached when the segment is used up.
          await rig.until(() => {
            if (rig.diskState === "failed") return true;
            if (rig.stored !== rig.token) return false;
            rig.ask({ log: { at: at++, records: [bytesOf("x".repeat(700))] } });
            return false;
          });
          const { stored } = rig;
          const last = rig.told.at(-1);
          assert(last?.kind === "disk" && last.state === "failed");
          assertStringIncludes(last.reason, "EIO");
          rig.ask({ meta: bytesOf("in vain") });
          await rig.close();
          assertEquals(rig.told.at(-1), last);
          const { texts } = new Rig(world);
          assertEquals(texts[0], "believed");
          assert(texts.length >= stored, `${stored} stored, ${texts.length} there`);
        });
      }

      test("at a sync that finds no space: the same, for nobody knows what is on the disk", async () => {
        const rig = new Rig(world);
        await rig.append(1, "believed");
        world.failNext("sync", LOG, true);
        rig.ask({ log: { at: 2, records: [bytesOf("in doubt")] } });
        await rig.until(() => rig.diskState === "failed");
        assertEquals(rig.stored, 1);
        await rig.close();
        assertEquals(new Rig(world).texts[0], "believed");
      });

      test("but not at that of a segment to come: that is made again when there is space", async () => {
        const rig = new Rig(world);
        world.failNext("sync", "spare", true);
        let at = 1;
        while (rig.diskState !== "ready") await rig.append(at++, "x".repeat(700));
        const states = rig.told.flatMap((input) => (input.kind === "disk" ? [input.state] : []));
        assertEquals(states, ["full", "ready"]);
      });

      test("at a snapshot: the same", async () => {
        const rig = new Rig(world);
        await rig.append(1, "a", "b");
        world.failNext("sync", "snapshot-");
        const token = rig.askToSave(1, 0, bytesOf("s"), "keep");
        await rig.until(() => rig.diskState === "failed");
        assert(!rig.wasSaved(token));
        await rig.close();
        assertEquals(new Rig(world).texts, ["a", "b"]);
      });
    });

    describe("a directory", () => {
      test("is open once at a time", async () => {
        const rig = new Rig(world);
        const line = refused("LOCKED");
        assertStringIncludes(line, "in use");
        await rig.close();
        await new Rig(world).close();
        await world.crash(new Rig(world).disk);
        new Rig(world);
      });

      test("belongs to one owner", async () => {
        await new Rig(world).close();
        const line = refused("FOREIGN", { id: "two" });
        assertStringIncludes(line, 'it belongs to toy "one", not to toy "two"; name another');
        assertStringIncludes(refused("FOREIGN", { kind: "raft" }), 'not to raft "one"');
        new Rig(world);
      });

      test("whose owner file is damaged is refused", async () => {
        await new Rig(world).close();
        for (const at of [0, 23, 26, 32, 40, 50]) {
          world.rot("owner", at);
          const error = assertThrows(() => world.open(), DiskError);
          assert(error.code !== "FOREIGN" && error.code !== "LOCKED", error.message);
          world.rot("owner", at);
        }
        new Rig(world);
      });
    });
  });
}
