/**
 * The processes that bench/actors.ts compares with LSP's: two systems of actors, whose messages go
 * back and forth as those of an LSP echo do.
 *
 *   bun run bench/actors_roles.ts ROLE [PORT]
 *
 * @module
 */
import { actorAt, type ActorRef, type MakeActor, openSystem } from "../actors/mod.ts";
import { MESSAGE_BYTES, meter, OUTSTANDING } from "./transport_roles.ts";

/** Messages after which a sink asks for as many more. */
const CREDIT = 1000;

/** Tells everything back to whom it was told first. */
const echo: MakeActor = () => {
  let to: ActorRef | undefined;
  return {
    onMessage(message, context) {
      if (to === undefined) return void (to = message as ActorRef);
      meter.add(1);
      context.tell(to, message);
    },
  };
};

async function server(make: MakeActor): Promise<void> {
  const system = await openSystem();
  system.startActor(make);
  meter.endBySignal();
  console.log(`listening on ${system.address.split(":").at(-1)}`);
}

async function client(port: number): Promise<void> {
  const system = await openSystem();
  const there = actorAt(`127.0.0.1:${port}`, 1);
  system.startActor((context) => {
    context.tell(there, context.self);
    const message = new Uint8Array(MESSAGE_BYTES).fill(0x61);
    for (let i = 0; i < OUTSTANDING; i++) context.tell(there, message);
    return {
      onMessage(one) {
        meter.add(1);
        context.tell(there, one);
      },
    };
  });
  meter.endByClock();
}

/** Counts what it is told, and asks the first who tells for more in time. */
const sink: MakeActor = () => {
  let from: ActorRef | undefined;
  let got = 0;
  return {
    onMessage(message, context) {
      if (from === undefined) return void (from = message as ActorRef);
      meter.add(1);
      if (++got % CREDIT === 0) context.tell(from, CREDIT);
    },
  };
};

async function sinkClient(port: number): Promise<void> {
  const system = await openSystem();
  const there = actorAt(`127.0.0.1:${port}`, 1);
  system.startActor((context) => {
    context.tell(there, context.self);
    const message = new Uint8Array(MESSAGE_BYTES).fill(0x61);
    const tell = (messages: number): void => {
      for (let i = 0; i < messages; i++) context.tell(there, message);
      meter.add(messages);
    };
    tell(4 * CREDIT);
    return { onMessage: (messages) => tell(messages as number) };
  });
  meter.endByClock();
}

const ROLES: Record<string, (port: number) => Promise<void>> = {
  "actors-echo-server": () => server(echo),
  "actors-echo-client": client,
  "actors-sink-server": () => server(sink),
  "actors-sink-client": sinkClient,
};

if (import.meta.main) await ROLES[process.argv[2] ?? ""]?.(Number(process.argv[3]));
