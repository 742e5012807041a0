/** Messages of clients and servers: what is written is read, and nothing else is taken. */
import { describe, test } from "bun:test";
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { packed } from "../../base/byte_fields.ts";
import { type Command, encodeAnswer, encodeCommand } from "../../kv/commands.ts";
import { RUN_BYTES_MAX, RUN_MAX } from "../../kv/limits.ts";
import {
  decodeReply,
  decodeRequest,
  encodeAnswersReply,
  encodeReply,
  encodeRequest,
  type Request,
} from "../../kv/messages.ts";
import { tellRun } from "../../kv/run_answers.ts";

const put: Command = {
  kind: "put",
  change: { key: "x", at: 3, value: new Uint8Array(200), lease: 0 },
};

function runOf(commands: readonly Uint8Array[]): Request & { readonly kind: "writes" } {
  const count = commands.length;
  return {
    kind: "writes",
    id: 7,
    session: 2,
    number: 5,
    lowest: 4,
    count,
    commands: packed(commands),
  };
}

describe("a run of writes", () => {
  test("is read as it was written, and so are its answers", () => {
    const run = runOf(
      Array.from({ length: RUN_MAX }, () =>
        encodeCommand({ ...put, change: { ...put.change, value: new Uint8Array(0) } }),
      ),
    );
    assertEquals(decodeRequest(encodeRequest(run)), run);
    const answers = [
      { kind: "done", revision: 300, version: 2 },
      { kind: "refused", revision: 300, version: 0 },
      { kind: "multi", isDone: true, revision: 9, versions: [1, 2] },
      { kind: "failed", why: "full" },
    ] as const;
    const reply = { kind: "answers", id: 7, answers } as const;
    assertEquals(decodeReply(encodeReply(reply)), reply);
    assertEquals(encodeAnswersReply(7, answers.map(encodeAnswer)), encodeReply(reply));
  });

  test("has its answers told in as few replies as refusals between them let it", () => {
    const done = (revision: number) => ({ kind: "done", revision, version: 1 }) as const;
    const told: unknown[] = [];
    const bytes = [1, 2, 4, 6].map((revision) => encodeAnswer(done(revision)));
    const [first, second, fourth, sixth] = bytes as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    tellRun(10, [first, second, "forgotten", fourth, "unknown session", sixth], {
      done: (reply) => told.push(decodeReply(reply)),
      refused: (id, why) => told.push([id, why]),
    });
    assertEquals(told, [
      { kind: "answers", id: 10, answers: [done(1), done(2)] },
      [12, "out of order"],
      { kind: "answers", id: 13, answers: [done(4)] },
      [14, "unknown session"],
      { kind: "answers", id: 15, answers: [done(6)] },
    ]);
  });

  test("is refused when it is not what it says, or more than an entry takes", () => {
    const one = encodeCommand(put);
    const good = runOf([one, one]);
    const lease = encodeCommand({ kind: "lease", ttlMs: 1000 });
    const end = encodeCommand({ kind: "expire", leases: [1] });
    const part = encodeCommand({ kind: "discard", upTo: 1 });
    const large = Array.from({ length: RUN_BYTES_MAX / 200 }, () => one);
    for (const bad of [
      { ...good, count: 1 },
      { ...good, count: 3 },
      { ...good, count: 0 },
      { ...good, session: 0 },
      { ...good, lowest: 0 },
      { ...good, lowest: 6 },
      { ...good, number: 2 ** 32 - 1 },
      { ...good, commands: good.commands.slice(0, -1) },
      runOf([one, lease]),
      runOf([end, one]),
      runOf([one, part]),
      runOf([one, new Uint8Array(0)]),
      runOf([one, Uint8Array.of(99)]),
      runOf(large),
    ]) {
      assertEquals(decodeRequest(encodeRequest(bad)), undefined);
    }
    assertEquals(decodeRequest(encodeRequest(good)), good);
  });

  test("of a stranger's making never throws", () => {
    fc.assert(
      fc.property(fc.constantFrom(11, 9), fc.uint8Array({ maxLength: 60 }), (kind, rest) => {
        const bytes = Uint8Array.of(1, kind, ...rest);
        decodeRequest(bytes);
        decodeReply(bytes);
      }),
    );
  });
});
