/** Readers that wait: served in the order in which they asked, each once, ends included. */
import { describe, test } from "bun:test";
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ReadQueue } from "../../lsp/waiting_adapter.ts";

/** A queue of readers over what is put in: numbers, and errors that are thrown. */
function queue(): { reads: ReadQueue<number>; put: (...items: (number | Error)[]) => void } {
  const items: (number | Error)[] = [];
  const reads = new ReadQueue<number>(() => {
    const item = items.shift();
    if (item instanceof Error) throw item;
    return item;
  });
  const put = (...more: (number | Error)[]): void => {
    items.push(...more);
    reads.serve();
  };
  return { reads, put };
}

describe("ReadQueue", () => {
  test("serves readers in the order in which they asked", async () => {
    const { reads, put } = queue();
    const asked = [reads.read(), reads.read(), reads.read()];
    put(1, 2);
    put(3, 4);
    assertEquals(await Promise.all(asked), [1, 2, 3]);
    assertEquals([reads.tryRead(), reads.tryRead()], [4, undefined]);
  });

  test("lets nobody take at once what another waits for", async () => {
    const items: number[] = [];
    const reads = new ReadQueue<number>(() => items.shift());
    const waiting = reads.read();
    // It is here, but the one who waits was not served yet.
    items.push(1);
    assertEquals(reads.tryRead(), undefined);
    reads.serve();
    assertEquals(await waiting, 1);
    items.push(2);
    assertEquals([reads.tryRead(), reads.tryRead()], [2, undefined]);
  });

  test("gives an error to one reader, and what follows to the next", async () => {
    const { reads, put } = queue();
    const asked = [reads.read(), reads.read()] as const;
    put(new Error("the end of one"), 5);
    await assertRejects(() => asked[0], Error, "the end of one");
    assertEquals(await asked[1], 5);
    put(new Error("another"));
    assertThrows(() => reads.tryRead(), Error, "another");
    put(new Error("a third"), 6);
    await assertRejects(() => reads.read(), Error, "a third");
    assertEquals(await reads.read(), 6);
  });
});
