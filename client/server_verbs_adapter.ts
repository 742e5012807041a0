/**
 * `server.ts status`, `member` and `transfer`: how the servers of a cluster stand, who belongs to
 * it, who leads.
 *
 * @module
 */
import { oneLine } from "../base/text.ts";
import type { Params } from "../lsp/mod.ts";
import { whyEnded } from "../peer/endings.ts";
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import { typedServers } from "../peer/targets.ts";
import type { CommandLine } from "../run/args.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { wholeNumber } from "../run/flags.ts";
import { printResult } from "../run/output.ts";
import { type Row, rowsText } from "../run/rows.ts";
import { EXIT_UNKNOWN, type Verb, type Verbs } from "../run/verbs.ts";
import { readableRate } from "../work/readable.ts";
import type { Deed } from "../work/server_messages.ts";
import { SubmitError } from "./adapter.ts";
import { askServer, withServer } from "./asking_adapter.ts";

const SERVERS = "HOST[:PORT][,HOST[:PORT]…]";
const NODE_MAX = 2n ** 32n - 1n;
const QUESTION = 1;

/** What a server says of itself, as far as it is shown; docs/coordinator.md has it in full. */
interface Report {
  readonly leads: boolean;
  readonly cluster?: {
    readonly node: number;
    readonly isReady: boolean;
    readonly role: string;
    readonly term: number;
    readonly commit: number;
    readonly applied: number;
    readonly members: { readonly voters: readonly number[]; readonly learners: readonly number[] };
    readonly addresses: Readonly<Record<string, string>>;
  };
  readonly disk?: {
    readonly directory: string;
    readonly logBytes: number;
    readonly trouble: string;
  };
  readonly jobs: number;
  readonly answers: number;
  readonly miners: number;
  readonly fleetRate: number;
}

/** A verb of which the first argument is the servers. */
function verb(
  takes: string,
  count: readonly [number, number],
  about: string,
  work: (servers: readonly string[], line: CommandLine) => Promise<number>,
): Verb {
  const flags = { json: { help: "write JSON, a line each" }, ...LSP_FLAGS };
  return {
    usage: { name: "server", takes, count, about, flags },
    run: (line) => work(typedServers(line.positionals[0]!), line),
  };
}

/** The verbs of server.ts for servers that run. */
export const SERVER_VERBS: Verbs = {
  status: verb(
    `status ${SERVERS}`,
    [1, 1],
    `Shows the servers of a cluster: who leads, how far each is behind, what it keeps; of the
leader its miners, too. Exit 4: no server answered.`,
    showStatus,
  ),
  member: verb(
    `member ${SERVERS} add|promote|remove N`,
    [3, 3],
    `Changes who belongs to a cluster. To add node N, start it:
  server.ts PORT --node N --join HOST:PORT
A node that lost its disk comes back like that, under a new number; its old one is removed.`,
    changeMembers,
  ),
  transfer: verb(
    `transfer ${SERVERS} [N]`,
    [1, 2],
    "Hands the lead to node N, or to the voter whose log is the most complete.",
    (servers, line) => {
      const node = Number(wholeNumber("N", line.positionals[1] ?? "0", 0n, NODE_MAX));
      return manage(servers, line, "transfer", node);
    },
  ),
};

async function showStatus(servers: readonly string[], line: CommandLine): Promise<number> {
  const params = lspParams(line);
  const known = new Map<string, Report | undefined>();
  const reasons = new Set<string>();
  const askAll = async (asked: readonly string[]): Promise<void> => {
    const found = await Promise.all(asked.map((server) => reportOf(server, params, reasons)));
    for (const [i, server] of asked.entries()) known.set(server, found[i]);
  };
  await askAll(servers);
  const named = [...known.values()].flatMap((one) => Object.values(one?.cluster?.addresses ?? {}));
  await askAll([...new Set(named)].filter((server) => !known.has(server)));
  if ([...known.values()].every((one) => one === undefined)) {
    process.stderr.write(`server: ${oneLine([...reasons].join("; "))}\n`);
    return EXIT_UNKNOWN;
  }
  const isJson = line.has("json");
  await printResult(rowsText(rowsOf(known, isJson), isJson));
  return 0;
}

