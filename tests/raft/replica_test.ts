/** Nodes on real sockets: commands, reads, sessions, and what outlives a restart. */
import { describe } from "bun:test";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { freePorts } from "../../bench/processes.ts";
import { OptionError } from "../../base/options.ts";
import { connect, ConnectRefused, listen } from "../../lsp/mod.ts";
import { decodeFrame } from "../../raft/greeting.ts";
import { openReplica, ReplicaError, SessionError } from "../../raft/mod.ts";
import { eventually, within } from "../support/waiting.ts";
import { sideBySide } from "../support/side_by_side.ts";
import { Cluster, Counter, sumIn } from "./cluster.ts";

/** Most of it is waiting. */
const test = sideBySide();

for (const isDurable of [false, true]) {
  const where = isDurable ? "on disks" : "in memory";
  describe(`a cluster ${where}`, () => {
    test("of one node founds itself, and answers", async () => {
      await using cluster = await Cluster.of(1, isDurable);
      const { replica, counter } = await cluster.open(1);
      await cluster.leader();
      assertEquals(sumIn(await replica.submit(Uint8Array.of(3))), 3);
      assertEquals(await cluster.add(4), 7);
      await replica.read();
      assertEquals(counter.sum, 7);
      const { role, members, addresses } = replica.status();
      assertEquals([role, members.voters, addresses[1]], ["leader", [1], replica.address]);
    });

    test("of three agrees, and followers read what was written", async () => {
      await using cluster = await Cluster.of(3, isDurable);
      await cluster.openAll();
      const { replica: leader } = await cluster.leader();
      const many = Array.from({ length: 300 }, () => leader.submit(Uint8Array.of(1)));
      const sums = (await Promise.all(many)).map(sumIn);
      assertEquals(
        sums,
        Array.from({ length: 300 }, (_, i) => i + 1),
      );
      for (const { replica, counter } of cluster.nodes.values()) {
        await replica.read();
        assertEquals(counter.sum, 300);
      }
    });

    test("a follower refuses a command and says who leads, and where", async () => {
      await using cluster = await Cluster.of(3, isDurable);
      await cluster.openAll();
      const { replica: leader } = await cluster.leader();
      const { replica } = cluster.at((leader.node % 3) + 1);
      const error = await assertRejects(() => replica.submit(Uint8Array.of(1)), ReplicaError);
      assertEquals([error.code, error.leader], ["not leader", leader.node]);
      assertEquals(error.leaderAddress, cluster.members.get(leader.node)!);
      assertStringIncludes(error.message, `node ${leader.node} at 127.0.0.1:`);
    });

    test("a leader that closes hands the lead over, and nobody has to miss it", async () => {
      await using cluster = await Cluster.of(3, isDurable);
      await cluster.openAll();
      await cluster.add(5);
      const { replica: old } = await cluster.leader();
      const { term } = old.status();
      await cluster.close(old.node);
      const { replica: heir } = await cluster.leader();
      assertEquals(heir.status().term, term + 1);
      assertEquals(await cluster.add(1), 6);
    });
  });
}

describe("a session", () => {
  test("has a request carried out once, whichever leader it is sent to again", async () => {
    await using cluster = await Cluster.of(3, false);
    await cluster.openAll();
    const { replica: first } = await cluster.leader();
    const session = await first.openSession();
    const ask = (replica: typeof first, number: number): Promise<number> =>
      replica.request(session, number, number, Uint8Array.of(10)).then(sumIn);
    assertEquals(await ask(first, 1), 10);
    await cluster.close(first.node);
    const { replica: second } = await cluster.leader();
    assertEquals(await ask(second, 1), 10);
    assertEquals(await ask(second, 2), 20);
    const error = await assertRejects(() => ask(second, 4), SessionError);
    assertEquals(error.code, "out of order");
    await second.endSessions([session]);
    const ended = await assertRejects(() => ask(second, 3), SessionError);
    assertEquals(ended.code, "unknown session");
  });

  test("that is idle is ended by the leader, on every node", async () => {
    await using cluster = await Cluster.of(1, false);
    const { replica } = await cluster.open(1, { sessionIdleMs: 50 });
    await cluster.leader();
    await replica.openSession();
    await eventually("the end of the session", () => replica.status().sessions === 0);
  });
});

