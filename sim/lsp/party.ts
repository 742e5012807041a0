/**
 * The program on top of an endpoint in the LSP simulation: writes what it is told to, reads fast or
 * slowly, and enters everything into the ledger.
 *
 * @module
 */
import { Endpoint } from "../../lsp/core.ts";
import type { Address, LspEvent, LspNotice, Params } from "../../lsp/mod.ts";
import type { Dice } from "../engine/dice.ts";
import { demand, type TraceLine } from "../engine/trace.ts";
import { Conduct } from "./conduct.ts";
import { watched } from "./watched.ts";
import { FORGED } from "./forgeries.ts";
import type { Host, Program } from "./host.ts";
import type { End, Ledger, Side } from "./ledger.ts";
import type { LargePlan } from "./plan.ts";
import { demandTablesBounded } from "./tables.ts";

export const LONGEST_PAYLOAD_BYTES = 1000;
const PAYLOAD_LENGTHS = [0, 1, 2, 7, 12, 12, 40, 100, 200, 200, 699, LONGEST_PAYLOAD_BYTES];
/** Tables and buffers are looked at every so many turns. */
const LOOK_TURNS = 4;
/** Above this a classic Go peer need not read it (docs/lsp.md, section 8). */
const CLASSIC_LENGTH_MAX = 700;

/** One life of a program with its endpoint. */
export class Party implements Program {
  readonly side: Side;
  /** Set right after construction: host and program know each other. */
  host!: Host;
  /** Events that the program will still read; Infinity for a fast reader. */
  allowance: number = Infinity;
  /** `close` was called. */
  closing = false;
  /** Whether strangers may have taken all connections. */
  mayBeFull = false;
  /** The large messages that it writes. */
  large: LargePlan = { share: 0, bytesMax: 0 };
  readonly #ledger: Ledger;
  readonly #trace: TraceLine | undefined;
  /** Connections that `closeConn` was called for. */
  readonly #closed = new Set<number>();
  #turns = 0;
  readonly #refusalsMs: number[] = [];

  constructor(ledger: Ledger, name: string, role: Side["role"], trace: TraceLine | undefined) {
    this.#ledger = ledger;
    this.side = ledger.newSide(name, role);
    this.#trace = trace;
  }

  onNotice(notice: LspNotice): void {
    this.#trace?.(() => `${this.side.name} notice ${JSON.stringify(notice)}`);
    switch (notice.kind) {
      case "connected":
        this.#ledger.connected(this.side, notice.connId, notice.wire);
        return;
      case "drained":
        // A dialer has drained when its one connection has ended, whichever side ended it.
        demand(
          this.closing || (this.side.role === "dialer" && this.side.ends.size > 0),
          () => `${this.side.name}: drained without close`,
        );
        demand(!this.side.drained, () => `${this.side.name}: drained twice`);
        this.side.drained = true;
        return;
      case "refused":
        this.#refused(notice.code, notice.reason);
    }
  }

  wantsEvent(): boolean {
    return this.allowance > 0;
  }

