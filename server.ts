/**
 * The server: `bun run server.ts [PORT]`. Takes jobs from clients and splits them among miners.
 *
 * Prints `listening on HOST:PORT` on stdout; everything else goes to stderr. Miners and clients of
 * the classic wire are served on the same port without any setting.
 *
 * @module
 */
import { atPort, DEFAULT_PORT, LSP_FLAGS, lspParams, oneLine, onSignal } from "./cli.ts";
import { port as portOf, readCommandLine, runScript, type Usage } from "./cli.ts";
import { serve } from "./mod.ts";

const USAGE: Usage = {
  name: "server",
  takes: "[PORT]",
  count: [0, 1],
  about: `Serves miners and clients on UDP PORT (${DEFAULT_PORT}); port 0 picks a free one.`,
  flags: {
    host: { value: "HOST", help: "address to bind (127.0.0.1); 0.0.0.0 or :: for all" },
    ...LSP_FLAGS,
    quiet: { help: "say nothing about miners and jobs" },
  },
};

async function main(): Promise<number> {
  const line = readCommandLine(USAGE, process.argv.slice(2));
  const port = portOf(line.positionals[0] ?? String(DEFAULT_PORT), 0n);
  const host = line.flag("host") ?? "127.0.0.1";
  const quiet = line.has("quiet");
  const server = await serve({
    host,
    port,
    params: lspParams(line),
    log: (text, level) => {
      if (!quiet || level === "warn") process.stderr.write(`${oneLine(text)}\n`);
    },
  });
  process.stdout.write(`listening on ${atPort(server.host, server.port)}\n`);
  onSignal(() => server.close());
  await server.closed;
  return 1;
}

if (import.meta.main) await runScript(USAGE.name, main);
