/** Jobs by id: they outlive the connection of their client, and anybody may ask for them. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { seededRandom } from "../../base/random.ts";
import { ServerRing } from "../../base/server_ring.ts";
import { ClientCore, type ClientJob, type JobWish } from "../../mapreduce/client_core.ts";
import { FOLLOWERS_MAX, REDIAL_MS, THROWS_MAX } from "../../mapreduce/limits.ts";
import type { AttachWish, JobTerms, MapReduceMessage } from "../../work/mapreduce_messages.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import { Desk, PART, TERMS } from "./server_desk.ts";

describe("jobs by id", () => {
  const KEY = "ab".repeat(32);
  const attach = (wish: AttachWish, id: number, key = ""): MapReduceMessage => {
    return { kind: "mr-attach", job: 3, id, key, wish, port: 0 };
  };

  /** A job of client 7 with two maps and two reducers; its id. */
  function begun(desk: Desk, terms: Partial<JobTerms> = {}): number {
    const all = { ...TERMS, ...terms };
    desk.say(7, { kind: "mr-submit", job: 1, terms: all, maps: 2, port: 0, key: KEY });
    desk.say(7, { kind: "mr-splits", job: 1, first: 0, sizes: [10, 10] });
    return desk.last(7, "mr-attached").id;
  }

  /** Worker 1 does all that it is told to. */
  function work(desk: Desk): void {
    for (let left = 10; left > 0; left--) {
      for (const message of desk.heard(1)) {
        if (message.kind === "mr-map") {
          desk.say(1, { kind: "mr-mapped", task: message.task, parts: [PART, PART], note: "" });
        } else if (message.kind === "mr-reduce") {
          desk.say(1, { kind: "mr-reduced", task: message.task, output: PART, note: "" });
        }
      }
    }
  }

  test("maps wait while nobody has the splits, and go on when the client is back", () => {
    const desk = new Desk();
    const id = begun(desk);
    desk.gone(7);
    desk.worker(1);
    assertEquals(desk.heard(1), []);
    desk.say(8, attach("look", id));
    assertEquals(desk.last(8, "mr-attached").isSupplied, false);
    // The key makes it the one who has them; the id alone does not.
    desk.say(9, attach("follow", id));
    const [job] = [...desk.coordinator.jobs];
    assertEquals([desk.heard(1), job!.supplier], [[], 0]);
    desk.say(8, attach("follow", 0, KEY));
    assertEquals(desk.last(1, "mr-map").holder, 8);
    assertEquals(job!.supplier, 8);
  });

  test("outputs are given to who asks for them by the id, once", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk);
    work(desk);
    desk.gone(7);
    desk.say(8, attach("follow", id));
    const kinds = desk.heard(8).map(({ kind }) => kind);
    assertEquals(kinds, ["mr-attached", "mr-status", "mr-output", "mr-output"]);
    for (const reduce of [0, 1]) desk.say(8, { kind: "mr-final", job: 3, reduce, good: true });
    desk.last(8, "mr-done");
    desk.say(9, attach("look", id));
    assertMatch(desk.last(9, "refused").reason, /^there is no job \w+-\w+$/);
  });

  test("outputs that are kept are given to any number, until the job is cancelled", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk, { keep: true });
    work(desk);
    for (const connId of [8, 9]) {
      desk.say(connId, attach("follow", id));
      for (const reduce of [0, 1])
        desk.say(connId, { kind: "mr-final", job: 3, reduce, good: true });
      assert(!desk.heard(connId).some(({ kind }) => kind === "mr-done"));
      desk.gone(connId);
    }
    desk.say(10, attach("cancel", id));
    desk.last(1, "mr-forget");
    assertEquals(desk.last(10, "mr-failed").reason, "it was cancelled");
    assertEquals([...desk.coordinator.jobs].length, 0);
  });

  test("why one failed is kept for who comes later", () => {
    const desk = new Desk();
    desk.worker(1);
    const id = begun(desk);
    for (let left = 2; left > 0; left--) {
      const { task } = desk.last(1, "mr-map");
      if (left === 1) desk.gone(7);
      desk.say(1, { kind: "mr-mapped", task, parts: [PART, PART], note: "" });
    }
    const failed = { why: "threw", text: "Error: no", map: 0, holder: 0 } as const;
    for (let left = 10 * THROWS_MAX; left > 0; left--) {
      for (const message of desk.heard(1)) {
        if (message.kind === "mr-reduce")
          desk.say(1, { kind: "mr-ended", task: message.task, ...failed });
      }
    }
    desk.say(8, attach("follow", id));
    const reason = desk.last(8, "mr-failed").reason;
    assertMatch(reason, /reduce \d failed 3 times: Error: no/);
  });

  test("are nobody's who asked for --stdout, and have a bounded number of followers", () => {
    const desk = new Desk();
    const id = begun(desk, { asRecords: true });
    desk.say(8, attach("follow", id));
    assertMatch(desk.last(8, "refused").reason, /--stdout/);
    const other = new Desk();
    const followed = begun(other);
    for (let connId = 20; connId < 20 + FOLLOWERS_MAX; connId++) {
      other.say(connId, attach("follow", followed));
    }
    assertMatch(other.last(19 + FOLLOWERS_MAX, "refused").reason, /at most 16 followers/);
    other.say(99, attach("look", followed + 1));
    assertMatch(other.last(99, "refused").reason, /there is no job/);
  });
});

