/**
 * The messages that a client sends and gets, as bytes.
 *
 * @module
 */
import { Codec } from "./codec.ts";
import type { Message } from "./messages.ts";
import type { ServerMessage } from "./server_messages.ts";
import { JOB_FORMS, type JobKinds } from "./wire_jobs.ts";
import { SEARCH_FORMS, type SearchKinds } from "./wire_searches.ts";
import { SERVER_FORMS } from "./wire_servers.ts";

type ClientKinds = SearchKinds | JobKinds | ServerMessage["kind"];

/** What a client and a server say to each other. */
export type ClientMessage = Extract<Message, { kind: ClientKinds }>;

export const CLIENT_CODEC: Codec<ClientKinds> = new Codec({
  ...SEARCH_FORMS,
  ...JOB_FORMS,
  ...SERVER_FORMS,
});
