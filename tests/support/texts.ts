/** All texts of the project, for tests that hold them to rules. */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Glob } from "bun";

/** The project's root directory. */
export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** The lines of files by their paths from the root. */
export type Texts = ReadonlyMap<string, string[]>;

/** All that is the project's own; no data of tests, no binaries. */
export async function allTexts(): Promise<Texts> {
  const own = readdirSync(ROOT, { withFileTypes: true }).filter(
    ({ name }) => !["node_modules", "dist", "tmp", ".git"].includes(name),
  );
  const paths = own.flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name];
    const cwd = join(ROOT, entry.name);
    return [...new Glob("**/*").scanSync({ cwd, dot: true })].map((to) => `${entry.name}/${to}`);
  });
  const texts = new Map<string, string[]>();
  for (const path of paths.filter((to) => !to.startsWith("tests/data/")).toSorted()) {
    const text = await Bun.file(join(ROOT, path)).text();
    if (!text.includes("\0")) texts.set(path, text.split("\n"));
  }
  return texts;
}
