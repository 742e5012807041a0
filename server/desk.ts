/**
 * What those who speak with clients need of the core.
 *
 * @module
 */
import type { Message } from "../work/messages.ts";
import type { Topic } from "./log_limiter.ts";
import type { SearchJob } from "./search_job.ts";

/** What the clients' desk needs of the core. */
export interface Desk {
  write(connId: number, message: Message): void;
  writeRaw(connId: number, payload: Uint8Array): void;
  /** Hangs up. */
  close(connId: number): void;
  /** Searches what of the job no miner can be trusted with. */
  searchLast(job: SearchJob): void;
  tell(level: "info" | "warn", text: string, topic?: Topic): void;
  /** Where a connection comes from, for people, as far as that is known. */
  addressOf(connId: number): string | undefined;
  reject(reason: string): void;
}
