/**
 * Two worlds in which the same LSP cases run: a network in memory with a clock of its own, and real
 * UDP on the loopback addresses. A case sees only what both have.
 */
import { seededRandom } from "../../base/random.ts";
import { createDialer } from "../../lsp/dialer.ts";
import { connect, listen, type LspClient, type LspServer } from "../../lsp/mod.ts";
import type { Params, Wire } from "../../lsp/types.ts";
import { Lan, type Node } from "./lan.ts";

/** What a server reads: `data CONN TEXT`, `lost CONN` or `closed CONN`. */
export type Line = string;

export interface Client {
  readonly connId: number;
  write(text: string): void;
  /** `data TEXT`, `lost` or `closed`. */
  read(): Promise<Line>;
  close(): Promise<unknown>;
}

export interface Server {
  write(connId: number, text: string): void;
  read(): Promise<Line>;
  closeConn(connId: number): void;
  close(): Promise<unknown>;
}

/** A place where servers and clients live. */
export interface World {
  listen(params: Params): Promise<Server>;
  connect(wire: Wire, params: Params, isn?: number): Promise<Client>;
  /** Sends raw bytes to the server, from an address of their own. */
  inject(bytes: Uint8Array): Promise<void>;
  /** Lets the client vanish, as a crash does. */
  crash(client: Client): void;
  /** Ends whatever is left. */
  dispose(): Promise<void>;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

// ---- in memory

/** The world of virtual time. */
export function memoryWorld(): World {
  const link = new Lan();
  const nodes = new Map<Client, Node>();
  let count = 0;
  async function next(node: Node, line: (event: Node["events"][number]) => Line): Promise<Line> {
    if (!link.runUntil(() => node.events.length > 0)) throw new Error("nothing came to be read");
    return line(node.events.shift()!);
  }
  async function close(node: Node): Promise<void> {
    node.core.close(link.nowMs);
    const isDrained = () => node.notices.some(({ kind }) => kind === "drained");
    if (!link.runUntil(isDrained)) throw new Error("close did not come to its end");
  }
  return {
    async listen(params) {
      const node = link.listener({ params });
      return {
        write: (connId, text) => link.write(node, connId, text),
        read: () =>
          next(node, (event) => {
            const text = event.kind === "data" ? ` ${decode(event.payload)}` : "";
            return `${event.kind} ${event.connId}${text}`;
          }),
        closeConn: (connId) => node.core.closeConn(connId),
        close: () => close(node),
      };
    },
    async connect(wire, params, isn = 7) {
      const random = seededRandom(++count);
      const core = createDialer({ wire, params, isn, random, to: "server 1" }, link.nowMs);
      const node = link.add(core, `client ${count}`);
      if (!link.runUntil(() => node.notices.length > 0)) throw new Error("no connection");
      const notice = node.notices[0]!;
      if (notice.kind !== "connected") throw new Error(`not connected: ${notice.kind}`);
      const { connId } = notice;
      const client: Client = {
        connId,
        write: (text) => link.write(node, connId, text),
        read: () =>
          next(node, (event) =>
            event.kind === "data" ? `data ${decode(event.payload)}` : event.kind,
          ),
        close: () => close(node),
      };
      nodes.set(client, node);
      return client;
    },
    async inject(bytes) {
      link.inject(bytes, "server 1");
    },
    crash: (client) => link.remove(nodes.get(client)!),
    async dispose() {},
  };
}

// ---- on UDP

/** The world of sockets on `host`, a loopback address. */
export function udpWorld(host: string): World {
  const clients = new Map<Client, { real: LspClient; crash: AbortController }>();
  let server: LspServer | undefined;
  const kinds: Record<string, string> = { CONNECTION_LOST: "lost", CONNECTION_CLOSED: "closed" };
  const kindOf = (error: unknown): string => kinds[(error as { code: string }).code] ?? `${error}`;
  return {
    async listen(params) {
      const real = await listen({ host, port: 0, params });
      server = real;
      return {
        write: (connId, text) => real.write(connId, encode(text)),
        read: () =>
          real.read().then(
            ({ connId, payload }) => `data ${connId} ${decode(payload)}`,
            (error) => `${kindOf(error)} ${error.connId}`,
          ),
        closeConn: (connId) => real.closeConn(connId),
        close: () => real.close(),
      };
    },
    async connect(wire, params, isn = 7) {
      const crash = new AbortController();
      const { port } = server!;
      const real = await connect({ host, port, wire, params, isn });
      const client: Client = {
        connId: real.connId,
        write: (text) => real.write(encode(text)),
        read: () =>
          real.read().then(
            (payload) => `data ${decode(payload)}`,
            (error) => kindOf(error),
          ),
        close: () => real.close(),
      };
      clients.set(client, { real, crash });
      return client;
    },
    async inject(bytes) {
      const hostname = host.includes(":") ? "::" : host;
      const socket = await Bun.udpSocket({ hostname, socket: { data() {}, error() {} } });
      socket.send(bytes, server!.port, host);
      socket.close();
    },
    crash(client) {
      // A crash says no goodbye: the socket is gone before the core could send anything.
      const { real } = clients.get(client)!;
      (real as unknown as { udp: { release(): void } }).udp.release();
      clients.delete(client);
    },
    async dispose() {
      await Promise.all([...clients.values()].map(({ real }) => real.close()));
      await server?.close();
    },
  };
}
