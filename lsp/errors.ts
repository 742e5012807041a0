/**
 * The errors that LSP's users meet. Each has a `code` for programs, a message of one line for
 * people and, where it is about one connection, that connection's number.
 *
 * @module
 */
import { CodedError } from "../base/coded_error.ts";
import { atPort } from "../base/text.ts";
import type { ClosureCause, RefusalCause } from "./types.ts";

/** What went wrong, for programs. */
export type LspErrorCode =
  | "CONNECTION_LOST"
  | "CONNECTION_CLOSED"
  | "CONNECT_REFUSED"
  | "UNKNOWN_CONNECTION"
  | "PAYLOAD_TOO_LARGE"
  | "QUEUE_FULL"
  | "ADDRESS_IN_USE"
  | "UNRESOLVED_HOST"
  | "SOCKET";

/** The base of all of them; itself thrown only with the code `SOCKET`. */
export class LspError extends CodedError<LspErrorCode> {
  override name = "LspError";
  /** The connection it is about; `undefined` when it is about none. */
  readonly connId: number | undefined;

  constructor(code: LspErrorCode, message: string, connId?: number, options?: ErrorOptions) {
    super(code, message, options);
    this.connId = connId;
  }
}

/** The peer was silent for `epochLimit` epochs. Follows all data that was received before. */
export class ConnectionLost extends LspError {
  override name = "ConnectionLost";
  constructor(connId: number) {
    super("CONNECTION_LOST", `connection ${connId} lost: the peer fell silent`, connId);
  }
}

/** The connection was closed, by us or by the peer; `closure` and `reason` say why. */
export class ConnectionClosed extends LspError {
  override name = "ConnectionClosed";
  /** Why, for programs. */
  readonly closure: ClosureCause;
  /** Why, for people, in one line. */
  readonly reason: string;
  constructor(connId: number | undefined, closure: ClosureCause, reason: string) {
    const what = connId === undefined ? "endpoint" : `connection ${connId}`;
    super("CONNECTION_CLOSED", `${what} closed: ${reason}`, connId);
    this.closure = closure;
    this.reason = reason;
  }
}

/** A connection could not be made. */
export class ConnectRefused extends LspError {
  override name = "ConnectRefused";
  /** Why, for programs. */
  readonly refusal: RefusalCause;
  constructor(cause: RefusalCause, message: string) {
    super("CONNECT_REFUSED", message);
    this.refusal = cause;
  }
}

/** There is no such connection (any more). */
export class UnknownConnection extends LspError {
  override name = "UnknownConnection";
  constructor(connId: number) {
    super("UNKNOWN_CONNECTION", `there is no connection ${connId}`, connId);
  }
}

/** A message is larger than its wire carries, or than the peer takes. */
export class PayloadTooLarge extends LspError {
  override name = "PayloadTooLarge";
  /** `limit` bytes would do; `name` says whose limit that is. */
  constructor(connId: number, bytes: number, limit: number, name: string) {
    const text = `cannot send ${bytes} bytes: a message has at most ${limit} (${name})`;
    super("PAYLOAD_TOO_LARGE", text, connId);
  }
}

/** Too much waits to be sent or acknowledged; write again later. */
export class QueueFull extends LspError {
  override name = "QueueFull";
  /** `queued` bytes or messages wait already; `name` is that of the limit. */
  constructor(connId: number, queued: number, limit: number, name: string) {
    const unit = name === "maxQueuedMessages" ? "messages" : "bytes";
    const text = `cannot queue more than ${limit} ${unit} (${name}): ${queued} wait`;
    super("QUEUE_FULL", text, connId);
  }
}

/** Another program listens there already. */
export class AddressInUse extends LspError {
  override name = "AddressInUse";
  constructor(host: string, port: number, options?: ErrorOptions) {
    const text = `${atPort(host, port)} is in use by another program`;
    const wayOut = "stop that one, or name another port";
    super("ADDRESS_IN_USE", `${text}; ${wayOut}`, undefined, options);
  }
}

/** A host name has no address. */
export class UnresolvedHost extends LspError {
  override name = "UnresolvedHost";
  /** `why`, in a few words. */
  constructor(host: string, why: string, options?: ErrorOptions) {
    super("UNRESOLVED_HOST", `cannot find the host ${host}: ${why}`, undefined, options);
  }
}
