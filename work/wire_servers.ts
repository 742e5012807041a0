/**
 * The CBOR form of what servers say of themselves and of their cluster.
 *
 * @module
 */
import { SERVERS_MAX } from "../base/server_ring.ts";
import {
  DEEDS,
  ERROR_BYTES_MAX,
  REPORT_BYTES_MAX,
  SERVER_BYTES_MAX,
  type ServerMessage,
  TABLE_PART_BYTES_MAX,
} from "./server_messages.ts";
import { type Forms, readSome } from "./wire_jobs.ts";

export const SERVER_FORMS: Forms<ServerMessage["kind"]> = {
  servers: {
    type: 56,
    write: (f, m) => {
      f.flag(m.leads).text(m.leader);
      f.array((inner) => m.servers.forEach((server) => inner.text(server)));
    },
    read: (f) => ({
      kind: "servers",
      leads: f.flag(),
      leader: f.text(SERVER_BYTES_MAX),
      servers: f.array((inner) => readSome(inner, SERVERS_MAX, () => inner.text(SERVER_BYTES_MAX))),
    }),
  },
  inspect: {
    type: 57,
    write: (f, m) => f.count(m.job),
    read: (f) => ({ kind: "inspect", job: f.count() }),
  },
  report: {
    type: 58,
    write: (f, m) => f.count(m.job).text(m.text),
    read: (f) => ({ kind: "report", job: f.count(), text: f.text(REPORT_BYTES_MAX) }),
  },
  manage: {
    type: 59,
    write: (f, m) => f.count(m.job).count(DEEDS.indexOf(m.deed)).count(m.node),
    read: (f) => ({
      kind: "manage",
      job: f.count(),
      deed: DEEDS[f.count(DEEDS.length - 1)]!,
      node: f.count(),
    }),
  },
  managed: {
    type: 60,
    write: (f, m) => f.count(m.job).text(m.error),
    read: (f) => ({ kind: "managed", job: f.count(), error: f.text(ERROR_BYTES_MAX) }),
  },
  export: {
    type: 62,
    write: (f, m) => f.count(m.job).count(m.from),
    read: (f) => ({ kind: "export", job: f.count(), from: f.count() }),
  },
  part: {
    type: 63,
    write: (f, m) => f.count(m.job).count(m.size).bytes(m.bytes),
    read: (f) => ({
      kind: "part",
      job: f.count(),
      size: f.count(),
      bytes: f.bytes(TABLE_PART_BYTES_MAX),
    }),
  },
  relayed: { type: 61, write: () => {}, read: () => ({ kind: "relayed" }) },
};
