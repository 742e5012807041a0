/** Mistakes of others around votes, terms and memberships: each must stay out of this one. */
import { describe, test } from "bun:test";
import { assert, assertEquals } from "@std/assert";
import type { SnapshotMeta } from "../../raft/mod.ts";
import { Bare, entry, held, sent, steps, THREE } from "./bare.ts";

const NOTHING = new Uint8Array(0);

describe("mistakes of voters and candidates:", () => {
  test("telling a vote, or a term, that is not durable", () => {
    const bare = new Bare(held([1]));
    bare.storesAtOnce = false;
    const vote = { kind: "vote", term: 2, pre: false, transfer: false, lastIndex: 1 } as const;
    const asked = bare.receive(2, { ...vote, lastTerm: 1 });
    assertEquals(sent(asked, "voted"), []);
    assertEquals(
      steps(asked).map(({ hard }) => hard),
      [{ term: 2, vote: 2 }],
    );
    const granted = { kind: "voted", term: 2, pre: false, granted: true } as const;
    assertEquals(sent(bare.stored(), "voted"), [granted]);
    // A refusal tells a term as well.
    const refused = bare.receive(3, { ...vote, term: 3, lastTerm: 0 });
    assertEquals(sent(refused, "voted"), []);
    assertEquals(
      sent(bare.stored(), "voted").map(({ term }) => term),
      [3],
    );
    // And so does a candidate.
    bare.wait(700);
    const stands = bare.receive(2, { kind: "voted", term: 4, pre: true, granted: true });
    assertEquals(sent(stands, "vote"), []);
    assertEquals(
      sent(bare.stored(), "vote").map(({ term, pre }) => [term, pre]),
      [
        [4, false],
        [4, false],
      ],
    );
  });

  test("restarting the election clock on a refused vote or a stale append", () => {
    const bare = new Bare(held([1, 2]));
    const { electionAtMs } = bare.node;
    bare.wait(electionAtMs - bare.node.clockMs - 10);
    const vote = { kind: "vote", pre: false, transfer: false, lastIndex: 1, lastTerm: 1 } as const;
    bare.receive(2, { ...vote, term: 3 });
    assertEquals(bare.node.term, 3);
    assertEquals(bare.node.vote, 0);
    const append = { kind: "append", prevIndex: 0, prevTerm: 0, commit: 0, entries: [] } as const;
    bare.receive(3, { ...append, term: 1 });
    assertEquals(bare.node.electionAtMs, electionAtMs);
    // A vote that is granted, or the leader itself, does.
    bare.receive(2, { ...vote, term: 4, lastIndex: 2, lastTerm: 2 });
    assertEquals(bare.node.vote, 2);
    assert(bare.node.electionAtMs > electionAtMs);
  });

  test("counting a vote twice, or one of an earlier term", () => {
    const config = { voters: [1, 2, 3, 4, 5], outgoing: [], learners: [] };
    const bare = new Bare(held([1], 1, config));
    bare.wait(600);
    const granted = { kind: "voted", granted: true } as const;
    for (const from of [2, 2, 2]) bare.receive(from, { ...granted, term: 2, pre: true });
    assertEquals(bare.node.term, 1);
    bare.receive(3, { ...granted, term: 2, pre: true });
    assertEquals([bare.node.role, bare.node.term], ["candidate", 2]);
    for (const from of [2, 2, 2]) bare.receive(from, { ...granted, term: 2, pre: false });
    // One that says yes to a question of before, and to no vote.
    bare.receive(3, { ...granted, term: 1, pre: false });
    bare.receive(4, { ...granted, term: 2, pre: true });
    assertEquals(bare.node.role, "candidate");
    bare.receive(3, { ...granted, term: 2, pre: false });
    assertEquals(bare.node.role, "leader");
  });

  test("taking a promise of a vote for a vote, or one for an earlier term for a new one", () => {
    const bare = new Bare(held([1]));
    const granted = { kind: "voted", granted: true } as const;
    bare.wait(600);
    bare.receive(2, { ...granted, term: 2, pre: true });
    assertEquals([bare.node.role, bare.node.term], ["candidate", 2]);
    // It stood for term 2 in vain, and asks whether it should for term 3.
    bare.wait(600);
    bare.receive(2, { ...granted, term: 2, pre: false });
    assertEquals([bare.node.role, bare.node.term], ["candidate", 2]);
    bare.receive(3, { ...granted, term: 2, pre: true });
    assertEquals([bare.node.role, bare.node.term], ["candidate", 2]);
    bare.receive(3, { ...granted, term: 3, pre: true });
    assertEquals([bare.node.role, bare.node.term], ["candidate", 3]);
  });

  test("staying a candidate, or a leader, on a higher term in a reply", () => {
    const bare = new Bare(held([1]));
    bare.wait(600);
    bare.receive(2, { kind: "voted", term: 2, pre: true, granted: true });
    assertEquals(bare.node.role, "candidate");
    bare.receive(3, { kind: "voted", term: 5, pre: false, granted: false });
    assertEquals([bare.node.role, bare.node.term], ["follower", 5]);
    const term = bare.lead();
    bare.receive(3, { kind: "heard", term: term + 1, round: 0 });
    assertEquals([bare.node.role, bare.node.term], ["follower", term + 1]);
  });

  test("letting a removed node win an election", () => {
    // Node 1 is not in the configuration that it knows to be in force: it never stands.
    const config = { voters: [2, 3], outgoing: [], learners: [] };
    const bare = new Bare(held([1], 1, config));
    assertEquals(sent(bare.wait(5000), "vote"), []);
    bare.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    bare.receive(2, { kind: "takeOver", term: 1 });
    assertEquals(bare.node.role, "follower");
    // And while a leader lives nobody helps to replace it, whatever term is asked for.
    const member = new Bare(held([1]));
    member.receive(2, { kind: "heartbeat", term: 1, commit: 0, round: 1 });
    const vote = { kind: "vote", term: 9, transfer: false, lastIndex: 9, lastTerm: 9 } as const;
    assertEquals(sent(member.receive(3, { ...vote, pre: false }), "voted"), []);
    const asked = sent(member.receive(3, { ...vote, pre: true }), "voted");
    assertEquals(
      asked.map(({ granted }) => granted),
      [false],
    );
    assertEquals([member.node.term, member.node.leader], [1, 2]);
  });

  test("voting, or taking entries, without a disk that remembers", () => {
    const nobody = { voters: [], outgoing: [], learners: [] };
    const bare = new Bare(held([], 0, nobody));
    const vote = { kind: "vote", term: 1, pre: false, transfer: false, lastIndex: 9 } as const;
    const effects = bare.receive(2, { ...vote, lastTerm: 9 });
    assertEquals(
      sent(effects, "voted").map(({ granted }) => granted),
      [false],
    );
    const append = { kind: "append", term: 1, prevIndex: 0, prevTerm: 0, commit: 0 } as const;
    const answers = bare.receive(2, { ...append, entries: [entry(1, 1)] });
    assertEquals(
      sent(answers, "refused").map(({ blank }) => blank),
      [true],
    );
    assertEquals(bare.node.log.lastIndex, 0);
    // Nor a snapshot of a group that counts on this node's vote.
    const meta: SnapshotMeta = { index: 0, term: 0, config: THREE, size: 0 };
    bare.receive(2, { kind: "snapshot", term: 1, meta, offset: 0, data: NOTHING });
    assertEquals(bare.node.isBlank, true);
    const config = { voters: [2, 3], outgoing: [], learners: [1] };
    const joining = { ...meta, config };
    bare.receive(2, { kind: "snapshot", term: 1, meta: joining, offset: 0, data: NOTHING });
    assertEquals(bare.node.config, config);
  });
});
