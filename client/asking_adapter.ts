/**
 * Questions that are asked of a server, or of the leader of several, and answered at once.
 *
 * @module
 */
import { checkBy } from "../base/options.ts";
import { ServerRing } from "../base/server_ring.ts";
import { connect, fullParams, type LspClient, type Params } from "../lsp/mod.ts";
import { whyEnded } from "../peer/endings.ts";
import { type ServerChoice, serversOf, targetOf } from "../peer/targets.ts";
import { freshRandom } from "../run/fresh_random.ts";
import { MESSAGES_VERSION } from "../work/messages.ts";
import type { Servers } from "../work/server_messages.ts";
import { CLIENT_CODEC, type ClientMessage } from "../work/wire_client.ts";
import { SubmitError } from "./adapter.ts";

/** The server to ask, or those of a cluster. */
export interface InquiryOptions extends ServerChoice {
  readonly params?: Params;
}

/** Asks one question, and gives what `take` makes of the first message that answers it. */
export type Ask = <T>(
  question: ClientMessage,
  take: (answer: ClientMessage) => T | undefined,
) => Promise<T>;

/** How long servers are asked that know of no leader. */
const PATIENCE_MS = 10_000;

/** The server that was asked does not lead. */
class Elsewhere extends Error {
  readonly servers: Servers;

  constructor(servers: Servers) {
    super("it does not lead");
    this.servers = servers;
  }
}

/**
 * Connects to the server, or finds the leader of several, and does `work` with it. Rejects with a
 * SubmitError, or an OptionError.
 */
export async function withServer<T>(
  options: InquiryOptions,
  work: (ask: Ask) => Promise<T>,
): Promise<T> {
  const { params } = options;
  checkBy("params", () => fullParams("cbor", params));
  const ring = new ServerRing(serversOf(options), freshRandom());
  const endMs = performance.now() + PATIENCE_MS;
  let heard = false;
  for (;;) {
    const { current } = ring;
    let leader: string | undefined;
    let reason: string;
    let cause: unknown;
    try {
      return await askServer(current, params, work, ring.isCluster);
    } catch (error) {
      if (error instanceof SubmitError) throw error;
      cause = error;
      if (error instanceof Elsewhere) {
        heard = true;
        ({ leader } = error.servers);
        ring.learn(error.servers.servers);
        reason = `no leader among ${ring.all.join(", ")}`;
      } else reason = whyEnded(`the server at ${current}`, error);
    }
    const waitMs = ring.isCluster ? ring.lost(leader) : Infinity;
    // Where nobody answers there is nothing to wait for.
    const isOver = waitMs > 0 && (!heard || performance.now() + waitMs > endMs);
    if (isOver) throw new SubmitError("DISCONNECTED", reason, { cause });
    if (waitMs > 0) await Bun.sleep(waitMs);
  }
}

/** Asks that server, whether it leads or not. Rejects also with what LSP says. */
export async function askServer<T>(
  server: string,
  params: Params | undefined,
  work: (ask: Ask) => Promise<T>,
  isCluster = true,
): Promise<T> {
  const { host, port, params: given } = targetOf(server, isCluster, params);
  const at = { host, port, appVersion: MESSAGES_VERSION };
  const client = await connect(given === undefined ? at : { ...at, params: given });
  try {
    return await work((question, take) => askOn(client, question, take));
  } finally {
    await client.close();
  }
}

async function askOn<T>(
  client: LspClient,
  question: ClientMessage,
  take: (answer: ClientMessage) => T | undefined,
): Promise<T> {
  client.write(CLIENT_CODEC.encode(question));
  for (;;) {
    const message = CLIENT_CODEC.decode(await client.read());
    if (typeof message === "string") throw new SubmitError("REFUSED", `cannot read: ${message}`);
    if (message.kind === "refused") throw new SubmitError("REFUSED", message.reason);
    if (message.kind === "servers" && !message.leads) throw new Elsewhere(message);
    const taken = take(message);
    if (taken !== undefined) return taken;
  }
}
