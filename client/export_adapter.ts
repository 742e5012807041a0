/**
 * `server.ts export`: the jobs and answers of a server that runs, as a file.
 *
 * @module
 */
import { readablePlural } from "../base/text.ts";
import { LSP_FLAGS, lspParams } from "../peer/flags.ts";
import { typedServers } from "../peer/targets.ts";
import { Failure, UsageError } from "../run/errors.ts";
import { printResult } from "../run/output.ts";
import type { Verb } from "../run/verbs.ts";
import { writeWhole } from "../run/whole_file.ts";
import { encodeBackup } from "../work/backup.ts";
import { SubmitError } from "./adapter.ts";
import { type InquiryOptions, withServer } from "./asking_adapter.ts";

const QUESTION = 1;

/** The verb. */
export const EXPORT_VERB: Verb = {
  usage: {
    name: "server",
    takes: "export HOST[:PORT][,HOST[:PORT]…] FILE",
    count: [2, 2],
    about: `Writes the jobs and answers of a server that runs to FILE (- for stdout), in place of
what is there. It is for its owner alone (the messages of all jobs are in it); import reads it.`,
    flags: { json: { help: "write JSON, a line each" }, ...LSP_FLAGS },
  },
  run: async (line) => {
    const [where, file] = line.positionals as [string, string];
    if (file === "-" && line.has("json")) {
      throw new UsageError("--json and FILE - both write to stdout: name one of them");
    }
    const bytes = encodeBackup(await exportTable(typedServers(where), lspParams(line)));
    // The messages of all jobs are in it.
    await writeWhole(file, [bytes], 0o600);
    const json = JSON.stringify({ exported: file, bytes: bytes.length });
    if (line.has("json")) await printResult(`${json}\n`);
    else process.stderr.write(`${readablePlural(bytes.length, "byte")} written to ${file}\n`);
    return 0;
  },
};

/** The table of a server, or of the leader of several. Rejects with a {@link Failure}. */
async function exportTable(
  servers: readonly string[],
  params: InquiryOptions["params"],
): Promise<Uint8Array> {
  const options = params === undefined ? { servers } : { servers, params };
  try {
    return await withServer(options, async (ask) => {
      const parts: Uint8Array[] = [];
      for (let from = 0, size = 1; from < size; from += parts.at(-1)!.length) {
        const part = await ask({ kind: "export", job: QUESTION, from }, (answer) =>
          answer.kind === "part" ? answer : undefined,
        );
        if (part.bytes.length === 0) throw new SubmitError("REFUSED", "a part of it is empty");
        parts.push(part.bytes);
        ({ size } = part);
      }
      return Buffer.concat(parts);
    });
  } catch (error) {
    if (error instanceof SubmitError) throw new Failure(error.message, { cause: error });
    throw error;
  }
}