describe("a client", () => {
  const SPLIT = { name: "a", firstLine: 0, bytes: 10 };
  const attached = {
    kind: "mr-attached",
    job: 1,
    id: 5,
    application: "wc",
    maps: 1,
    reducers: 1,
    keep: false,
    isSupplied: true,
  } as const;
  const status = { kind: "mr-status", job: 1, bytesDone: 0, failures: 0, workers: 1 } as const;
  const output = {
    kind: "mr-output",
    job: 1,
    reduce: 0,
    source: { holder: 1, ...PART },
    at: "",
  } as const;

  /** A client's core, and what it said and reported since the last look. */
  class Client {
    readonly core: ClientCore;

    constructor(more: Partial<ClientJob> = {}, ...servers: string[]) {
      const terms = { ...TERMS, reducers: 1 };
      const job = { terms, splits: [SPLIT], key: "ab".repeat(32), ...more };
      this.core = new ClientCore(job, new ServerRing(servers, seededRandom(1)));
      this.core.handle({ kind: "connected" }, 0);
    }

    /** A server says who leads. */
    lead(leads: boolean, leader: string): this {
      const payload = encodeMessage({ kind: "servers", leads, leader, servers: ["a:1", "b:2"] });
      this.core.handle({ kind: "payload", payload }, 0);
      return this;
    }

    hear(...messages: MapReduceMessage[]): this {
      for (const each of messages) {
        this.core.handle({ kind: "payload", payload: encodeMessage(each) }, 0);
      }
      return this;
    }

    look(): string[] {
      const seen: string[] = [];
      for (let effect = this.core.poll(); effect !== undefined; effect = this.core.poll()) {
        if (effect.kind === "redial" && effect.isCluster) seen.push(`dial ${effect.server}`);
        else if (effect.kind !== "write") seen.push(effect.kind);
        else {
          const message = decodeMessage(effect.payload);
          assert(typeof message !== "string");
          seen.push(message.kind);
        }
      }
      return seen;
    }
  }

  test("that loses its server comes back to its job, or begins it anew", () => {
    const client = new Client();
    assertEquals(client.look(), ["mr-submit", "mr-splits"]);
    client.hear(attached).look();
    client.core.handle({ kind: "gone", reason: "lost" }, 0);
    assertEquals([client.look(), client.core.wakeAtMs()], [["note"], REDIAL_MS]);
    client.core.handle({ kind: "wake" }, REDIAL_MS);
    assertEquals(client.look(), ["redial"]);
    client.core.handle({ kind: "gone", reason: "still" }, REDIAL_MS);
    client.core.handle({ kind: "wake" }, 2 * REDIAL_MS);
    assertEquals(client.look(), ["redial"]);
    client.core.handle({ kind: "connected" }, 2 * REDIAL_MS);
    assertEquals(client.look(), ["mr-attach"]);
    client.hear({ kind: "mr-failed", job: 2, reason: "another's" });
    client.core.handle(
      { kind: "payload", payload: encodeMessage({ kind: "refused", job: 1, reason: "none" }) },
      0,
    );
    assertEquals(client.look(), ["note", "mr-submit", "mr-splits"]);
    client.hear(attached, output);
    assertEquals(client.look(), ["attached", "mr-get"]);
  });

  test("whose server was never there ends", () => {
    const client = new Client();
    client.core.handle({ kind: "gone", reason: "nobody" }, 0);
    assertEquals(client.look().at(-1), "failed");
  });

  test("of several servers goes to the leader, and to the next one with the same job", () => {
    const client = new Client({}, "a:1", "b:2");
    client.look();
    assertEquals(client.lead(false, "b:2").look(), ["dial b:2"]);
    client.core.handle({ kind: "connected" }, 0);
    assertEquals(client.look(), ["mr-submit", "mr-splits"]);
    client.lead(true, "b:2").hear(attached).look();
    client.core.handle({ kind: "gone", reason: "lost" }, 0);
    assertEquals(client.look(), ["note", "dial a:1"]);
    // Nobody leads as yet: after a round it waits.
    client.core.handle({ kind: "connected" }, 0);
    assertEquals(client.lead(false, "").look(), ["mr-attach"]);
    client.core.handle({ kind: "gone", reason: "it hung up" }, 0);
    client.core.handle({ kind: "wake" }, client.core.wakeAtMs()!);
    assertEquals(client.look(), ["dial a:1"]);
    client.core.handle({ kind: "connected" }, 0);
    client.lead(true, "a:1").hear(attached);
    assertEquals(client.look(), ["mr-attach", "attached"]);
  });

  test("of one of several servers learns of the others", () => {
    const client = new Client({}, "a:1");
    client.look();
    assertEquals(client.lead(false, "b:2").look(), ["dial b:2"]);
  });

  test("that detaches ends when its input is read, and fetches nothing", () => {
    const client = new Client({ detach: true });
    client.hear(attached, { ...status, mapsDone: 0, reducesDone: 0 }).look();
    client.hear(output, { ...status, mapsDone: 1, reducesDone: 0 });
    assertEquals(client.look(), ["status", "done"]);
  });

  test("that asks by an id does what it was asked to, and cancels nothing on its way out", () => {
    const ask = (wish: JobWish): Client => {
      const client = new Client({ existing: { id: 5, wish }, key: "", splits: [] });
      assertEquals(client.look(), ["mr-attach"]);
      return client.hear(attached);
    };
    const now = { ...status, mapsDone: 1, reducesDone: 0 };
    assertEquals(ask("look").hear(now).look(), ["attached", "status", "done"]);
    assertEquals(ask("wait").hear(now).look(), ["attached", "status"]);
    assertEquals(
      ask("wait")
        .hear({ ...now, reducesDone: 1 })
        .look()
        .at(-1),
      "done",
    );
    assertEquals(ask("fetch").hear(output).look(), ["attached", "mr-get"]);
    assertEquals(ask("fetch").hear({ kind: "mr-done", job: 1 }).look(), ["attached", "failed"]);
    assertEquals(ask("cancel").hear({ kind: "mr-failed", job: 1, reason: "" }).look(), [
      "attached",
      "done",
    ]);
    const waiting = ask("wait");
    waiting.core.handle({ kind: "cancel" }, 0);
    assertEquals(waiting.look(), ["attached", "failed"]);
  });
});
