/** Systems of actors on real sockets: two machines, mailboxes, replies, watching, one port. */
import { describe, test } from "bun:test";
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  ACTORS_VERSION,
  type ActorRef,
  type ActorSystem,
  actorAt,
  type MakeActor,
  MailboxCore,
  type Message,
  openSystem,
  type OpenSystemOptions,
} from "../../actors/mod.ts";
import { connect, listen, type LspServer } from "../../lsp/mod.ts";
import { until, within } from "../support/waiting.ts";

/** Adds what it is told, and gives the sum to whom it is told. */
const adder: MakeActor = () => {
  let sum = 0;
  return {
    whenThrown: "restart",
    onMessage(message, context) {
      const { add, to } = message as { add: number; to: ActorRef };
      if (Number.isNaN(add)) throw new Error("not a number");
      sum += add;
      context.tell(to, sum);
    },
  };
};

/** Opens systems, and closes them whatever `run` does. */
async function withSystems(
  options: readonly OpenSystemOptions[],
  run: (...systems: ActorSystem[]) => Promise<void>,
): Promise<void> {
  const systems: ActorSystem[] = [];
  try {
    for (const one of options) systems.push(await openSystem(one));
    await run(...systems);
  } finally {
    await within("systems to close", Promise.all(systems.map((one) => one.close())));
  }
}

/** What an actor answers, on whichever system it is. */
async function asked(by: ActorSystem, to: ActorRef, add: number): Promise<Message> {
  const reply = by.openReply();
  by.tell(to, { add, to: reply.ref });
  return within("a reply", reply.promise);
}

const quiet = (): void => {};

/** Reads a listener that a system shares with others, until it is closed. */
async function serveShared(
  listener: LspServer,
  system: () => ActorSystem | undefined,
  other: (connId: number, payload: Uint8Array) => void,
): Promise<void> {
  for (;;) {
    try {
      const { connId, payload } = await listener.read();
      if (system()?.takes(connId, payload) !== true) other(connId, payload);
    } catch (error) {
      const { connId } = error as { connId?: number };
      if (connId === undefined) return;
      system()?.lost(connId);
    }
  }
}

