/**
 * The actors of a simulated server as they are on Bun: in a system of actors, whose messages go
 * over LSP to those of other servers.
 *
 * @module
 */
import type { Params } from "../../lsp/mod.ts";
import type { Message, SystemEffect } from "../../actors/mod.ts";
import type { Wake } from "../../base/machine.ts";
import { orderMessage, queryActor, queryActorAt, type Report, reportOf } from "../../geo/actor.ts";
import type { QueryCore } from "../../geo/core.ts";
import type { QueryInput, QueryOptions } from "../../geo/types.ts";
import { ActorNode } from "../actors/node.ts";
import type { Computer } from "../engine/computer.ts";
import type { Network } from "../engine/network.ts";
import type { TraceLine } from "../engine/trace.ts";

/** Connections end soon, so that seeds see many. */
const PARAMS: Params = { epochMillis: 500, epochLimit: 4 };
/** Known to a server and its actors: there is no stranger who could tell them orders. */
const SECRET = 7;

/** What the actors of one life are made of. */
export interface WholeOptions {
  readonly seed: number;
  readonly computer: Computer;
  readonly network: Network;
  readonly trace: TraceLine | undefined;
  /** Of each actor, but for its index. */
  readonly query: Omit<QueryOptions, "index">;
  readonly onCore: (core: QueryCore, index: number) => void;
  readonly onReport: (report: Report) => void;
}

/** See the module. */
export class WholeActors {
  readonly #options: WholeOptions;
  readonly #node: ActorNode;
  #mailbox = 0;

  constructor(options: WholeOptions) {
    this.#options = options;
    const { seed, computer, network, trace, query } = options;
    const { address } = query;
    this.#node = new ActorNode({
      address,
      computer,
      network,
      seed,
      params: PARAMS,
      trace,
      boot: (node, core) => {
        const mailbox = core.openMailbox();
        this.#mailbox = mailbox.counter;
        for (let index = 0; index < query.actors; index++) {
          const onCore = (made: QueryCore): void => options.onCore(made, index);
          const make = queryActor({ ...query, index, mailbox, secret: SECRET, onCore });
          core.startActor(make, node.computer.nowMs());
        }
      },
      onEffect: (_, effect) => this.#onEffect(effect),
    });
    this.#node.start();
  }

  tell(index: number, input: QueryInput | Wake): void {
    const to = queryActorAt(this.#node.address, index);
    if (input.kind === "envelope") this.#node.tell(to, input.bytes as Message);
    else if (input.kind !== "wake") this.#node.tell(to, orderMessage(SECRET, input));
  }

  #onEffect(effect: SystemEffect): void {
    if (effect.kind === "failed") throw effect.error;
    if (effect.kind !== "mail") return;
    const core = this.#node.core!;
    for (let next = core.take(this.#mailbox); next; next = core.take(this.#mailbox)) {
      const report = reportOf(next.message);
      if (report !== undefined) this.#options.onReport(report);
    }
  }

  /** Gone with its computer. */
  crash(): void {
    this.#node.crash();
  }
}