describe("a directory", () => {
  test("keeps everything through restarts, and snapshots stand for the log", async () => {
    await using cluster = await Cluster.of(1, true);
    for (let life = 0; life < 3; life++) {
      const { replica } = await cluster.open(1, { snapshotBytes: 2000 });
      const { replica: leader } = await cluster.leader();
      assertEquals(leader, replica);
      for (let i = 0; i < 100; i++) await replica.submit(Uint8Array.of(1));
      const { snapshotIndex } = replica.status();
      assert(snapshotIndex > 100 * life, `a snapshot at ${snapshotIndex}`);
      await cluster.close(1);
    }
    await cluster.open(1);
    assertEquals(await cluster.add(0), 300);
  });

  test("of three nodes is found again by all of them, and sessions with it", async () => {
    await using cluster = await Cluster.of(3, true);
    await cluster.openAll();
    const { replica } = await cluster.leader();
    const session = await replica.openSession();
    await replica.request(session, 1, 1, Uint8Array.of(9));
    const { cluster: name } = replica.status();
    await Promise.all([1, 2, 3].map((node) => cluster.close(node)));
    await cluster.openAll();
    const { replica: next } = await cluster.leader();
    assertEquals(next.status().cluster, name);
    assertEquals(sumIn(await next.request(session, 1, 1, Uint8Array.of(9))), 9);
  });

  test("of another node, or in use, is refused by one line, and nothing is lost", async () => {
    await using cluster = await Cluster.of(1, true);
    const directory = `${cluster.directory}/1`;
    await cluster.open(1);
    await cluster.add(8);
    const again = { group: "counter", machine: new Counter(), directory };
    const inUse = await assertRejects(() => openReplica(again), Error);
    assertEquals([inUse.name, (inUse as { code?: string }).code], ["DiskError", "LOCKED"]);
    await cluster.close(1);
    for (const other of [{ node: 2 }, { group: "other" }]) {
      const error = await assertRejects(() => openReplica({ ...again, ...other }), Error);
      assertEquals((error as { code?: string }).code, "FOREIGN");
      assert(!error.message.includes("\n"));
    }
    await cluster.open(1);
    assertEquals(await cluster.add(0), 8);
  });
});

describe("a shared listener", () => {
  test("serves strangers and nodes on one port", async () => {
    const ports = await freePorts(3);
    const members = new Map(ports.map((port, i) => [i + 1, `127.0.0.1:${port}`] as const));
    const heard: string[] = [];
    const all = await Promise.all(
      ports.map(async (port, i) => {
        const listener = await listen({ port });
        const options = { group: "shared", node: i + 1, members, listener };
        const replica = await openReplica({ ...options, machine: new Counter() });
        const serve = async (): Promise<void> => {
          for (;;) {
            try {
              const { connId, payload } = await listener.read();
              if (replica.takes(connId, payload)) continue;
              heard.push(new TextDecoder().decode(payload));
              listener.write(connId, payload);
            } catch (error) {
              const { connId } = error as { connId?: number };
              if (connId === undefined) return;
              replica.gone(connId);
            }
          }
        };
        return { listener, replica, served: serve() };
      }),
    );
    const leading = (): (typeof all)[number] | undefined =>
      all.find(({ replica }) => replica.status().role === "leader");
    await eventually("a leader", () => leading() !== undefined);
    const client = await connect({ host: "127.0.0.1", port: ports[2]! });
    client.write(new TextEncoder().encode("hello"));
    const { replica } = leading()!;
    assertEquals(sumIn(await replica.submit(Uint8Array.of(2))), 2);
    assertEquals(new TextDecoder().decode(await client.read()), "hello");
    await client.close();
    await Promise.all(all.map((one) => one.replica.close()));
    await Promise.all(all.map(({ listener }) => listener.close()));
    await within("the listeners", Promise.all(all.map(({ served }) => served)));
    assertEquals(heard, ["hello"]);
  });
});

describe("from the wire nothing ends a node", () => {
  test("strangers, other groups and other clusters are refused, counted, and told once", async () => {
    await using cluster = await Cluster.of(1, false);
    const { replica, log } = await cluster.open(1);
    await cluster.leader();
    const { port } = replica;
    const garbage = await connect({ host: "127.0.0.1", port });
    garbage.write(Uint8Array.of(0x82, 0x18, 240, 9));
    const refusal = decodeFrame(await garbage.read());
    assert(typeof refusal === "object" && refusal.kind === "refuse");
    await garbage.close();
    const lone = await openReplica({
      group: "other",
      machine: new Counter(),
      node: 7,
      join: `127.0.0.1:${port}`,
    });
    const isToldOf = (text: string): boolean => log.some((line) => line.includes(text));
    await eventually("the other group's refusal", () => isToldOf('it is a node of "other"'));
    await eventually("the other version's refusal", () => isToldOf("speaks version 9"));
    await lone.close();
    assert((replica.status().rejected["refused"] ?? 0) >= 2);
    assertEquals(await cluster.add(1), 1);
  });

  test("is for cbor peers alone, and has no more members than can be kept", async () => {
    const alone = { group: "counter", machine: new Counter() };
    const members = new Map(Array.from({ length: 17 }, (_, i) => [i + 1, `127.0.0.1:${i + 1}`]));
    const error = await assertRejects(() => openReplica({ ...alone, members }), OptionError);
    assertEquals(error.message, "Cannot use members: got 17, expected an integer 1..16");
    const replica = await openReplica(alone);
    const params = { epochMillis: 20, epochLimit: 3 };
    const at = { host: "127.0.0.1", port: replica.port, wire: "json", params } as const;
    await assertRejects(() => connect(at), ConnectRefused);
    await replica.close();
  });
});
