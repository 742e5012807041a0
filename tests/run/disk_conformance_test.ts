/** What every disk does while all is well, on files and simulated: docs/storage.md, promises. */
import { afterEach, beforeEach, describe, test } from "bun:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { InvariantError } from "../../base/machine.ts";
import { bytesOf, DISK_WORLDS, type DiskWorld, Rig, textOf } from "../support/disks.ts";

const ABOUT = { about: undefined };
const CONTENT = Uint8Array.from({ length: 10_000 }, (_, i) => i * 31);

function snapshotsOf(world: DiskWorld): string[] {
  return world.list().filter((file) => file.startsWith("snapshot"));
}

for (const [name, newWorld] of Object.entries(DISK_WORLDS)) {
  describe(name, () => {
    let world: DiskWorld;
    beforeEach(() => void (world = newWorld()));
    afterEach(() => world.end());

    /** Closes `rig`, or has it crash, and opens the disk again. */
    async function reopened(rig: Rig, how: "close" | "crash" = "close"): Promise<Rig> {
      if (how === "close") await rig.close();
      else await world.crash(rig.disk);
      return new Rig(world);
    }

    test("is empty at first", () => {
      const { state, disk } = new Rig(world);
      assertEquals([state.records.first, state.records.next], [1, 1]);
      assertEquals([state.meta, state.snapshot], [undefined, undefined]);
      assertEquals(disk.owner, { kind: "toy", id: "one" });
    });

    for (const how of ["close", "crash"] as const) {
      test(`keeps records and metadata over a ${how}`, async () => {
        let rig = new Rig(world);
        await rig.append(1, "one", "two", "");
        await rig.store({ meta: bytesOf("m") });
        await rig.store({ log: { at: 4, records: [bytesOf("four")] }, meta: bytesOf("meta") });
        rig = await reopened(rig, how);
        assertEquals(rig.texts, ["one", "two", "", "four"]);
        assertEquals(textOf(rig.state.meta!), "meta");
        await rig.append(5, "five");
        rig = await reopened(rig, how);
        assertEquals(rig.texts, ["one", "two", "", "four", "five"]);
        assertEquals(textOf(rig.state.meta!), "meta");
      });
    }

    test("replaces the tail, by other records or by nothing", async () => {
      let rig = new Rig(world);
      await rig.append(1, "a", "b", "c", "d");
      await rig.append(3, "C");
      rig = await reopened(rig);
      assertEquals(rig.texts, ["a", "b", "C"]);
      await rig.store({ log: { at: 2, records: [] } });
      rig = await reopened(rig);
      assertEquals(rig.texts, ["a"]);
      await rig.append(1, "A");
      rig = await reopened(rig);
      assertEquals(rig.texts, ["A"]);
    });

    test("refuses a gap, an index below the snapshot, and tokens that fall", async () => {
      const rig = new Rig(world);
      await rig.append(1, "a", "b", "c");
      const store = (token: number, at: number) => () =>
        rig.disk.handle({ kind: "store", token, log: { at, records: [] } });
      assertThrows(store(10, 5), InvariantError, "an index of 1..4, got 5");
      assertThrows(store(1, 4), InvariantError, "tokens rise, got 1");
      await rig.save(2, CONTENT, "keep");
      assertThrows(store(20, 2), InvariantError, "an index of 3..4, got 2");
    });

    test("appends what arrives in one turn together, and answers in order", async () => {
      const rig = new Rig(world);
      await rig.append(1, "first");
      const before = world.runs("log-0000000001");
      for (let at = 2; at <= 200; at++) rig.ask({ log: { at, records: [bytesOf(`r${at}`)] } });
      await rig.until(() => rig.stored === rig.token);
      assertEquals(world.runs("log-0000000001") - before, 1);
      const tokens = rig.told.flatMap((input) => (input.kind === "stored" ? [input.token] : []));
      assertEquals(
        tokens,
        tokens.toSorted((a, b) => a - b),
      );
    });

    test("gathers what arrives while an append is under way, and needs no more turns", async () => {
      const rig = new Rig(world);
      let next = 1;
      const more = (): void => {
        for (let i = 0; i < 10; i++) rig.ask({ log: { at: next++, records: [bytesOf("x")] } });
      };
      more();
      await rig.until(() => {
        if (rig.stored === rig.token && next < 300) more();
        return rig.stored === 300;
      });
      assertEquals(world.runs("log-0000000001"), 30);
    });

    test("goes through many segments, and through stores larger than one", async () => {
      let rig = new Rig(world);
      const large = "L".repeat(100_000);
      const texts = Array.from({ length: 300 }, (_, i) => `${i} `.repeat(100));
      texts[120] = large;
      texts[121] = large;
      for (const [i, text] of texts.entries()) {
        rig.ask({ log: { at: i + 1, records: [bytesOf(text)] } });
      }
      await rig.until(() => rig.stored === rig.token);
      assert(rig.disk.stats().segments > 3, `${rig.disk.stats().segments} segments`);
      rig = await reopened(rig, "crash");
      assertEquals(rig.texts, texts);
      await rig.append(301, "more");
      rig = await reopened(rig);
      assertEquals(rig.texts, [...texts, "more"]);
    });

    test("puts a snapshot in the place of the log's head", async () => {
      let rig = new Rig(world);
      for (let at = 1; at <= 500; at++) {
        rig.ask({ log: { at, records: [bytesOf(`${at} `.repeat(60))] } });
      }
      await rig.store({ meta: bytesOf("m") });
      const before = rig.disk.stats();
      await rig.save(450, CONTENT, "keep", 3000);
      const after = rig.disk.stats();
      assert(after.usedBytes < before.usedBytes / 2, `${before.usedBytes} to ${after.usedBytes}`);
      assert(after.segments < before.segments, `${before.segments} to ${after.segments}`);
      rig = await reopened(rig, "crash");
      assertEquals(rig.state.snapshot, { ...ABOUT, index: 450, size: 10_000, bytes: CONTENT });
      assertEquals([rig.state.records.first, rig.state.records.next], [451, 501]);
      assertEquals(rig.texts[0], "451 ".repeat(60));
      assertEquals(textOf(rig.state.meta!), "m");
      await rig.append(501, "more");
      await rig.save(501, bytesOf("s"), "keep");
      rig = await reopened(rig);
      assertEquals([rig.state.records.first, rig.state.records.next], [502, 502]);
      assertEquals(textOf(rig.state.snapshot!.bytes!), "s");
      assertEquals(snapshotsOf(world).length, 1);
    });

    test("takes a snapshot that is ahead of the log, in the log's place", async () => {
      let rig = new Rig(world);
      await rig.append(1, "a", "b");
      assertThrows(() => rig.askToSave(7, 0, CONTENT, "keep"), InvariantError, "record 7 is in");
      await world.crash(rig.disk);
      rig = new Rig(world);
      await rig.save(7, bytesOf("seven"), "discard");
      await rig.append(8, "h");
      rig = await reopened(rig, "crash");
      assertEquals([rig.state.records.first, rig.texts], [8, ["h"]]);
    });

    test("keeps records from before the snapshot if asked to, and what is said of it", async () => {
      let rig = new Rig(world);
      for (let at = 1; at <= 500; at++) {
        rig.ask({ log: { at, records: [bytesOf(`${at} `.repeat(60))] } });
      }
      await rig.store({ meta: bytesOf("m") });
      const about = bytesOf("of term 3");
      await rig.save(450, CONTENT, { log: "keep", logFrom: 400, about });
      const { segments } = rig.disk.stats();
      rig = await reopened(rig, "crash");
      assertEquals(rig.state.snapshot, { index: 450, size: 10_000, bytes: CONTENT, about });
      assertEquals([rig.state.records.first, rig.state.records.next], [400, 501]);
      assertEquals(rig.texts[0], "400 ".repeat(60));
      assertEquals(rig.disk.stats().segments, segments);
      await rig.append(451, "instead");
      rig = await reopened(rig);
      assertEquals([rig.state.records.first, rig.state.records.next], [400, 452]);
      assertEquals(rig.texts.at(-1), "instead");
    });

    test("retains an older snapshot for loading while it is asked to, in this life", async () => {
      let rig = new Rig(world);
      await rig.append(1, "a", "b", "c");
      await rig.save(1, bytesOf("one"), "keep");
      await rig.save(2, bytesOf("two"), { log: "keep", retain: [1] });
      assertEquals(textOf((await rig.load(1, 0, 9))!), "one");
      assertEquals(textOf((await rig.load(2, 0, 9))!), "two");
      await rig.save(3, bytesOf("three"), { log: "keep", retain: [2] });
      assertEquals(await rig.load(1, 0, 9), null);
      assertEquals(textOf((await rig.load(2, 0, 9))!), "two");
      rig = await reopened(rig);
      assertEquals(await rig.load(2, 0, 9), null);
      assertEquals(textOf((await rig.load(3, 0, 9))!), "three");
      assertEquals(snapshotsOf(world).length, 1);
    });

    test("takes parts of several snapshots in turns; an old one changes nothing", async () => {
      let rig = new Rig(world);
      await rig.append(1, "a", "b", "c", "d");
      // One is taken here while another one comes in from elsewhere.
      rig.askToSave(2, 0, bytesOf("ta"));
      rig.askToSave(9, 0, bytesOf("co"));
      rig.askToSave(3, 0, bytesOf("forgotten"));
      rig.askToSave(2, 2, bytesOf("ken"), "keep");
      rig.disk.handle({ kind: "forget", index: 3 });
      rig.askToSave(9, 2, bytesOf("ming"), "discard");
      rig.ask({ log: { at: 10, records: [bytesOf("j")] } });
      const late = rig.askToSave(3, 9, bytesOf(", and late"), "discard");
      await rig.until(() => rig.wasSaved(late) && rig.stored === late - 1);
      rig = await reopened(rig, "crash");
      assertEquals(textOf(rig.state.snapshot!.bytes!), "coming");
      assertEquals([rig.state.records.first, rig.texts], [10, ["j"]]);
      assertEquals(snapshotsOf(world), ["snapshot-0000000000000009"]);
    });

    test("removes what there is of a snapshot that is to be forgotten, and may begin it anew", async () => {
      const rig = new Rig(world);
      await rig.append(1, "a", "b");
      rig.askToSave(2, 0, bytesOf("begun"));
      rig.disk.handle({ kind: "forget", index: 2 });
      rig.disk.handle({ kind: "forget", index: 2 });
      const token = rig.askToSave(1, 0, bytesOf("other"));
      await rig.until(() => rig.wasSaved(token));
      assertEquals(snapshotsOf(world), ["snapshot-0000000000000001.part"]);
      await rig.save(2, bytesOf("anew"), "keep");
      await rig.close();
      assertEquals(textOf(new Rig(world).state.snapshot!.bytes!), "anew");
    });

    test("refuses parts that do not fit, and too many unfinished snapshots", async () => {
      const rig = new Rig(world);
      await rig.append(1, ..."abcdefghij");
      rig.askToSave(1, 0, bytesOf("abc"));
      assertThrows(() => rig.askToSave(1, 2, bytesOf("x")), InvariantError, "goes to 3, got 2");
      assertThrows(() => rig.askToSave(2, 1, bytesOf("x")), InvariantError, "goes to undefined");
      for (let index = 2; index <= 8; index++) rig.askToSave(index, 0, bytesOf("x"));
      assertThrows(() => rig.askToSave(9, 0, bytesOf("x")), InvariantError, "at most 8 snapshots");
    });

    test("puts a snapshot in the place of the whole log", async () => {
      let rig = new Rig(world);
      const old = Array.from({ length: 400 }, (_, i) => `old ${i} `.repeat(20));
      await rig.append(1, ...old.slice(0, 200));
      for (const [i, text] of old.slice(200).entries()) {
        rig.ask({ log: { at: 201 + i, records: [bytesOf(text)] } });
      }
      const token = rig.askToSave(100, 0, CONTENT, "discard");
      // Asked for before the snapshot is durable, and counting on it.
      rig.ask({ log: { at: 101, records: [bytesOf("new 101")] } });
      await rig.append(102, "new 102");
      assert(rig.wasSaved(token), "the snapshot comes before what was asked for behind it");
      assertEquals(rig.disk.stats().segments, 1);
      rig = await reopened(rig, "crash");
      assertEquals([rig.state.records.first, rig.texts], [101, ["new 101", "new 102"]]);
      assertEquals(rig.state.snapshot?.index, 100);
      await rig.append(103, "new 103");
      await rig.save(102, bytesOf("later"), "keep");
      rig = await reopened(rig);
      assertEquals([rig.state.records.first, rig.texts], [103, ["new 103"]]);
    });

    test("forgets a snapshot that is not whole, at a restart and at another one", async () => {
      let rig = new Rig(world);
      await rig.append(1, "a", "b", "c");
      const first = rig.askToSave(2, 0, CONTENT);
      await rig.until(() => rig.wasSaved(first));
      rig = await reopened(rig, "crash");
      assertEquals(rig.state.snapshot, undefined);
      assertEquals(rig.texts, ["a", "b", "c"]);
      const second = rig.askToSave(2, 0, CONTENT);
      await rig.until(() => rig.wasSaved(second));
      await rig.save(3, bytesOf("three"), "keep");
      rig = await reopened(rig);
      assertEquals(rig.state.snapshot, { ...ABOUT, index: 3, size: 5, bytes: bytesOf("three") });
    });

    test("loads a snapshot in parts, the newest alone", async () => {
      let rig = new Rig(world, { wholeSnapshotBytesMax: 5000 });
      await rig.append(1, "a", "b");
      await rig.save(1, CONTENT, "keep", 4096);
      assertEquals(await rig.load(1, 9000, 4000), CONTENT.slice(9000));
      await rig.close();
      rig = new Rig(world, { wholeSnapshotBytesMax: 5000 });
      assertEquals(rig.state.snapshot, { ...ABOUT, index: 1, size: 10_000, bytes: undefined });
      assertEquals(await rig.load(1, 100, 50), CONTENT.slice(100, 150));
      assertEquals(await rig.load(1, 10_000, 50), new Uint8Array(0));
      assertEquals(await rig.load(2, 0, 50), null);
      await rig.save(2, bytesOf("two"), "keep");
      assertEquals(await rig.load(1, 0, 50), null);
      assertEquals(textOf((await rig.load(2, 0, 50))!), "two");
    });

    test("loads what was asked for although a newer snapshot comes, or says that it is gone", async () => {
      const rig = new Rig(world);
      await rig.append(1, "a", "b", "c");
      await rig.save(1, CONTENT, "keep");
      const before = rig.told.length;
      let token = 0;
      for (let i = 0; i < 40; i++) {
        rig.disk.handle({ kind: "load", index: 1, offset: 250 * i, bytesMax: 250 });
        if (i === 20) token = rig.askToSave(2, 0, bytesOf("two"), "keep");
      }
      await rig.until(() => rig.wasSaved(token));
      const parts = await rig.until(() => {
        const loaded = rig.told.slice(before).flatMap((input) => {
          return input.kind === "loaded" ? [input] : [];
        });
        return loaded.length === 40 && loaded;
      });
      for (const { offset, bytes } of parts) {
        if (bytes !== undefined) assertEquals(bytes, CONTENT.slice(offset, offset + 250));
      }
    });

    test("goes on appending while a snapshot is taken", async () => {
      const rig = new Rig(world);
      await rig.append(1, "a");
      const token = rig.askToSave(1, 0, new Uint8Array(1 << 20), "keep");
      let next = 2;
      let during = 0;
      await rig.until(() => {
        if (rig.wasSaved(token)) return true;
        if (rig.stored === rig.token || next === 2) {
          during++;
          rig.ask({ log: { at: next++, records: [bytesOf("x")] } });
        }
        return false;
      });
      assert(during > 0);
      await rig.until(() => rig.stored === rig.token);
    });

    test("takes up little more than what lives, however much was written", async () => {
      let rig = new Rig(world);
      let next = 1;
      for (let round = 0; round < 30; round++) {
        for (let i = 0; i < 100; i++) {
          rig.ask({ log: { at: next++, records: [new Uint8Array(400)] } });
        }
        await rig.until(() => rig.stored === rig.token);
        await rig.save(next - 10, bytesOf(`${round}`), "keep");
        const { usedBytes } = rig.disk.stats();
        assert(usedBytes <= 3 * (32 << 10), `${usedBytes} bytes after ${next} records`);
      }
      rig = await reopened(rig);
      assertEquals(rig.texts.length, 9);
      assert(world.list().length <= 7, world.list().join(" "));
    });

    test("closes after what waits, and does nothing afterwards", async () => {
      let rig = new Rig(world);
      for (let at = 1; at <= 50; at++) rig.ask({ log: { at, records: [bytesOf("x")] } });
      await Promise.all([rig.close(), rig.close()]);
      assertEquals(rig.stored, 50);
      rig = new Rig(world);
      assertEquals(rig.texts.length, 50);
    });
  });
}
