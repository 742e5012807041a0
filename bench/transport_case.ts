/**
 * Two processes, a server and a client on a core each, and what they measure: for the benchmarks
 * that compare ways to send messages.
 *
 * @module
 */
import { join } from "node:path";
import { linesOf, nextLine, withUs } from "./processes.ts";
import type { Report } from "./transport_roles.ts";

/** What is measured: the roles `ROLE-server` and `ROLE-client` of a program. */
export interface Case {
  readonly name: string;
  readonly role: string;
  /** The program that has them; by default transport_roles.ts. */
  readonly program?: string;
  readonly env?: Record<string, string>;
}

/** One run of a case: messages a second, round trip, and processor time a message. */
export interface Run {
  readonly rate: number;
  readonly p50: number;
  readonly clientMicros: number;
  readonly serverMicros: number;
}

function start(core: number, argv: readonly string[], env: Record<string, string>) {
  return Bun.spawn(withUs(["taskset", "-c", String(core), process.execPath, "run", ...argv]), {
    stdout: "pipe",
    stderr: "inherit",
    env: { ...process.env, ...env },
  });
}

/** Runs a case for so many milliseconds, after it has warmed up. */
export async function measure(
  { role, program = "transport_roles.ts", env = {} }: Case,
  ms: string,
): Promise<Run> {
  const path = join(import.meta.dirname, program);
  const all = { ...env, BENCH_MS: ms };
  const server = start(0, [path, `${role}-server`], all);
  const fromServer = linesOf(server.stdout);
  const port = (await nextLine(fromServer)).split(" ").at(-1)!;
  const client = start(1, [path, `${role}-client`, port], all);
  const atClient = JSON.parse(await nextLine(linesOf(client.stdout))) as Report;
  server.kill("SIGTERM");
  const atServer = JSON.parse(await nextLine(fromServer)) as Report;
  await Promise.all([server.exited, client.exited]);
  return {
    // One way, what counts is what arrived.
    rate: role.endsWith("-sink") ? atServer.rate : atClient.rate,
    p50: atClient.p50Micros ?? 0,
    clientMicros: atClient.cpuMicros,
    serverMicros: atServer.cpuMicros,
  };
}
