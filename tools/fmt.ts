/**
 * `bun run fmt` formats the project. By itself `bun fmt` would, on a Bun that has no formatter yet,
 * run the script of that name again and again.
 *
 * @module
 */
import { join } from "node:path";
import { whyTooOld } from "../run/version.ts";

const old = whyTooOld();
if (old !== undefined) {
  console.error(`fmt: ${old}`);
  process.exit(1);
}
const command = [process.execPath, "fmt", "--no-script", ...process.argv.slice(2)];
const cwd = join(import.meta.dirname, "..");
const child = Bun.spawn(command, { cwd, stdio: ["ignore", "inherit", "inherit"] });
process.exit(await child.exited);