describe("openSystem", () => {
  test("two systems: actors are told and answer, throw and are restarted", () => {
    const errors: unknown[] = [];
    const onError = (error: unknown): void => void errors.push((error as Error).message);
    return withSystems([{}, { onError }], async (a, b) => {
      const counter = b!.startActor(adder);
      assertEquals(counter.address, b!.address);
      assertEquals(await asked(a!, counter, 2), 2);
      assertEquals(await asked(a!, counter, 3), 5);
      a!.tell(counter, { add: NaN });
      assertEquals(await asked(a!, counter, 1), 1);
      assertEquals(await asked(b!, counter, 1), 2);
      assertEquals(errors, ["not a number"]);
      const { sent, sentRemote, bytesOut } = a!.stats();
      assertEquals([sent, sentRemote], [4, 4]);
      assert(bytesOut > 0 && b!.stats().bytesIn === bytesOut);
    });
  });

  test("a well-known actor is found by address and number", () =>
    withSystems([{}, {}], async (a, b) => {
      b!.startActor(adder);
      assertEquals(await asked(a!, actorAt(b!.address, 1), 7), 7);
    }));

  test("many messages arrive in order, more than a connection takes at once", () =>
    withSystems(
      [{ limits: { underWayBytesMax: 4096, queueBytesMax: 64 << 20 } }, {}],
      async (a, b) => {
        const { ref, mailbox } = counted(b!);
        const count = 5000;
        for (let i = 0; i < count; i++) a!.tell(ref, { i, pad: "x".repeat(i % 200) });
        const got: number[] = [];
        while (got.length < count) {
          const { value } = await within("a message", mailbox.pop());
          got.push((value as { i: number }).i);
        }
        assertEquals(got, [...Array(count).keys()]);
      },
    ));

  test("tellAfter tells later, in the order of times", () =>
    withSystems([{}], async (a) => {
      const mailbox = a!.openMailbox();
      a!.tellAfter(mailbox.ref, "later", 20);
      a!.tellAfter(mailbox.ref, "soon", 1);
      mailbox.push("now");
      const got: Message[] = [];
      for (let i = 0; i < 3; i++) got.push((await within("a message", mailbox.pop())).value);
      assertEquals(got, ["now", "soon", "later"]);
    }));

  test("gone says when an actor stopped, and when its machine did", () =>
    withSystems([{}, {}], async (a, b) => {
      const [first, second] = [b!.startActor(adder), b!.startActor(adder)];
      const gone = [first, second, actorAt(b!.address, 99)].map((ref) => a!.gone(ref));
      assertEquals(await within("what is unknown", gone[2]!), "unknown");
      b!.stop(first);
      assertEquals(await within("one that stopped", gone[0]!), "stopped");
      await b!.close();
      assertEquals(await within("one whose system was closed", gone[1]!), "stopped");
    }));

  test("a system that was started again is another life: old references are not for it", async () => {
    const appVersion = 3;
    await using listener = await listen({ port: 0, appVersion });
    let present: ActorSystem | undefined = await openSystem({ listener, appVersion });
    const read = serveShared(
      listener,
      () => present,
      () => {},
    );
    await withSystems([{ appVersion }], async (a) => {
      const old = present!.startActor(adder);
      assertEquals(await asked(a!, old, 1), 1);
      const gone = a!.gone(old);
      assertEquals(await asked(a!, old, 1), 2);
      const first = present!;
      present = undefined;
      await first.close();
      assertEquals(await within("the first life to be gone", gone), "stopped");
      // What is told to a connection that is about to end is lost with it.
      await until("the connection to be gone", () => a!.stats().connections === 0);
      present = await openSystem({ listener, appVersion });
      const mailbox = present.openMailbox();
      assertEquals([mailbox.ref.counter, mailbox.ref.address], [old.counter, old.address]);
      a!.tell(old, "for the first");
      a!.tell(actorAt(present.address, mailbox.ref.counter), "for any");
      assertEquals((await within("a message", mailbox.pop())).value, "for any");
      assertEquals(a!.stats().dropped.stale, 1);
    });
    await present.close();
    await listener.close();
    await within("the reader to end", read);
  });

  test("an error in onError does not stop the actors; without one a line goes to stderr", () =>
    withSystems([{ onError: quiet }], async (a) => {
      const counter = a!.startActor(adder);
      a!.tell(counter, { add: NaN });
      assertEquals(await asked(a!, counter, 4), 4);
    }));

  test("bad options are refused before anything is opened", async () => {
    const bad: readonly [OpenSystemOptions, RegExp][] = [
      [{ port: -1 }, /port/],
      [{ host: "0.0.0.0" }, /give advertise/],
      [{ advertise: "" }, /advertise/],
      [{ limits: { queueBytesMax: 0 } }, /queueBytesMax/],
    ];
    for (const [options, text] of bad) {
      const error = await assertRejects(() => openSystem(options), Error);
      assert(text.test(error.message), error.message);
    }
  });

  test("after close tells are ignored, and nothing can be started", async () => {
    const system = await openSystem();
    const [counter, mailbox, reply] = [
      system.startActor(adder),
      system.openMailbox(),
      system.openReply(),
    ];
    const pop = mailbox.pop();
    await system.close();
    await system.close();
    system.tell(counter, 1);
    assertEquals((await pop).done, true);
    await assertRejects(() => reply.promise, Error, "closed");
    assertThrows(() => system.startActor(adder), Error, "closed");
    assertThrows(() => system.openMailbox(), Error, "closed");
  });
});

