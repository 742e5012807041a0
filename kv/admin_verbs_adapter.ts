/**
 * `kv.ts status`, `member` and `transfer`: how a cluster stands, who belongs to it, who leads.
 *
 * @module
 */
import { UsageError } from "../run/errors.ts";
import { seconds, wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { type Row, rowsText } from "../run/rows.ts";
import type { CommandLine, Flag } from "../run/args.ts";
import { printLine, SERVERS, serversOf } from "../run/verb_values.ts";
import { EXIT_UNKNOWN, type Verb, type Verbs } from "../run/verbs.ts";
import type { StoreError } from "./errors.ts";
import { openStore } from "./open_adapter.ts";
import { KV_PORT } from "./client_adapter.ts";
import { CLIENT_FLAGS, say, withStore } from "./verb_adapter.ts";

/** A server that says nothing for this long is called silent. */
const STATUS_MS = 2000;
const STATUS_TIMEOUT_FLAG: Flag = {
  value: "SECONDS",
  help: `how long a server may take to answer (${STATUS_MS / 1000})`,
};
/** After a transfer, the new leader is asked for so often. */
const LOOK_MS = 50;

/** What a server says of itself, as far as it is shown. */
interface Status {
  readonly node: number;
  readonly isReady: boolean;
  readonly role: string;
  readonly term: number;
  readonly leader: number;
  readonly commit: number;
  readonly applied: number;
  readonly snapshotIndex: number;
  readonly logBytes: number;
  readonly members: { readonly voters: readonly number[]; readonly learners: readonly number[] };
  readonly addresses: Readonly<Record<string, string>>;
  /** Why its disk takes nothing; "": it does. */
  readonly disk: string;
  readonly store: { readonly revision: number; readonly keys: number; readonly bytes: number };
}

/** What the server at an address says; undefined: nothing, and `reasons` has why. */
async function statusOf(
  server: string,
  timeoutMs: number,
  reasons: Set<string>,
): Promise<Status | undefined> {
  await using store = openStore({ servers: [server], timeoutMs });
  try {
    return (await store.status()) as unknown as Status;
  } catch (error) {
    const { code, message } = error as StoreError;
    reasons.add(code === "TIMED_OUT" ? store.client.why : message);
    return undefined;
  }
}

const status: Verb = {
  usage: {
    name: "kv",
    takes: `status ${SERVERS}`,
    count: [1, 1],
    about: `Shows the members of a cluster: who leads, terms, indexes, how far each is behind, and what
it keeps. Exit 4: no server answered.`,
    flags: { ...CLIENT_FLAGS, timeout: STATUS_TIMEOUT_FLAG },
  },
  run: async (line) => {
    const reasons = new Set<string>();
    const text = line.flag("timeout");
    const timeoutMs = text === undefined ? STATUS_MS : seconds("--timeout", text);
    const asked = serversOf(line.positionals[0]!, KV_PORT);
    const found = await Promise.all(asked.map((server) => statusOf(server, timeoutMs, reasons)));
    const known = new Map<string, Status | undefined>(asked.map((server, i) => [server, found[i]]));
    const more = new Set(found.flatMap((one) => Object.values(one?.addresses ?? {})));
    const others = [...more].filter((server) => !known.has(server));
    const told = await Promise.all(others.map((server) => statusOf(server, timeoutMs, reasons)));
    for (const [i, server] of others.entries()) known.set(server, told[i]);
    const first = [...known.values()].find((one) => one !== undefined);
    if (first === undefined) {
      say([...reasons].join("; "));
      return EXIT_UNKNOWN;
    }
    await printResult(rowsText(rowsOf(known), line.has("json")));
    for (const { node, disk } of known.values().filter((one) => one !== undefined)) {
      if (disk !== "") say(`node ${node} has no space on its disk: ${disk}`);
    }
    return 0;
  },
};

function rowsOf(known: ReadonlyMap<string, Status | undefined>): Row[] {
  const all = [...known.values()].filter((one) => one !== undefined);
  // Who belongs to the cluster, those that come later know better: a leader best of all.
  const [latest] = all.toSorted(
    (a, b) => Number(b.role === "leader") - Number(a.role === "leader") || b.commit - a.commit,
  );
  const { voters, learners } = latest!.members;
  const isFounded = voters.length > 0;
  const commit = Math.max(...all.map((one) => one.commit));
  const rows = new Map<string, Row>();
  const nodeAt = new Map(
    all.flatMap(({ addresses }) => Object.entries(addresses)).map(([node, at]) => [at, node]),
  );
  for (const [address, one] of known) {
    const node = one?.node ?? Number(nodeAt.get(address) ?? 0);
    // The same server may be known by two names.
    const key = node === 0 ? address : String(node);
    const isVoter = voters.includes(node);
    const isMember = isVoter || learners.includes(node) || !isFounded;
    if (one === undefined) {
      const role = isMember || node === 0 ? "silent" : "no member";
      if (!rows.has(key)) rows.set(key, { node, address, role });
      continue;
    }
    const kind = isVoter ? one.role : isMember ? "learner" : "no member";
    rows.set(key, {
      node,
      address,
      role: one.isReady ? kind : "waiting",
      term: one.term,
      commit: one.commit,
      applied: one.applied,
      lag: commit - one.applied,
      snapshot: one.snapshotIndex,
      "log bytes": one.logBytes,
      revision: one.store.revision,
      keys: one.store.keys,
      bytes: one.store.bytes,
      disk: one.disk === "" ? "ok" : "full",
    });
  }
  return [...rows.values()].toSorted((a, b) => Number(a["node"]) - Number(b["node"]));
}

const member: Verb = {
  usage: {
    name: "kv",
    takes: `member ${SERVERS} add|promote|remove N`,
    count: [3, 3],
    about: `Changes who belongs to a cluster. To add node N, start it:
  kv.ts serve PORT --node N --join HOST:PORT
A node that lost its disk comes back like that, under a new number; its old one is removed.`,
    flags: CLIENT_FLAGS,
  },
  run: async (line) => {
    const [, deed, text] = line.positionals as [string, string, string];
    const node = Number(wholeNumber("N", text, 1n, 2n ** 32n - 1n));
    if (deed === "add") {
      const how = `kv.ts serve PORT --node ${node} --join ${line.positionals[0]!.split(",")[0]}`;
      throw new UsageError(`a node is added by starting it: ${how}`);
    }
    if (deed !== "promote" && deed !== "remove") {
      throw new UsageError(`got "${deed}", expected add, promote or remove`);
    }
    return await withStore(line, async (store) => {
      await store.manage(deed, node);
      const text = deed === "remove" ? "is no member any more" : "is a voter";
      return await tell(line, node, text);
    });
  },
};

/** What was done about a node. */
async function tell(line: CommandLine, node: number, text: string): Promise<number> {
  if (line.has("json")) await printLine({ done: true, node });
  else await printResult(`node ${node} ${text}\n`);
  return 0;
}

const transfer: Verb = {
  usage: {
    name: "kv",
    takes: `transfer ${SERVERS} [N]`,
    count: [1, 2],
    about: `Hands the lead to node N, or to the voter whose log is the most complete; prints who leads.`,
    flags: CLIENT_FLAGS,
  },
  run: async (line) => {
    const node = Number(wholeNumber("N", line.positionals[1] ?? "0", 0n, 2n ** 32n - 1n));
    return await withStore(line, async (store) => {
      await store.manage("transfer", node);
      // The old leader knows in a moment whom the others have voted for.
      for (;;) {
        const { leader } = (await store.status()) as unknown as Status;
        if (leader !== 0) return await tell(line, leader, "leads");
        await Bun.sleep(LOOK_MS);
      }
    });
  },
};

export const ADMIN_VERBS: Verbs = { status, member, transfer };