  onEvent(event: LspEvent): void {
    this.allowance--;
    const isForged = event.kind === "closed" && event.reason === FORGED;
    demand(!isForged, () => `${this.side.name}: a stranger closed connection ${event.connId}`);
    this.#trace?.(() => {
      const size = event.kind === "data" ? ` ${event.payload.length} bytes` : "";
      return `${this.side.name} read ${event.kind}${size} on ${event.connId}`;
    });
    const isClosed = this.closing || this.#closed.has(event.connId);
    demand(
      event.kind !== "data" || !isClosed,
      () => `${this.side.name}: reads data of connection ${event.connId}, which it has closed`,
    );
    this.#ledger.read(this.side, event, this.host.computer.loop.nowMs);
  }

  /** Lets every datagram of an endpoint of ours be watched. */
  watch(params: Params, to?: Address): void {
    const { core, computer } = this.host;
    if (!(core instanceof Endpoint)) return;
    this.host.bystander = new Conduct(
      watched({
        name: this.side.name,
        computer,
        limits: core.limits,
        params,
        to,
        isOpen: (connId) => !this.closing && !this.#closed.has(connId) && this.#isOpen(connId),
        readsAll: () => this.allowance === Infinity,
        readOf: (connId) => this.side.ends.get(connId)?.received ?? 0,
        turnedAway: () => turnedAway(core),
      }),
    );
  }

  #isOpen(connId: number): boolean {
    const end = this.side.ends.get(connId);
    return end !== undefined && end.ended === undefined;
  }

  /** No table and no buffer of one of our endpoints is larger than its limit. */
  afterTurn(): void {
    const { core } = this.host;
    if (!(core instanceof Endpoint)) return;
    if (++this.#turns % LOOK_TURNS !== 0) return;
    demandTablesBounded(this.side.name, core);
    const { maxQueuedBytes, maxUnreadBytes, maxUnreadBytesTotal } = core.limits;
    const { maxMessageBytes, maxReassemblyBytes } = core.limits;
    const { bytes: unreadBytes, reassemblyBytes } = core.budget;
    demand(
      unreadBytes <= maxUnreadBytesTotal && reassemblyBytes <= maxReassemblyBytes,
      () => `${this.side.name}: ${unreadBytes} bytes unread, ${reassemblyBytes} in large messages`,
    );
    for (const { connId, ended } of this.side.ends.values()) {
      const stats = ended === undefined ? core.connectionStats(connId) : undefined;
      if (stats === undefined) continue;
      demand(
        stats.queuedBytes <= Math.max(maxQueuedBytes, maxMessageBytes) &&
          stats.unreadBytes <= maxUnreadBytes + maxMessageBytes &&
          stats.unreadBytes + stats.partialBytes <= maxUnreadBytes + 2 * maxMessageBytes,
        () => `${this.side.name}: over its limits: ${JSON.stringify(stats)}`,
      );
    }
  }

  /** The connections that this program believes to be open. */
  openEnds(): End[] {
    return [...this.side.ends.values()].filter((end) => end.ended === undefined);
  }

  /** Writes up to `count` messages on `end`, fewer when the endpoint will not take them. */
  write(end: End, count: number, dice: Dice): void {
    this.host.act((core, nowMs) => {
      for (let i = 0; i < count && end.ended === undefined && !this.closing; i++) {
        const length = this.#drawLength(end, dice);
        const payload = this.#ledger.compose(end, length);
        try {
          core.write(end.connId, payload, nowMs);
        } catch (error) {
          // The end may be known to the endpoint and not yet read by the program; or it is full.
          if ((error as Error).name === "InvariantError") throw error;
          this.#trace?.(() => `${this.side.name} cannot write: ${(error as Error).message}`);
          return;
        }
        end.sent.push(payload);
        this.#trace?.(() => {
          const what = `message ${end.sent.length - 1}, ${payload.length} bytes`;
          return `${this.side.name} wrote ${what}, on ${end.connId}`;
        });
      }
    });
  }

  #drawLength(end: End, dice: Dice): number {
    const { share, bytesMax } = this.large;
    const drawn = dice.pick(PAYLOAD_LENGTHS);
    if (end.wire === "json") return Math.min(drawn, CLASSIC_LENGTH_MAX);
    if (share === 0 || !dice.chance(share)) return drawn;
    return Math.round(dice.scale(LONGEST_PAYLOAD_BYTES, bytesMax));
  }

  close(): void {
    this.#trace?.(() => `${this.side.name} closes`);
    this.host.act((core, nowMs) => {
      this.closing = true;
      core.close(nowMs);
    });
  }

  closeConn(end: End): void {
    this.#trace?.(() => `${this.side.name} closes connection ${end.connId}`);
    const slow = this.allowance < Infinity;
    const ran = this.host.act((core, nowMs) => {
      if (end.ended !== undefined || this.closing) return;
      this.#closed.add(end.connId);
      try {
        core.closeConn(end.connId, nowMs);
      } catch (error) {
        // The end may be known to the endpoint already, and wait to be read.
        if (!slow) throw error;
      }
    });
    const pending = !ran || slow || end.ended !== undefined;
    demand(pending, () => `${this.side.name}: closeConn(${end.connId}) gave no event at once`);
  }

  crash(): void {
    this.#trace?.(() => `${this.side.name} crashes`);
    this.host.computer.crash();
  }

  onCrash(): void {
    this.side.dead = true;
  }

  /** Refusals are told, but not without end. */
  #noteRefusal(): void {
    const { core, computer } = this.host;
    if (!(core instanceof Endpoint)) return;
    const nowMs = computer.nowMs();
    this.#refusalsMs.push(nowMs);
    const { maxRefusalsPerSecond } = core.limits;
    const before = this.#refusalsMs.at(-1 - 2 * maxRefusalsPerSecond);
    demand(
      before === undefined || nowMs - before >= 1000,
      () => `${this.side.name}: told of more than ${maxRefusalsPerSecond} refusals a second`,
    );
  }

  #refused(code: string, reason: string): void {
    if (this.side.role === "listener") return this.#noteRefusal();
    const isExpected =
      code === "timeout" || code === "closed" || (code === "full" && this.mayBeFull);
    const isForged = reason === FORGED;
    demand(isExpected && !isForged, () => `${this.side.name}: ${code}: ${reason}`);
    demand(this.side.ends.size === 0, () => `${this.side.name}: refused after connecting`);
    demand(this.side.refused === undefined, () => `${this.side.name}: refused twice`);
    this.side.refused = code;
  }
}

/** How often an endpoint has refused somebody for a limit. */
function turnedAway(core: Endpoint): number {
  const { flood = 0, unproven = 0 } = core.stats().rejected;
  return flood + unproven;
}
