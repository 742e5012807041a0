/**
 * The counts of a text server for scripts: JSON over HTTP, on this machine only.
 *
 * @module
 */
import { TextServerError } from "./errors.ts";
import type { Counts } from "./types.ts";

/** A port that answers with the counts. */
export interface Admin {
  readonly host: string;
  readonly port: number;
  close(): Promise<void>;
}

const HOST = "127.0.0.1";

/**
 * Serves `GET /` with what `counts` gives, on loopback. Port 0 picks a free one. Throws a
 * {@link TextServerError} if it cannot listen.
 */
export function serveAdmin(port: number, counts: () => Counts): Admin {
  const fetch = (request: Request): Response => {
    const { pathname } = new URL(request.url);
    if (pathname !== "/") return refusal(404, `no ${pathname} here, only /`);
    if (request.method === "GET" || request.method === "HEAD") return Response.json(counts());
    return refusal(405, `${request.method} is not possible, only GET`);
  };
  try {
    const server = Bun.serve({ hostname: HOST, port, fetch });
    return { host: HOST, port: server.port!, close: () => server.stop(true) };
  } catch (cause) {
    const { code } = cause as { code?: string };
    const at = `${HOST}:${port}, for --admin,`;
    if (code === "EADDRINUSE") {
      const text = `${at} is in use by another program; stop that one, or name another port`;
      throw new TextServerError("ADDRESS_IN_USE", text, { cause });
    }
    throw new TextServerError("CANNOT_LISTEN", `cannot listen on ${at} (${code})`, { cause });
  }
}

const refusal = (status: number, error: string): Response => Response.json({ error }, { status });
