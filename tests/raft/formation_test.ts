/** How clusters begin, grow, shrink, lose disks and are forced on (docs/raft.md, clusters). */
import { describe } from "bun:test";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { rmSync } from "node:fs";
import { ReplicaError } from "../../raft/mod.ts";
import { eventually, within } from "../support/waiting.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { Cluster } from "./cluster.ts";

/** Most of it is waiting. */
const test = sideBySide();

/** The line with which a node was told to end. */
async function reasonOf(closed: Promise<void>): Promise<string> {
  const error = await within(
    "the node's end",
    assertRejects(() => closed, Error),
  );
  return error.message;
}

describe("a cluster is made once", () => {
  test("when every member has said that its directory is empty, and not before", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.open(1);
    await cluster.open(2);
    await eventually("two that know each other", () => {
      return cluster.at(1).replica.status().connected.length === 1;
    });
    for (const node of [1, 2]) {
      const { cluster: name, isReady, term } = cluster.at(node).replica.status();
      assertEquals([name, isReady, term], ["", false, 0]);
      await cluster.logged(node, "its directory is empty: it waits for the other members");
    }
    const { replica } = cluster.at(1);
    const error = await assertRejects(() => replica.submit(Uint8Array.of(1)), Error);
    assertEquals(error.message, "this node is of no cluster yet");
    await cluster.open(3);
    assertEquals(await cluster.add(4), 4);
  });

  test("by a node that is told to, which the others then follow", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.open(2, { bootstrap: true });
    await cluster.open(3);
    assertEquals(await cluster.add(4), 4);
    await cluster.open(1);
    await eventually("all three", () => cluster.at(1).replica.status().isReady);
    assertEquals(await cluster.add(1), 5);
  });

  test("members that were started with others are told so, and nothing is made", async () => {
    await using cluster = await Cluster.of(2, false);
    await cluster.open(1);
    const members = new Map([...cluster.members, [9, "127.0.0.1:9"] as const]);
    await cluster.open(2, { members });
    await cluster.logged(1, "node 2 was started with members 1,2,9, this one with 1,2");
    assertEquals(cluster.at(1).replica.status().cluster, "");
  });

  test("after that the configuration in the log counts: other members get one line", async () => {
    await using cluster = await Cluster.of(1, true);
    await cluster.open(1);
    await cluster.add(2);
    await cluster.close(1);
    const members = new Map([...cluster.members, [2, "127.0.0.1:2"] as const]);
    await cluster.open(1, { members });
    await cluster.logged(1, "started with members 1,2, but the log says 1: that counts");
    assertEquals(await cluster.add(1), 3);
  });
});

