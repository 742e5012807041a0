/**
 * The licence notices that a built program has to carry: our own, and those of the packages that
 * are bundled into it.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Between two notices. */
export const RULE = "\n\n----\n\n";

/** What a bundler says of its work: the files that went in, by path. */
export interface Inputs {
  readonly inputs: Readonly<Record<string, unknown>>;
}

/** The packages that `metafile` says were bundled, sorted. */
export function packagesIn(metafile: Inputs): string[] {
  const packages = new Set<string>();
  for (const path of Object.keys(metafile.inputs)) {
    // Forward slashes on every platform; the last node_modules is that of a package's own package.
    const name = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path.replaceAll("\\", "/"))?.[1];
    if (name !== undefined) packages.add(name);
  }
  return [...packages].sort();
}

/** Our licence and those of `packages`, installed in `root`. Throws for a package without one. */
export function noticesOf(root: string, packages: readonly string[]): string {
  const notices = [`Motherlode\n\n${licenceIn(root, "Motherlode")}`];
  for (const name of packages) {
    notices.push(`${name}\n\n${licenceIn(join(root, "node_modules", name), name)}`);
  }
  return notices.join(RULE);
}

function licenceIn(directory: string, name: string): string {
  const file = readdirSync(directory).find((entry) => /^(licen[cs]e|copying)(\.|$)/i.test(entry));
  if (file === undefined)
    throw new Error(`${name} has no licence file, and its notice must go along`);
  return readFileSync(join(directory, file), "utf8").trim();
}

/** `notices` as a comment at the head of a program, which minifiers keep. */
export function noticeComment(notices: string): string {
  return `/*!\n${notices.replaceAll("*/", "* /")}\n*/`;
}
