/**
 * The servers that the benchmarks of the store compare: one node of it, and one of etcd, both with
 * a directory.
 *
 * @module
 */
import { join } from "node:path";
import type { Peer } from "./kv_load.ts";
import { type Child, freePort, pinned } from "./processes.ts";

/** A server that was started. */
export interface Server {
  readonly peer: Peer;
  readonly port: number;
  readonly pid: number;
  readonly child: Child;
}

/** Starts a server on the first core; undefined when etcd is not installed. */
export function startServer(
  peer: Peer,
  directory: string,
  flags: readonly string[] = [],
): Server | undefined {
  const port = freePort();
  const data = join(directory, `${peer}-${port}`);
  const command = peer === "kv" ? kvCommand(port, data) : etcdCommand(port, data);
  if (command === undefined) return undefined;
  const child = pinned(0, [...command, ...flags], "ignore");
  return { peer, port, pid: child.pid, child };
}

function kvCommand(port: number, data: string): string[] {
  return [
    process.execPath,
    join(import.meta.dir, "../kv.ts"),
    "serve",
    String(port),
    "--data",
    data,
  ];
}

function etcdCommand(port: number, data: string): string[] | undefined {
  const etcd = Bun.which("etcd");
  if (etcd === null) return undefined;
  const url = `http://127.0.0.1:${port}`;
  const peerUrl = `http://127.0.0.1:${freePort()}`;
  const flags = {
    "data-dir": data,
    "listen-client-urls": url,
    "advertise-client-urls": url,
    "listen-peer-urls": peerUrl,
    "initial-advertise-peer-urls": peerUrl,
    "initial-cluster": `default=${peerUrl}`,
  };
  return [etcd, ...Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])];
}
