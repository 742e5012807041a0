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

async function server(): Promise<void> {
  const system = await openSystem();
  system.startActor(echo);
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

const ROLES: Record<string, (port: number) => Promise<void>> = {
  "actors-echo-server": server,
  "actors-echo-client": client,
};

if (import.meta.main) await ROLES[process.argv[2] ?? ""]?.(Number(process.argv[3]));