/** What the server at an address says of itself; undefined: nothing, and `reasons` has why. */
async function reportOf(
  server: string,
  params: Params,
  reasons: Set<string>,
): Promise<Report | undefined> {
  try {
    return await askServer(server, params, async (ask) => {
      const text = await ask({ kind: "inspect", job: QUESTION }, (answer) =>
        answer.kind === "report" ? answer.text : undefined,
      );
      return JSON.parse(text) as Report;
    });
  } catch (error) {
    reasons.add(whyEnded(`the server at ${server}`, error));
    return undefined;
  }
}

function rowsOf(known: ReadonlyMap<string, Report | undefined>, isJson: boolean): Row[] {
  const all = [...known.values()].filter((one) => one !== undefined);
  const commit = Math.max(0, ...all.map((one) => one.cluster?.commit ?? 0));
  const nodeAt = new Map(
    all
      .flatMap(({ cluster }) => Object.entries(cluster?.addresses ?? {}))
      .map(([n, at]) => [at, n]),
  );
  const rows = new Map<string, Row>();
  for (const [address, one] of known) {
    const node = one?.cluster?.node ?? Number(nodeAt.get(address) ?? 0);
    // The same server may be known by two names.
    const key = node === 0 ? address : String(node);
    if (one === undefined && rows.has(key)) continue;
    const first = { node: node === 0 ? "-" : node, address };
    if (one === undefined) rows.set(key, { ...first, role: "silent" });
    else rows.set(key, { ...first, ...rowOf(one, commit, isJson) });
  }
  return [...rows.values()].toSorted((a, b) => Number(a["node"]) - Number(b["node"]));
}

function rowOf(one: Report, commit: number, isJson: boolean): Row {
  const { leads, cluster, disk, jobs, answers, miners, fleetRate } = one;
  const kept = { jobs, answers };
  const fleet = leads ? { miners, fleet: isJson ? fleetRate : readableRate(fleetRate) } : {};
  if (cluster === undefined) return { role: "in memory", ...kept, ...fleet };
  const { node, members, role, term, applied, isReady } = cluster;
  const isVoter = members.voters.includes(node);
  const kind = isVoter ? role : members.learners.includes(node) ? "learner" : "no member";
  return {
    role: isReady ? kind : "waiting",
    term,
    commit: cluster.commit,
    lag: commit - applied,
    "log bytes": disk?.logBytes ?? 0,
    ...kept,
    ...fleet,
    ...(disk !== undefined && { data: oneLine(disk.directory) }),
    ...(disk !== undefined && disk.trouble !== "" && { trouble: oneLine(disk.trouble) }),
  };
}

async function changeMembers(servers: readonly string[], line: CommandLine): Promise<number> {
  const [, deed, text] = line.positionals as [string, string, string];
  const node = Number(wholeNumber("N", text, 1n, NODE_MAX));
  if (deed === "add") {
    const how = `server.ts PORT --node ${node} --join ${servers[0]}`;
    throw new UsageError(`a node is added by starting it: ${how}`);
  }
  if (deed !== "promote" && deed !== "remove") {
    throw new UsageError(`got "${deed}", expected add, promote or remove`);
  }
  return await manage(servers, line, deed, node);
}

async function manage(
  servers: readonly string[],
  line: CommandLine,
  deed: Deed,
  node: number,
): Promise<number> {
  const options = { servers, params: lspParams(line) };
  try {
    const error = await withServer(options, (ask) =>
      ask({ kind: "manage", job: QUESTION, deed, node }, (answer) =>
        answer.kind === "managed" ? answer.error : undefined,
      ),
    );
    if (error !== "") throw new Failure(error);
  } catch (error) {
    if (error instanceof SubmitError) throw new Failure(error.message, { cause: error });
    throw error;
  }
  const json = `${JSON.stringify({ done: deed, node })}\n`;
  await printResult(line.has("json") ? json : `${doneText(deed, node)}\n`);
  return 0;
}

/** What was done about a node; node 0 stands for whichever was chosen. */
function doneText(deed: Deed, node: number): string {
  if (deed === "promote") return `node ${node} is a voter`;
  if (deed === "remove") return `node ${node} is no member any more`;
  return node === 0 ? "the lead was handed on" : `the lead was handed to node ${node}`;
}
