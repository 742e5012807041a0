/**
 * A registry on loopback of the packages that are installed here, for tests that install: they
 * must not depend on the network, nor on what anybody has published since.
 *
 * @module
 */
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./texts.ts";

/** Fields of a published package that say how it is made and not what it is. */
const NOT_SERVED = ["scripts", "devDependencies", "files", "workspaces"];

/** A registry that runs; stop it in the end. */
export interface Registry {
  readonly url: string;
  stop(): Promise<void>;
}

/** Serves what lies in node_modules; tarballs are made in `directory` when they are asked for. */
export function serveInstalled(directory: string): Registry {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request): Promise<Response> {
      const { origin, pathname } = new URL(request.url);
      const path = decodeURIComponent(pathname).slice(1);
      const name = path.replace(/\.tgz$/, "");
      const installed = join(ROOT, "node_modules", name);
      if (!/^(@[\w-]+\/)?[\w.-]+$/.test(name) || !existsSync(installed)) {
        return new Response("not found", { status: 404 });
      }
      const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
      for (const field of NOT_SERVED) delete manifest[field];
      if (path !== name) return new Response(Bun.file(await packed(directory, name, manifest)));
      const { version } = manifest as { version: string };
      const dist = { tarball: `${origin}/${name}.tgz` };
      const versions = { [version]: { ...manifest, dist } };
      return Response.json({ name, "dist-tags": { latest: version }, versions });
    },
  });
  return { url: `${server.url.origin}/`, stop: () => server.stop(true) };
}

/** Packs an installed package under its stripped manifest; the tarball's path. */
async function packed(directory: string, name: string, manifest: object): Promise<string> {
  const place = join(directory, name.replaceAll("/", "+"));
  const tarball = `${place}.tgz`;
  if (existsSync(tarball)) return tarball;
  mkdirSync(place, { recursive: true });
  cpSync(join(ROOT, "node_modules", name), place, { recursive: true, dereference: true });
  writeFileSync(join(place, "package.json"), JSON.stringify(manifest));
  const made = `${tarball}.${crypto.randomUUID()}.tgz`;
  const pack = Bun.spawn([process.execPath, "pm", "pack", "--quiet", "--filename", made], {
    cwd: place,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const told = await pack.stderr.text();
  if ((await pack.exited) !== 0) throw new Error(`cannot pack ${name}: ${told}`);
  renameSync(made, tarball);
  return tarball;
}
