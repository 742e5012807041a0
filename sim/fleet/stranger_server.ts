/**
 * A server as a student of the classic course would write it, with none of our code but the clock:
 * jobs in order of arrival, pieces of one size, one at a time for each miner, a lost miner's piece
 * given to another. Our miners and clients must get along with it over the json wire.
 *
 * @module
 */
import type { LspEvent, LspNotice } from "../../lsp/mod.ts";
import type { Quirks } from "../engine/computer.ts";
import { demand } from "../engine/trace.ts";
import type { Host, Program } from "../lsp/host.ts";
import { StrangerEndpoint } from "../lsp/stranger.ts";
import { readText, type StrangerText, writeText } from "./stranger_text.ts";
import { type FleetWorld, SERVER, SERVER_ADDRESS } from "./world.ts";

/** Nonces of a piece: half a second of the slowest miner that such a server gets. */
const PIECE_NONCES = 10_000n;

const utf8 = new TextEncoder();
const text = new TextDecoder("utf-8", { ignoreBOM: true });

interface Job {
  readonly client: number;
  readonly message: string;
  readonly upper: bigint;
  /** Where the next new piece begins. */
  next: bigint;
  /** Pieces that lost miners left. */
  readonly left: Piece[];
  /** Pieces that miners have. */
  open: number;
  best: { readonly hash: bigint; readonly nonce: bigint } | undefined;
}

interface Piece {
  readonly job: Job;
  readonly lower: bigint;
  readonly upper: bigint;
}

/** One life of it. */
export class StrangerServer implements Program {
  readonly host: Host;
  readonly #world: FleetWorld;
  /** What each miner works on. */
  readonly #miners = new Map<number, Piece | undefined>();
  #jobs: Job[] = [];

  constructor(world: FleetWorld, quirks: Quirks) {
    this.#world = world;
    const computer = world.computer(SERVER, quirks);
    const endpoint = new StrangerEndpoint(world.params, computer.nowMs());
    this.host = world.addHost(SERVER, computer, endpoint, this, SERVER_ADDRESS);
  }

  /** It has no books to look at. */
  snapshot(): undefined {
    return undefined;
  }

  onNotice(notice: LspNotice): void {
    this.#world.trace?.(() => `classic server ${JSON.stringify(notice)}`);
  }

  wantsEvent(): boolean {
    return true;
  }

  onEvent(event: LspEvent): void {
    const { connId } = event;
    if (event.kind !== "data") {
      this.#world.trace?.(() => `classic server: connection ${connId} ${event.kind}`);
      this.#forget(connId);
    } else {
      const said = text.decode(event.payload);
      this.#world.trace?.(() => `classic server <- ${connId} ${said}`);
      this.#read(connId, readText(said));
    }
    this.#handOut();
  }

  #read(connId: number, { type, data, lower, upper, hash, nonce }: StrangerText): void {
    if (type === 0) this.#miners.set(connId, undefined);
    else if (type === 1) {
      const job = { client: connId, message: data, upper, next: lower, left: [], open: 0 };
      this.#jobs.push({ ...job, best: undefined });
    } else this.#finish(connId, { hash, nonce });
  }

  #finish(connId: number, best: NonNullable<Job["best"]>): void {
    const piece = this.#miners.get(connId);
    demand(piece, () => `connection ${connId} sends the classic server a Result unasked`);
    this.#miners.set(connId, undefined);
    const { job, lower, upper } = piece;
    job.open--;
    if (!this.#jobs.includes(job)) return;
    const { oracle } = this.#world;
    oracle.accepted(job.message, lower, upper);
    const isBetter =
      job.best === undefined ||
      best.hash < job.best.hash ||
      (best.hash === job.best.hash && best.nonce < job.best.nonce);
    if (isBetter) job.best = best;
    if (job.open > 0 || job.left.length > 0 || job.next <= job.upper) return;
    this.#jobs = this.#jobs.filter((each) => each !== job);
    oracle.serverAnswers(job.message, { best: job.best!, met: true });
    this.#send(job.client, { type: 2, ...job.best });
  }

  #forget(connId: number): void {
    this.#jobs = this.#jobs.filter(({ client }) => client !== connId);
    const piece = this.#miners.get(connId);
    this.#miners.delete(connId);
    if (piece === undefined) return;
    piece.job.open--;
    piece.job.left.push(piece);
  }

  #handOut(): void {
    for (const [connId, piece] of this.#miners) {
      if (piece !== undefined) continue;
      const next = this.#takePiece();
      if (next === undefined) return;
      this.#miners.set(connId, next);
      const { job, lower, upper } = next;
      this.#send(connId, { type: 1, data: job.message, lower, upper });
    }
  }

  #takePiece(): Piece | undefined {
    const job = this.#jobs.find(({ next, upper, left }) => left.length > 0 || next <= upper);
    if (job === undefined) return undefined;
    job.open++;
    const left = job.left.pop();
    if (left !== undefined) return left;
    const lower = job.next;
    const last = lower + PIECE_NONCES - 1n;
    const upper = last < job.upper ? last : job.upper;
    job.next = upper + 1n;
    return { job, lower, upper };
  }

  #send(connId: number, message: Partial<StrangerText>): void {
    const said = writeText(message);
    this.#world.trace?.(() => `classic server -> ${connId} ${said}`);
    this.host.act((endpoint, nowMs) => {
      try {
        endpoint.write(connId, utf8.encode(said), nowMs);
      } catch {
        // It is gone; that waits to be read.
      }
    });
  }
}