describe("a mailbox", () => {
  test("first in, first out; who waits first is served first", () =>
    withSystems([{}], async (a) => {
      const mailbox = a!.openMailbox();
      const waiting = [mailbox.pop(), mailbox.pop()];
      for (const message of [1, undefined, 3, 4]) mailbox.push(message);
      const got = await Promise.all([...waiting, mailbox.pop(), mailbox.pop()]);
      assertEquals(
        got.map(({ value }) => value),
        [1, undefined, 3, 4],
      );
      assertEquals(
        got.map(({ done }) => done),
        [false, false, false, false],
      );
    }));

  test("after close every pop ends at once, though messages wait, and push is ignored", () =>
    withSystems([{}], async (a) => {
      const mailbox = a!.openMailbox();
      const waiting = [mailbox.pop(), mailbox.pop()];
      mailbox.close();
      assertEquals(
        (await Promise.all(waiting)).map(({ done }) => done),
        [true, true],
      );
      const other = a!.openMailbox();
      other.push(1);
      other.close();
      other.close();
      other.push(2);
      assertEquals([await other.pop(), other.isClosed], [{ done: true, value: undefined }, true]);
    }));

  test("is read by a loop, until it is closed", () =>
    withSystems([{}], async (a) => {
      const mailbox = a!.openMailbox();
      for (const message of ["a", "b", "end", "never"]) mailbox.push(message);
      const got: Message[] = [];
      for await (const message of mailbox) {
        got.push(message);
        if (message === "end") mailbox.close();
      }
      assertEquals(got, ["a", "b", "end"]);
    }));

  test("hands its messages over as they come, to one who asks for that, until it is closed", () =>
    withSystems([{}, {}], async (a, b) => {
      const got: Message[] = [];
      const isThere = Promise.withResolvers<void>();
      const mailbox = a!.openMailbox((message) => {
        got.push(message);
        if (message === "close") mailbox.close();
        if (message === "last") isThere.resolve();
      });
      for (const message of [1, undefined, 3, "last"]) b!.tell(mailbox.ref, message);
      await within("the last", isThere.promise);
      assertEquals(got, [1, undefined, 3, "last"]);
      for (const message of ["close", "never"]) mailbox.push(message);
      const behind = a!.openReply();
      a!.tell(behind.ref, 0);
      await within("what was told behind", behind.promise);
      assertEquals([got.at(-1), mailbox.isClosed], ["close", true]);
    }));

  test("its core: what was closed is empty and takes nothing", () => {
    const core = new MailboxCore<number>();
    assertEquals([core.push(1), core.push(2), core.take(), core.length], [true, true, 1, 1]);
    core.close();
    assertEquals(
      [core.push(3), core.take(), core.length, core.isClosed],
      [false, undefined, 0, true],
    );
  });
});

describe("a reply", () => {
  test("is the first message only; it can be called off", () =>
    withSystems([{}], async (a) => {
      const [reply, other] = [a!.openReply(), a!.openReply()];
      for (const message of ["first", "second"]) a!.tell(reply.ref, message);
      assertEquals(await reply.promise, "first");
      reply.cancel();
      other.cancel();
      await assertRejects(() => other.promise, Error, "cancelled");
      a!.tell(other.ref, "late");
      await until("late messages to be counted", () => a!.stats().dropped.noActor === 2);
    }));
});

describe("a shared listener", () => {
  test("a system and another protocol on one port", async () => {
    const appVersion = 3;
    await using listener = await listen({ port: 0, appVersion });
    await using system = await openSystem({ listener, appVersion });
    const counter = system.startActor(adder);
    const others: string[] = [];
    const read = serveShared(
      listener,
      () => system,
      (connId, payload) => {
        others.push(new TextDecoder().decode(payload));
        listener.write(connId, payload);
      },
    );
    await withSystems([{ appVersion }], async (a) => {
      assertEquals(await asked(a!, counter, 5), 5);
      await using client = await connect({ host: "127.0.0.1", port: listener.port, appVersion });
      client.write(new TextEncoder().encode("hello"));
      await within("an echo", client.read());
      assertEquals(others, ["hello"]);
      assertEquals(await asked(a!, counter, 5), 10);
    });
    await system.close();
    await listener.close();
    await within("the reader to end", read);
  });

  test("a stranger on a port of a system's own is sent away", () =>
    withSystems([{}], async (a) => {
      const [host, port] = a!.address.split(":");
      const client = await connect({ host: host!, port: Number(port), appVersion: ACTORS_VERSION });
      client.write(new TextEncoder().encode("hello"));
      await assertRejects(() => within("the end", client.read()), Error, "closed");
      await client.close();
    }));
});

/** A mailbox and its reference. */
function counted(system: ActorSystem): {
  ref: ActorRef;
  mailbox: ReturnType<ActorSystem["openMailbox"]>;
} {
  const mailbox = system.openMailbox();
  return { ref: mailbox.ref, mailbox };
}
