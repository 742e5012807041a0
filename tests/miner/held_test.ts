/** A miner that comes back with what it has in hand. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import { assign, BEST, Rig, search, written } from "./rig.ts";

const GONE = { kind: "gone", reason: "lost" } as const;
const JOB = 77;

/** The message behind Join. */
function resumeOf(rig: Rig): unknown {
  rig.wait();
  return written(rig.tell({ kind: "connected", wire: "cbor" }))[1];
}

describe("a miner whose connection ends", () => {
  test("hashes on, tells what it has, and goes on under the number that it is given", () => {
    const rig = new Rig();
    rig.up();
    rig.say({ ...assign(1), job: JOB });
    rig.say({ ...assign(2, 100n, 199n), job: JOB });
    assertEquals(rig.tell(GONE), []);
    assertEquals(rig.tell({ kind: "progress", id: 1, next: 50n, best: BEST }), []);
    assertEquals(resumeOf(rig), {
      kind: "resume",
      held: [
        { job: JOB, lower: 0n, upper: 99n, next: 50n, best: BEST },
        { job: JOB, lower: 100n, upper: 199n, next: 100n },
      ],
    });
    // The first one is done before the server's answer comes.
    assertEquals(rig.tell({ kind: "finished", id: 1, best: BEST }), []);
    const said = rig.say({ kind: "resumed", chunks: [4, 5] });
    assertEquals(written(said), [{ kind: "result", chunk: 4, best: BEST }]);
    const end = { hash: 1n, nonce: 150n };
    const finished = rig.tell({ kind: "finished", id: 2, best: end });
    assertEquals(written(finished), [{ kind: "result", chunk: 5, best: end }]);
    // Numbers go on from there.
    rig.say({ ...assign(5), job: JOB });
    assertEquals(rig.core.rejected.get("chunk number used before"), 1);
  });

  test("stops what is not wanted any more", () => {
    const rig = new Rig();
    rig.up();
    rig.say({ ...assign(1), job: JOB });
    rig.tell(GONE);
    resumeOf(rig);
    assertEquals(rig.say({ kind: "resumed", chunks: [0] }), [{ kind: "stop", id: 1 }]);
    assertEquals(rig.tell({ kind: "stopped", id: 1, next: 3n, best: BEST }), []);
    assertEquals(rig.say(assign(1)), [{ kind: "start", search: search(2) }]);
  });

  test("reports what it finished meanwhile, and of a shrunk chunk no more than it did", () => {
    const rig = new Rig();
    rig.up();
    rig.say({ ...assign(1), job: JOB });
    rig.say({ kind: "shrink", chunk: 1, upper: 60n });
    rig.tell({ kind: "shrunk", id: 1, upper: 64n });
    rig.tell(GONE);
    rig.tell({ kind: "finished", id: 1, best: BEST });
    const held = [{ job: JOB, lower: 0n, upper: 64n, next: 65n, best: BEST }];
    assertEquals(resumeOf(rig), { kind: "resume", held });
    assertEquals(rig.say({ kind: "resumed", chunks: [0] }), []);
  });

  test("a hit says nothing of what lies above it, nor that it is the lowest", () => {
    const rig = new Rig();
    rig.up();
    const { work } = assign(1);
    rig.say({ kind: "assign", chunk: 1, work: { ...work, target: 9n }, job: JOB });
    rig.tell(GONE);
    rig.tell({ kind: "finished", id: 1, best: BEST });
    const held = [{ job: JOB, lower: 0n, upper: 99n, next: 0n, best: BEST }];
    assertEquals(resumeOf(rig), { kind: "resume", held });
  });

  test("drops what has no job to come back to, is being stopped or shrunk", () => {
    const rig = new Rig();
    rig.up();
    rig.say(assign(1));
    rig.say({ ...assign(2, 100n, 199n), job: JOB });
    rig.say({ kind: "shrink", chunk: 2, upper: 150n });
    const stops = [1, 2].map((id) => ({ kind: "stop", id }) as const);
    assertEquals(rig.tell(GONE), stops);
    assertEquals(resumeOf(rig), undefined);
  });

  test("keeps what it has over several connections that fail", () => {
    const rig = new Rig();
    rig.up();
    rig.say({ ...assign(1), job: JOB });
    rig.tell(GONE);
    rig.wait();
    rig.tell(GONE);
    rig.upAgain();
    rig.tell(GONE);
    const held = [{ job: JOB, lower: 0n, upper: 99n, next: 0n }];
    assertEquals(resumeOf(rig), { kind: "resume", held });
  });
});