describe("members", () => {
  test("grow from one to three and back, under load, and nothing is lost", async () => {
    await using cluster = await Cluster.of(3, true);
    const alone = new Map([[1, cluster.members.get(1)!]]);
    const { replica: first } = await cluster.open(1, { members: alone });
    await cluster.leader();
    // On a busy machine the lead may be lost meanwhile: through a session nothing is done twice.
    const session = await first.openSession();
    let sent = 0;
    let isOver = false;
    const load = (async () => {
      while (!isOver) {
        const { replica } = await cluster.leader();
        try {
          await replica.request(session, sent + 1, sent + 1, Uint8Array.of(1));
          sent++;
        } catch (error) {
          if (!(error instanceof ReplicaError)) throw error;
        }
      }
    })();
    load.catch(() => {}); // one that is begun anew leaves it behind
    const join = cluster.members.get(1)!;
    for (const node of [2, 3]) {
      const { replica } = await cluster.open(node, { join });
      await eventually(`node ${node} as a voter`, () => {
        return replica.status().members.voters.includes(node);
      });
    }
    await eventually("three voters", () => first.status().members.voters.length === 3);
    const before = sent;
    await eventually("some commands more", () => sent > before + 20);
    await cluster.change([1, 2]);
    await cluster.change([1]);
    isOver = true;
    await load;
    await eventually("one voter", () => {
      const { voters, outgoing, learners } = first.status().members;
      return voters.join() === "1" && outgoing.length + learners.length === 0;
    });
    await cluster.close(2);
    await cluster.close(3);
    assertEquals(await cluster.add(0), sent);
    await cluster.close(1);
    await cluster.open(1, { members: alone });
    assertEquals(await cluster.add(0), sent);
  });

  test("one that lost its disk stays out, and comes back under a new number", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.openAll();
    await cluster.add(6);
    await cluster.close(3);
    rmSync(`${cluster.directory}/3`, { recursive: true });
    await cluster.open(3);
    await cluster.logged(3, "this directory is empty: unless");
    assertEquals(cluster.at(3).replica.status().isReady, false);
    await cluster.close(3);
    const { replica: leader } = await cluster.leader();
    const join = cluster.members.get(leader.node)!;
    const { replica, counter } = await cluster.open(4, { join });
    await eventually("node 4 as a voter", () => replica.status().members.voters.includes(4));
    await cluster.change([1, 2, 4]);
    assertEquals(await cluster.add(1), 7);
    await replica.read();
    assertEquals(counter.sum, 7);
  });

  test("a number that was used before is refused by one line", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.openAll();
    await cluster.leader();
    await cluster.close(3);
    const { replica: leader } = await cluster.leader();
    const join = cluster.members.get(leader.node)!;
    const { replica } = await cluster.open(3, { join, directory: `${cluster.directory}/new` });
    assert((await reasonOf(replica.closed)).startsWith("number 3 was used before"));
  });

  test("a node asked to join that does not lead says who does", async () => {
    await using cluster = await Cluster.of(3, false);
    await cluster.openAll();
    const { replica: leader } = await cluster.leader();
    const follower = (leader.node % 3) + 1;
    const { replica } = await cluster.open(8, { join: cluster.members.get(follower)! });
    await eventually("node 8 as a voter", () => replica.status().members.voters.includes(8));
  });

  test("a node that is brought up gets a large snapshot, in pieces", async () => {
    await using cluster = await Cluster.of(1, true);
    const { replica, counter } = await cluster.open(1, { params: { trailingEntries: 1 } });
    await cluster.leader();
    counter.padding = 3 << 20;
    for (let i = 0; i < 30; i++) await replica.submit(Uint8Array.of(1));
    replica.snapshot();
    await eventually("the snapshot", () => replica.status().snapshotIndex > 0);
    const join = cluster.members.get(1)!;
    const { replica: second, counter: copy } = await cluster.open(2, { join });
    await eventually("node 2 as a voter", () => second.status().members.voters.includes(2));
    await second.read();
    assertEquals([copy.sum, copy.padding], [30, 3 << 20]);
    await cluster.close(2);
    await cluster.open(2, { join });
    await eventually("node 2 again", () => cluster.at(2).replica.status().applied > 30);
    assertEquals(cluster.at(2).counter.padding, 3 << 20);
  });
});

describe("a majority that is lost", () => {
  test("means that nothing goes on, but by force with the directory that is left", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.openAll();
    const { replica: leader } = await cluster.leader();
    await cluster.add(11);
    const session = await leader.openSession();
    const survivor = leader.node;
    const lost = [1, 2, 3].filter((node) => node !== survivor);
    for (const node of lost) {
      await cluster.close(node);
      rmSync(`${cluster.directory}/${node}`, { recursive: true });
    }
    await cluster.open(lost[0]!);
    await cluster.open(lost[1]!);
    await cluster.logged(lost[0]!, "this directory is empty: unless");
    await eventually("the leader's end", () => leader.status().role !== "leader");
    await Promise.all(lost.map((node) => cluster.close(node)));
    await cluster.close(survivor);
    const members = new Map([[survivor, cluster.members.get(survivor)!]]);
    const { replica } = await cluster.open(survivor, { members, forceNewCluster: true });
    await cluster.logged(survivor, "goes on alone, as the new cluster");
    await cluster.leader();
    assertEquals(replica.status().members.voters, [survivor]);
    assertEquals(await cluster.add(1), 12);
    assertEquals(replica.status().sessions, 1);
    await replica.request(session, 1, 1, Uint8Array.of(1));
    // Once is enough: it is started as any other from then on.
    await cluster.close(survivor);
    await cluster.open(survivor, { members });
    assertEquals(await cluster.add(0), 13);
  });

  test("is not forced on with a directory that holds no cluster", async () => {
    await using cluster = await Cluster.of(1, true);
    const error = await assertRejects(() => cluster.open(1, { forceNewCluster: true }), Error);
    assert(error.message.endsWith("it holds no cluster that could be gone on with"));
  });
});
