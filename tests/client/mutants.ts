/** Faults that the tests of client/ must notice; `bun run mutants client`. */
import type { Mutant } from "../../tools/mutants.ts";

const core = "client/core.ts";
const checks = "client/checks.ts";

export const MUTANTS: readonly Mutant[] = [
  {
    file: core,
    line: "const waitMs = this.#ring.lost(leader);",
    becomes: "const waitMs = this.#ring.lost();",
    breaks: "a client does not go where it is sent",
  },
  {
    file: core,
    line: "const isFutile = waitMs > 0 && !this.#wasConnected;",
    becomes: "const isFutile = false;",
    breaks: "a client waits for ever for servers that were never there",
  },
  {
    file: checks,
    line: "if (best.nonce < lower || best.nonce > upper) {",
    becomes: "if (best.nonce < lower) {",
    breaks: "an answer above the range is believed",
  },
  {
    file: checks,
    line: "if (right !== best.hash) return `nonce ${best.nonce} has hash ${right}, not ${best.hash}`;",
    becomes: "",
    breaks: "a wrong hash is believed",
  },
  {
    file: checks,
    line: "if (met !== (target === undefined || right <= target)) {",
    becomes: "if (met !== (target === undefined || right < target)) {",
    breaks: "a hash that equals the target counts as a miss",
  },
  {
    file: checks,
    line: 'if (typeof subject === "string" && !subject.isWellFormed()) {',
    becomes: "if (false) {",
    breaks: "a lone surrogate is hashed as another text",
  },
  {
    file: checks,
    line: "if (bytes > MESSAGE_BYTES_MAX) {",
    becomes: "if (bytes > 2 * MESSAGE_BYTES_MAX) {",
    breaks: "a message is sent that no server takes",
  },
  {
    file: checks,
    line: 'if (work.target !== undefined) return "the json wire cannot carry a target";',
    becomes: "",
    breaks: "a target is silently dropped on the json wire",
  },
  {
    file: checks,
    line: "if (bytes <= CLASSIC_PAYLOAD_BYTES_MAX) return undefined;",
    becomes: "return undefined;",
    breaks: "a request is sent that no classic server can read",
  },
  {
    file: core,
    line: "if (this.#gone || this.#wire !== undefined) return;",
    becomes: "",
    breaks: "a second `connected` sends the jobs again",
  },
  {
    file: core,
    line: 'this.#effects.push({ kind: "disconnected", reason });',
    becomes: "",
    breaks: "nobody learns that the server is gone",
  },
  {
    file: core,
    line: "const reason = this.#jobs.has(job)",
    becomes: "const reason = this.#jobs.has(-1)",
    breaks: "a number in use loses the job that has it",
  },
  {
    file: core,
    line: ": this.#jobs.size >= JOBS_MAX",
    becomes: ": this.#jobs.size > JOBS_MAX",
    breaks: "one job too many is taken",
  },
  {
    file: core,
    line: "entry.sent = true;",
    becomes: "",
    breaks: "every job is sent again with each new one",
  },
  {
    file: core,
    line: 'if (this.#wire === "json") return;',
    becomes: "",
    breaks: "classic requests overtake each other",
  },
  {
    file: core,
    line: "entry.cancelled = true;",
    becomes: "",
    breaks: "the answer of a cancelled classic job is told",
  },
  {
    file: core,
    line: 'if (entry.sent) this.#write({ kind: "cancel", job });',
    becomes: "",
    breaks: "the server goes on with a cancelled job",
  },
  {
    file: core,
    line: 'if (message.kind === "refused" && message.job === 0) {',
    becomes: "if (false) {",
    breaks: "a server that will do nothing leaves the jobs waiting",
  },
  {
    file: core,
    line: "return this.#jobs.clear();",
    becomes: "return;",
    breaks: "jobs that were refused together are refused again",
  },
  {
    file: core,
    line: 'if (entry === undefined) return this.#reject("unknown job");',
    becomes: "if (entry === undefined) return;",
    breaks: "messages about unknown jobs are not counted",
  },
  {
    file: core,
    line: "for (const job of head.number === 0 ? [...this.#jobs.keys()] : [head.number]) {",
    becomes: "for (const job of [] as number[]) {",
    breaks: "an answer that cannot be read is waited for for ever",
  },
  {
    file: core,
    line: "const wrong = isKnown ? whyWrong(work!, best, met, this.#hash) : undefined;",
    becomes: "const wrong: string | undefined = undefined;",
    breaks: "any answer is believed",
  },
];
