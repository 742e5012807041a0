/**
 * Clients of a simulated cluster: some go through sessions and send a request again until it is
 * answered, others send each once; and all read. What they were told must be the truth.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { type NodeId, plainCommand, type ReplicaAnswer, requestCommand } from "../../raft/mod.ts";
import { openCommand } from "../../raft/sessions.ts";
import type { Dice } from "../engine/dice.ts";
import { demand } from "../engine/trace.ts";
import { ledgerCommand, ledgerKey, placeIn } from "./ledger.ts";
import type { WholeWorld } from "./whole_world.ts";

/** After this without an answer a client asks again, perhaps another node. */
const PATIENCE_MS: Millis = 700;
const RETRY_MS: Millis = 40;

/** What became of requests, over all clients. */
export class Account {
  /** Places that were told, by request. */
  readonly told: Map<string, number> = new Map();
  /** Requests that were told to be lost: nobody may ever apply them. */
  readonly lost: Set<string> = new Set();
  /** The last place that anybody was told. */
  lastPlace = 0;
  reads = 0;
  unknown = 0;

  done(key: string, place: number): void {
    const before = this.told.get(key);
    demand(
      before === undefined || before === place,
      () => `${key} was answered ${before}, then ${place}`,
    );
    this.told.set(key, place);
    this.lastPlace = Math.max(this.lastPlace, place);
  }

  /** Holds what was told against what all nodes have applied. */
  check(history: readonly string[]): void {
    const counts = new Map<string, number>();
    for (const key of history) counts.set(key, (counts.get(key) ?? 0) + 1);
    for (const [key, place] of this.told) {
      demand(
        history[place - 1] === key,
        () => `${key} was told to be at place ${place}, there is ${history[place - 1]}`,
      );
    }
    for (const [key, count] of counts) {
      demand(count === 1, () => `${key} was applied ${count} times`);
      demand(!this.lost.has(key), () => `${key} was told to be lost, and was applied`);
    }
  }
}

/** One client. */
export class Client {
  readonly number: number;
  readonly #world: WholeWorld;
  readonly #account: Account;
  readonly #dice: Dice;
  readonly #hasSession: boolean;
  #session: number | undefined;
  #request = 0;
  #isOver = false;
  /** Nothing of it is under way. */
  isIdle = true;
  /** Counts tries: an answer to an older one is too late. */
  #try = 0;
  #node: NodeId;

  constructor(world: WholeWorld, account: Account, dice: Dice, number: number) {
    this.#world = world;
    this.#account = account;
    this.#dice = dice;
    this.number = number;
    this.#hasSession = number % 3 !== 0;
    this.#node = dice.pick(world.ids);
  }

  /** Asks for one thing after the other until `stop`. */
  start(): void {
    this.#next();
  }

  /** Asks for nothing new any more. */
  stop(): void {
    this.#isOver = true;
  }

  #next(): void {
    this.isIdle = true;
    if (this.#isOver) return;
    this.#world.loop.after(this.#dice.scale(2, 200), () => {
      if (this.#isOver) return;
      this.isIdle = false;
      if (this.#dice.chance(0.25)) return this.#read();
      this.#request++;
      if (this.#hasSession) this.#send();
      else this.#sendOnce();
    });
  }

  get #key(): string {
    return ledgerKey(this.number, this.#request);
  }

  get #command(): Uint8Array {
    return ledgerCommand(this.number, this.#request, (this.#request * 37) % 300);
  }

  /** Asks `command` of a node; `then` is called once, with nothing when no answer comes. */
  #submit(command: Uint8Array, then: (answer: ReplicaAnswer | undefined) => void): void {
    const attempt = ++this.#try;
    const finish = (answer: ReplicaAnswer | undefined): void => {
      if (attempt !== this.#try) return;
      this.#try++;
      if (answer?.isOk !== true) this.#node = this.#other();
      then(answer);
    };
    const world = this.#world;
    world.ask(this.#node, (id) => ({ kind: "submit", requests: [{ id, command }] }), finish);
    world.loop.after(PATIENCE_MS, () => finish(undefined));
  }

  #other(): NodeId {
    const hint = this.#world.nodes.get(this.#node)?.core?.status().leader ?? 0;
    return hint > 0 && this.#dice.chance(0.8) ? hint : this.#dice.pick(this.#world.ids);
  }

  #again(): void {
    this.#world.loop.after(RETRY_MS, () => this.#send());
  }

  /** Sends the request until it is answered; opens a session first. */
  #send(): void {
    const session = this.#session;
    if (session === undefined) {
      return this.#submit(openCommand(), (answer) => {
        if (answer?.isOk && answer.answer?.kind === "opened") this.#session = answer.answer.session;
        this.#again();
      });
    }
    const number = this.#request;
    // Numbers begin at 1 with the session; no client has two.
    this.#submit(requestCommand(session, number, number, this.#command), (answer) => {
      if (!answer?.isOk) return this.#again();
      const told = answer.answer;
      demand(told?.kind === "done", () => `${this.#key} got ${JSON.stringify(told)}`);
      this.#account.done(this.#key, placeIn(told.answer));
      this.#next();
    });
  }

  /** Sends the request once, whatever comes of it. */
  #sendOnce(): void {
    const key = this.#key;
    this.#submit(plainCommand(this.#command), (answer) => {
      if (answer?.isOk && answer.answer?.kind === "done") {
        this.#account.done(key, placeIn(answer.answer.answer));
      } else if (answer?.isOk === false) {
        if (answer.why === "unknown" || answer.why === "stopped") this.#account.unknown++;
        else this.#account.lost.add(key);
      }
      this.#next();
    });
  }

  #read(): void {
    const world = this.#world;
    const node = this.#dice.pick(world.ids);
    const least = this.#account.lastPlace;
    const attempt = ++this.#try;
    const finish = (answer: ReplicaAnswer | undefined): void => {
      if (attempt !== this.#try) return;
      this.#try++;
      if (answer?.isOk) {
        this.#account.reads++;
        const has = world.node(node).ledger.entries.length;
        demand(has >= least, () => `node ${node} read ${has} places, ${least} were told before`);
      }
      this.#next();
    };
    world.ask(node, (id) => ({ kind: "read", id, lease: false }), finish);
    world.loop.after(PATIENCE_MS, () => finish(undefined));
  }
}
