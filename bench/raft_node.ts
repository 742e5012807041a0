/**
 * A node of a replicated state machine as a process: for the benchmark of Raft, and for tests that
 * kill it. `raft_node.ts NODE MEMBERS [DIRECTORY]`, where MEMBERS is `1=HOST:PORT,2=HOST:PORT,…`.
 *
 * It serves clients and its peers on one LSP listener. A request is its kind, a number that comes
 * back, and what belongs to it; the answer is that number, whether it is done, the number of the
 * node that leads, or 0, and a value: what came of it, or the reason.
 *
 * @module
 */
import { byteString, bytesOf, ByteReader, ByteWriter } from "../base/byte_fields.ts";
import type { StateMachine } from "../base/mod.ts";
import { listen, type LspServer } from "../lsp/mod.ts";
import { openReplica, type Replica, SessionError } from "../raft/mod.ts";

/** Kinds of requests; a ping is answered at once, a snapshot is taken and not waited for. */
export const NodeRequest = {
  open: 1,
  request: 2,
  submit: 3,
  read: 4,
  dump: 5,
  ping: 6,
  snapshot: 7,
} as const;

const COMMAND_BYTES_MAX = 60_000;
const VALUE_BYTES_MAX = 1 << 20;

/** What a node answers with: a number, bytes, or a text of ASCII. */
export type NodeValue = number | string | Uint8Array;

/** What a node answered. */
export interface Reply {
  readonly id: number;
  readonly isOk: boolean;
  readonly leader: number;
  readonly value: NodeValue;
}

/** A request: numbers come before the command. */
export function encodeRequest(
  kind: number,
  id: number,
  rest: readonly (number | Uint8Array)[],
): Uint8Array {
  const fields = new ByteWriter().byte(kind).uint(id);
  for (const one of rest) {
    if (typeof one === "number") fields.uint(one);
    else fields.blob(one);
  }
  return fields.taken();
}

function encodeReply({ id, isOk, leader, value }: Reply): Uint8Array {
  const fields = new ByteWriter().uint(id).flag(isOk).uint(leader);
  if (typeof value === "number") return fields.byte(0).uint(value).taken();
  if (typeof value === "string") return fields.byte(1).blob(bytesOf(value)).taken();
  return fields.byte(2).blob(value).taken();
}

/** The answer that `payload` is. */
export function decodeReply(payload: Uint8Array): Reply {
  const fields = new ByteReader(payload);
  const [id, isOk, leader, type] = [fields.uint(), fields.flag(), fields.uint(), fields.byte(2)];
  if (type === 0) return { id, isOk, leader, value: fields.uint() };
  const bytes = fields.view(VALUE_BYTES_MAX);
  return { id, isOk, leader, value: type === 1 ? byteString(bytes) : bytes };
}

/** What a benchmark sets: numbers, in the environment of a node. */
const setting = (name: string, otherwise: number): number =>
  Number(process.env[`RAFT_NODE_${name}`] ?? otherwise);

/** Counts its commands, and nothing else: what a benchmark needs. */
class Count implements StateMachine {
  #count = 0;
  /** Bytes of its snapshots. */
  readonly #stateBytes = setting("STATE_BYTES", 8);

  apply(): Uint8Array {
    const count = ++this.#count;
    return Uint8Array.of(count >>> 24, count >>> 16, count >>> 8, count);
  }

  snapshot(): Uint8Array {
    const bytes = new Uint8Array(this.#stateBytes);
    new DataView(bytes.buffer).setFloat64(0, this.#count);
    return bytes;
  }

  restore(bytes: Uint8Array): void {
    this.#count = new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
  }
}

/** Runs a node as its arguments say, until the process is killed or told to end. */
export async function runNode(args: readonly string[], machine: StateMachine): Promise<void> {
  const [number, list, directory] = args;
  const members = new Map<number, string>();
  for (const part of list!.split(",")) {
    const [id, address] = part.split("=");
    members.set(Number(id), address!);
  }
  const node = Number(number);
  const port = Number(members.get(node)!.split(":")[1]);
  const listener = await listen({ port });
  const snapshotBytes = setting("SNAPSHOT_BYTES", 16 << 20);
  const params = { trailingEntries: setting("TRAILING_ENTRIES", 4096) };
  const options = { group: "bench", node, members, directory, listener, snapshotBytes, params };
  const replica = await openReplica({
    ...options,
    machine,
    log: (text) => console.error(text),
    onRole: (role, term, leader) => console.error(`role ${role} ${term} ${leader}`),
  });
  replica.closed.catch((error: Error) => {
    console.error(error.message);
    process.exit(1);
  });
  process.on("SIGTERM", () => {
    void replica
      .close()
      .then(() => listener.close())
      .then(() => process.exit(0));
  });
  console.log(`ready ${port}`);
  await serve(listener, replica, machine);
}

async function serve(listener: LspServer, replica: Replica, machine: StateMachine): Promise<void> {
  for (;;) {
    try {
      for (let next = await listener.read(); ;) {
        const { connId, payload } = next;
        if (!replica.takes(connId, payload)) answer(listener, replica, machine, connId, payload);
        const more = listener.tryRead();
        if (more === undefined) break;
        next = more;
      }
    } catch (error) {
      const { connId } = error as { connId?: number };
      if (connId === undefined) return;
      replica.gone(connId);
    }
  }
}

function answer(
  listener: LspServer,
  replica: Replica,
  machine: StateMachine,
  connId: number,
  payload: Uint8Array,
): void {
  const fields = new ByteReader(payload);
  const [kind, id] = [fields.byte(), fields.uint()];
  const say = (isOk: boolean, value: NodeValue): void => {
    try {
      const reply = { id, isOk, leader: replica.leader.node, value };
      listener.write(connId, encodeReply(reply));
    } catch {
      // Who asked is gone.
    }
  };
  const tell = (promise: Promise<NodeValue | void>): void => {
    promise.then(
      (value) => say(true, value ?? 0),
      (error: Error & { code?: string }) => {
        say(false, error instanceof SessionError ? `session: ${error.code}` : String(error.code));
      },
    );
  };
  if (kind === NodeRequest.open) tell(replica.openSession());
  else if (kind === NodeRequest.submit) tell(replica.submit(fields.view(COMMAND_BYTES_MAX)));
  else if (kind === NodeRequest.ping) say(true, 0);
  else if (kind === NodeRequest.snapshot) tell(Promise.resolve(replica.snapshot()));
  else if (kind === NodeRequest.read) tell(replica.read());
  else if (kind === NodeRequest.dump) tell(replica.read().then(() => machine.snapshot()));
  else if (kind === NodeRequest.request) {
    const [session, number, lowest] = [fields.uint(), fields.uint(), fields.uint()];
    tell(replica.request(session, number, lowest, fields.view(COMMAND_BYTES_MAX)));
  }
}

if (import.meta.main) await runNode(process.argv.slice(2), new Count());
