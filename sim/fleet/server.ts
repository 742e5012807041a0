/**
 * The simulated server: the real core on a real listener, with the oracle watching every message
 * that goes in and out.
 *
 * @module
 */
import { createListener } from "../../lsp/listener.ts";
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import { ServerCore } from "../../server/core.ts";
import type { ServerEffect, ServerInput } from "../../server/types.ts";
import { classicResult, decodeClassicMessage, encodeClassicMessage } from "../../work/classic.ts";
import { decodeMessage, encodeMessage } from "../../work/wire.ts";
import type { Quirks } from "../engine/computer.ts";
import { Process } from "../engine/process.ts";
import { demand } from "../engine/trace.ts";
import { describeMessage } from "../lsp/describe.ts";
import type { Host, Program } from "../lsp/host.ts";
import { cheapHash, messageOf } from "./cheap_hash.ts";
import { demandSound } from "./check.ts";
import { type FleetWorld, SERVER, SERVER_ADDRESS } from "./world.ts";

/** One life of the server. */
export class ServerMachine implements Program {
  readonly core: ServerCore;
  readonly host: Host;
  readonly #world: FleetWorld;
  readonly #process: Process<ServerInput, ServerEffect>;
  readonly #closing = new Set<number>();
  /** Messages of the jobs by `connection/number`. */
  readonly #messages = new Map<string, string>();
  readonly #requests = new Map<number, number>();
  readonly #answers = new Map<number, number>();
  /** Assigns seen so far, for planting a fault. */
  #assigns = 0;

  constructor(world: FleetWorld, quirks: Quirks) {
    this.#world = world;
    const computer = world.computer(SERVER, quirks);
    this.core = new ServerCore({
      hash: (subject, nonce) => cheapHash(messageOf(subject), nonce),
      onAccept: ({ client, job, lower, upper, miner }) => {
        const message = this.#messageOf(client, job);
        if (miner === undefined) world.oracle.hashed(message, lower, upper);
        world.oracle.accepted(message, lower, upper);
      },
    });
    this.#process = new Process({
      computer,
      core: this.core,
      carryOut: (effect) => this.#carryOut(effect),
      afterInput: () => demandSound(this.core),
    });
    const random = world.newRandom();
    const endpoint = createListener({ params: world.params, random }, computer.nowMs());
    this.host = world.addHost(SERVER, computer, endpoint, this, SERVER_ADDRESS);
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `server ${JSON.stringify(notice)}`);
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    const { connId } = event;
    if (event.kind !== "data") {
      this.#world.trace?.(() => `server: connection ${connId} ${event.kind}`);
      this.#closing.delete(connId);
      return this.#process.tell({ kind: "gone", connId });
    }
    const { wire, payload } = event;
    this.#watchIncoming(connId, wire === "json", payload);
    this.#process.tell({ kind: "payload", connId, wire, payload });
  }

  #carryOut(effect: ServerEffect): void {
    if (effect.kind === "log") {
      this.#world.trace?.(() => `server log: ${effect.text}`);
      return;
    }
    const { connId } = effect;
    if (effect.kind === "close") return this.#close(connId);
    if (this.#closing.has(connId)) return;
    const isClassic = effect.payload[0] === 0x7b;
    if (this.#watchOutgoing(connId, isClassic, effect.payload)) return;
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, effect.payload, nowMs);
      } catch (error) {
        this.#world.trace?.(() => `server cannot write: ${(error as Error).message}`);
        if ((error as { code?: string }).code === "QUEUE_FULL") this.#close(connId);
      }
    });
  }

  #close(connId: number): void {
    this.#closing.add(connId);
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.closeConn(connId, nowMs);
      } catch {
        // It is gone already; its end waits to be read.
      }
    });
  }

  #messageOf(client: number, job: number): string {
    const message = this.#messages.get(`${client}/${job}`);
    demand(message !== undefined, () => `the server works on an unknown job ${client}/${job}`);
    return message;
  }

  #watchIncoming(connId: number, isClassic: boolean, payload: Uint8Array): void {
    const message = isClassic ? decodeClassicMessage(payload) : decodeMessage(payload);
    demand(typeof message !== "string", () => `${connId} sent what nobody understands: ${message}`);
    this.#world.trace?.(() => `server <- ${connId} ${describeMessage(message)}`);
    if ("kind" in message) {
      if (message.kind === "submit")
        this.#messages.set(`${connId}/${message.job}`, messageOf(message.work.subject));
    } else if (message.type === 1) {
      const number = (this.#requests.get(connId) ?? 0) + 1;
      this.#requests.set(connId, number);
      this.#messages.set(`${connId}/${number}`, message.data);
    }
  }

  /** True when the message must not go out: a planted fault. */
  #watchOutgoing(connId: number, isClassic: boolean, payload: Uint8Array): boolean {
    const message = isClassic ? decodeClassicMessage(payload) : decodeMessage(payload);
    demand(typeof message !== "string", () => `server said what nobody understands: ${message}`);
    this.#world.trace?.(() => `server -> ${connId} ${describeMessage(message)}`);
    const { oracle, plant } = this.#world;
    if ("kind" in message) {
      if (message.kind === "answer") {
        oracle.serverAnswers(this.#messageOf(connId, message.job), message);
      }
      if (message.kind === "refused") demand(false, () => `the server refused: ${message.reason}`);
      if (message.kind === "assign" && plant === "lose-chunk" && ++this.#assigns === 3) {
        const { chunk, work } = message;
        const { subject, lower } = work;
        const best = { hash: cheapHash(messageOf(subject), lower), nonce: lower };
        this.#pretend(connId, "cbor", encodeMessage({ kind: "result", chunk, best }));
        return true;
      }
      return false;
    }
    const best = { hash: message.hash, nonce: message.nonce };
    if (message.type === 2) {
      const number = (this.#answers.get(connId) ?? 0) + 1;
      this.#answers.set(connId, number);
      oracle.serverAnswers(this.#messageOf(connId, number), { best, met: true });
    } else if (plant === "lose-chunk" && ++this.#assigns === 3) {
      const { data, lower } = message;
      const result = classicResult({ hash: cheapHash(data, lower), nonce: lower });
      this.#pretend(connId, "json", encodeClassicMessage(result));
      return true;
    }
    return false;
  }

  #pretend(connId: number, wire: "cbor" | "json", payload: Uint8Array): void {
    this.#world.loop.after(1, () => {
      if (!this.host.isAlive) return;
      this.host.act(() => this.#process.tell({ kind: "payload", connId, wire, payload }));
    });
  }
}
