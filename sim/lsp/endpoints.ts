/**
 * The endpoints that a simulated machine may run: ours on either wire, or the stranger's.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import type { Random } from "../../base/random.ts";
import { createDialer } from "../../lsp/dialer.ts";
import { createListener } from "../../lsp/listener.ts";
import type { Address, EndpointCore, Params } from "../../lsp/mod.ts";
import type { LspLimits } from "../../lsp/params.ts";
import { StrangerEndpoint } from "./stranger.ts";

/** `native` and `classic` are ours, on that wire; `stranger` is the other implementation. */
export type DialerKind = "native" | "classic" | "stranger";
export type ListenerKind = "ours" | "stranger";

/** A listening endpoint that begins its life at `nowMs` of its machine's clock. */
export function makeListener(
  kind: ListenerKind,
  params: Params,
  limits: Partial<LspLimits>,
  random: Random,
  nowMs: Millis,
): EndpointCore {
  if (kind === "stranger") return new StrangerEndpoint(params, nowMs);
  return createListener({ params, limits, random }, nowMs);
}

/** An endpoint that dials `to` at `nowMs` of its machine's clock. */
export function makeDialer(
  kind: DialerKind,
  params: Params,
  limits: Partial<LspLimits>,
  random: Random,
  nowMs: Millis,
  to: Address,
  isn: number,
): EndpointCore {
  if (kind === "stranger") return new StrangerEndpoint(params, nowMs, { to, isn });
  const wire = kind === "classic" ? "json" : "cbor";
  return createDialer({ wire, params, limits, random, to, isn }, nowMs);
}
