/**
 * Jobs by the id that people call them: found again, listed, ended.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import { clipped } from "../base/text.ts";
import { idText, whyNoJob } from "../work/job_id.ts";
import { type JobRow, type Message, ROWS_MAX, SUBJECT_SHOWN_BYTES } from "../work/messages.ts";
import type { Export } from "../work/server_messages.ts";
import type { Client } from "./askers.ts";
import type { Ledger } from "./ledger.ts";
import type { SearchJob } from "./search_job.ts";
import type { JobName, KeptAnswer, SearchAnswer, SearchRecord } from "./table.ts";
import { TableCopies } from "./table_copies.ts";
import { snapshotOfTable } from "./table_snapshot.ts";

/** Jobs that one connection may follow beside those that it submitted. */
export const ATTACHED_MAX = 1000;

/** What inquiries need done by their owner. */
export interface InquiryPort {
  write(connId: number, message: Message): void;
  jobOf(name: JobName): SearchJob | undefined;
  /** Tells the client that it was accepted, and how it goes from now on. */
  follow(job: SearchJob, client: Client, number: number): void;
  tellAnswer(connId: number, number: number, answer: SearchAnswer): void;
  drop(job: SearchJob, nowMs: Millis): void;
}

/** See the module. */
export class Inquiries {
  readonly #ledger: Ledger;
  readonly #port: InquiryPort;
  readonly #copies = new TableCopies<Client>();

  constructor(ledger: Ledger, port: InquiryPort) {
    this.#ledger = ledger;
    this.#port = port;
  }

  handle(client: Client, message: Message, nowMs: Millis): void {
    const { connId } = client;
    switch (message.kind) {
      case "export":
        return this.#export(client, message, nowMs);
      case "list": {
        const most = Math.min(message.most, ROWS_MAX);
        const ids = this.#ledger.table.idsFrom(message.from, most);
        const rows = ids.flatMap((id) => this.#row(id) ?? []);
        return this.#port.write(connId, { kind: "jobs", job: message.job, rows });
      }
      case "attach":
        return this.#attach(client, message.job, message.id);
      case "fetched":
        return this.#fetched(client, message.job, nowMs);
      case "end": {
        const { job, id, what } = message;
        const refuse = (reason: string): void =>
          this.#port.write(connId, { kind: "refused", job, reason });
        return this.#end(id, what, nowMs, refuse, () => {
          this.#port.write(connId, { kind: "ended", job });
        });
      }
      default:
    }
  }

  #export(client: Client, { job, from }: Export, nowMs: Millis): void {
    const part = this.#copies.part(client, from, () => snapshotOfTable(this.#ledger.table), nowMs);
    if (typeof part !== "string") this.#port.write(client.connId, { kind: "part", job, ...part });
    else this.#port.write(client.connId, { kind: "refused", job, reason: part });
  }

  #attach(client: Client, job: number, id: number): void {
    const { connId, attached } = client;
    const refuse = (reason: string): void =>
      this.#port.write(connId, { kind: "refused", job, reason });
    const name = this.#ledger.table.nameOf(id);
    const row = this.#row(id);
    if (name === undefined || row === undefined) return refuse(unknown(id));
    if (attached.size >= ATTACHED_MAX) return refuse(`a connection follows ${ATTACHED_MAX} jobs`);
    this.#port.write(connId, { kind: "jobs", job, rows: [row] });
    attached.set(job, name);
    const running = this.#port.jobOf(name);
    if (running !== undefined) return this.#port.follow(running, client, job);
    const answer = this.#ledger.table.answerOf(name);
    if (answer === undefined) return;
    const durable = this.#ledger.isDurable;
    this.#port.write(connId, { kind: "accepted", job, id, durable });
    this.#port.tellAnswer(connId, job, answer);
  }

  #fetched({ attached, asker }: Client, number: number, nowMs: Millis): void {
    const name = attached.get(number) ?? { session: asker.session, number };
    attached.delete(number);
    if (this.#ledger.table.answerOf(name)?.fetchedMs !== 0) return;
    this.#ledger.propose([{ kind: "fetched", name }], nowMs);
  }

  #end(
    id: number,
    what: "cancel" | "forget",
    nowMs: Millis,
    refuse: (reason: string) => void,
    then: (nowMs: Millis) => void,
  ): void {
    const name = this.#ledger.table.nameOf(id);
    if (name === undefined) return refuse(unknown(id));
    const isAnswered = this.#ledger.table.answerOf(name) !== undefined;
    const called = `job ${idText(id)}`;
    if (isAnswered && what === "cancel") {
      return refuse(`${called} is answered already: wait for it, or forget it`);
    }
    if (!isAnswered && what === "forget") {
      return refuse(`${called} is not answered yet: wait for it, or cancel it`);
    }
    const job = this.#port.jobOf(name);
    if (job !== undefined) {
      for (const [connId, number] of job.followers) {
        const reason = `${called} was cancelled`;
        this.#port.write(connId, { kind: "refused", job: number, reason });
      }
      this.#port.drop(job, nowMs);
    }
    this.#ledger.drop(name, nowMs, then);
  }

  #row(id: number): JobRow | undefined {
    const { table } = this.#ledger;
    const name = table.nameOf(id);
    if (name === undefined) return undefined;
    const answer = table.answerOf(name);
    if (answer !== undefined) return rowOfAnswer(answer);
    const record = this.#port.jobOf(name)?.record ?? table.record(name);
    return record && rowOfRecord(record);
  }
}

const unknown = (id: number): string => whyNoJob(id, "here");

function rowOfAnswer(answer: KeptAnswer): JobRow {
  const { id, shown, lower, upper, target, best, met } = answer;
  const { submittedMs, answeredMs, fetchedMs } = answer;
  return {
    id,
    shown,
    lower,
    upper,
    ...(target !== undefined && { target }),
    done: upper - lower + 1n,
    best,
    met,
    submittedMs,
    answeredMs,
    fetchedMs,
  };
}

function rowOfRecord({ id, spec, done, best, submittedMs }: SearchRecord): JobRow {
  const { subject, lower, upper, target } = spec;
  const shown =
    typeof subject === "string" ? clipped(subject, SUBJECT_SHOWN_BYTES) : subject.toHex();
  return {
    id,
    shown,
    lower,
    upper,
    ...(target !== undefined && { target }),
    done,
    ...(best !== undefined && { best }),
    submittedMs,
    answeredMs: 0,
    fetchedMs: 0,
  };
}
