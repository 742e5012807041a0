/**
 * The connections that a server which does not lead has with the leader, one for each classic peer.
 *
 * @module
 */
import type { Params } from "../lsp/mod.ts";
import { targetOf } from "../peer/targets.ts";
import { Uplink } from "../peer/uplink_adapter.ts";
import type { NodeInput } from "./types.ts";

/** See the module. */
export class RelayLinks {
  readonly #links = new Map<number, Uplink>();
  readonly #tell: (input: NodeInput) => void;
  readonly #appVersion: number;
  readonly #params: Params | undefined;
  /** Connections that are being closed. */
  readonly #goodbyes = new Set<Promise<void>>();

  constructor(tell: (input: NodeInput) => void, appVersion: number, params: Params | undefined) {
    this.#tell = tell;
    this.#appVersion = appVersion;
    this.#params = params;
  }

  dial(connId: number, server: string): void {
    this.drop(connId);
    const target = targetOf(server, true, this.#params);
    const link = new Uplink(
      { ...target, appVersion: this.#appVersion },
      {
        onConnected: () => this.#tell({ kind: "dialled", connId }),
        onPayload: (payload) => this.#tell({ kind: "passed", connId, payload }),
        onGone: () => {
          if (this.#links.get(connId) !== link) return;
          this.#links.delete(connId);
          this.#tell({ kind: "dropped", connId });
        },
      },
    );
    this.#links.set(connId, link);
    link.dial();
  }

  pass(connId: number, payload: Uint8Array): void {
    this.#links.get(connId)?.write(payload);
  }

  drop(connId: number): void {
    const link = this.#links.get(connId);
    if (link === undefined) return;
    this.#links.delete(connId);
    const goodbye = link.close().catch(() => {});
    this.#goodbyes.add(goodbye);
    void goodbye.then(() => this.#goodbyes.delete(goodbye));
  }

  /** Ends all. */
  async close(): Promise<void> {
    for (const connId of this.#links.keys()) this.drop(connId);
    await Promise.all(this.#goodbyes);
  }
}
