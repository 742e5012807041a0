/**
 * The last act of a fleet run, on a healed network among miners that are well: what the scheduler
 * promises of shares, of waste and of the end of a job (docs/scheduling.md) is held against the
 * clock and against every nonce that was hashed.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { PLAIN } from "../engine/computer.ts";
import type { Dice } from "../engine/dice.ts";
import { calmFaults } from "../../base/link.ts";
import { demand } from "../engine/trace.ts";
import { ClientMachine } from "./client.ts";
import { MinerMachine } from "./miner.ts";
import type { JobRecord } from "./oracle.ts";
import { CALM_LATENCY_MS, type JobPlan } from "./plan.ts";
import type { ServerMachine } from "./server.ts";
import type { StrangerMiner } from "./strangers.ts";
import type { FleetWorld } from "./world.ts";

/** What an act needs of the run. */
export interface Stage {
  readonly world: FleetWorld;
  readonly server: ServerMachine;
  readonly miners: ReadonlyMap<string, MinerMachine | StrangerMiner>;
  runFor(ms: Millis): void;
}

/** What can be played, and what it holds the fleet to. */
const ACTS = ["alone", "share", "accounts", "cancel", "straggler", "freeze", "slow"] as const;

/** docs/scheduling.md: the oldest job's share, and a full chunk. */
const OLDEST_SHARE = 0.25;
const CHUNK_S = 1;
/** A short job of t seconds alone ends within this, and 4/3 t, beside others. */
const SHORT_JOB_S = CHUNK_S + 2 * OLDEST_SHARE * CHUNK_S;
/** Round trips, reports that come now and then, and the last chunks of a job. */
const SLACK_S = 0.5;
/** The same of a job that is alone; and of a short one that may revoke what waits in queues. */
const ALONE_SLACK_S = 0.35;
const FIRST_SLACK_S = 0.9;
const SHARE_SLACK_S = 0.15;
/** A new or blind miner that is late may cost so much more, once. */
const LATE_S = 2.5;
/** A slow miner may hold so many seconds of its own work. */
const OVERSIZED_S = 16;
const LOOK_MS = 10;
const PATIENCE_S = 60;
const REPAIR_MS = 1000;
/** A word that a job is over is with every miner within this ... */
const STOP_MS: Millis = 4 * CALM_LATENCY_MS + 10;
/** ... and the time for so many words before it, each a window's worth acknowledged. */
const WORDS_BEFORE = 24;

/** See the module. */
export class Epilogue {
  readonly #stage: Stage;
  readonly #dice: Dice;
  /** All who asked for something. */
  readonly clients: ClientMachine[] = [];

  constructor(stage: Stage, dice: Dice) {
    this.#stage = stage;
    this.#dice = dice;
  }

  play(): void {
    const act = this.#dice.pick(ACTS, "epilogue");
    this.#stage.world.trace?.(() => `---- epilogue: ${act} ----`);
    this.#warmUp();
    if (act === "alone") this.#alone();
    else if (act === "share") this.#share();
    else if (act === "accounts") this.#accounts();
    else if (act === "cancel") this.#cancel();
    else if (act === "straggler") this.#straggler();
    else if (act === "freeze") this.#freeze();
    else this.#slow();
  }

  /** Nonces a second of the miners that the server has seen to work, and that do. */
  get #rate(): number {
    let rate = 0;
    for (const { connId, standing } of this.#stage.server.snapshot().miners) {
      const miner = this.#minerOn(connId);
      if (standing === "proven" && miner?.plan.conduct === "honest") {
        rate += miner.plan.noncesPerSecond;
      }
    }
    return rate;
  }

  /** Whether everybody who has joined works, and is known to. */
  get #isSound(): boolean {
    if (this.#hasRogues) return false;
    return this.#stage.server.snapshot().miners.every(({ connId, standing }) => {
      return standing === "proven" && this.#minerOn(connId)?.plan.conduct === "honest";
    });
  }

  get #hasRogues(): boolean {
    return [...this.#stage.miners.values()].some(({ plan }) => plan.conduct !== "honest");
  }

  /** What miners that are new, or will not work, may cost. */
  get #lateS(): number {
    return this.#hasRogues ? 4 * LATE_S : this.#isSound ? 0 : LATE_S;
  }

  get #stopMs(): Millis {
    const { windowSize } = this.#stage.world.params;
    return STOP_MS + (WORDS_BEFORE * 2 * CALM_LATENCY_MS) / windowSize;
  }

  #minerOn(connId: number): MinerMachine | StrangerMiner | undefined {
    const name = this.#stage.server.nameOf(connId);
    return name === undefined ? undefined : this.#stage.miners.get(name);
  }

  /** What was lost and is not known to be lost is missed; and every miner shows what it can. */
  #warmUp(): void {
    const { world } = this.#stage;
    const { epochLimit, epochMillis } = world.params;
    this.#stage.runFor((epochLimit + 2) * epochMillis + REPAIR_MS);
    world.oracle.demandStops(this.#stopMs);
    let all = 0;
    for (const { plan } of this.#stage.miners.values()) {
      if (plan.conduct === "honest") all += plan.noncesPerSecond;
    }
    const client = this.#ask("warm", [{ seconds: 1 }], all);
    this.#expectAnswer(client, PATIENCE_S, "the first");
  }

  /** A job that has the fleet for itself takes its time, and little more. */
  #alone(): void {
    const seconds = this.#dice.real(0.5, 3);
    const client = this.#ask("alone", [{ seconds }]);
    const most = seconds + ALONE_SLACK_S + this.#lateS;
    this.#expectAnswer(client, most, `${seconds.toFixed(2)} s alone`);
    this.#demandNothingTwice(client);
  }

  /** A job that is older and longer keeps its share, and the short one is not held up. */
  #share(): void {
    const seconds = this.#dice.real(4, 5);
    const rate = this.#rate;
    this.#ask("elder", [{ seconds: 12 }]);
    this.#stage.runFor(this.#dice.real(300, 1200));
    const young = this.#ask("young", [{ seconds }]);
    const most = SHORT_JOB_S + seconds / (1 - OLDEST_SHARE) + SHARE_SLACK_S + this.#lateS;
    this.#expectAnswer(young, most, `${seconds.toFixed(2)} s beside a longer one`);
    if (!this.#isSound) return;
    const [record] = this.#records(young);
    const got = record!.othersBefore / rate;
    const all = got + record!.handedOut / rate;
    // Credit may be owed from before, and a chunk be under way when the last is handed out.
    const slack = (2 * OLDEST_SHARE + OLDEST_SHARE) * CHUNK_S;
    const due = OLDEST_SHARE * all;
    demand(
      got >= due - slack && got <= due + slack,
      () =>
        `the oldest job got ${got.toFixed(2)} s of ${all.toFixed(2)} s, ` +
        `due are ${due.toFixed(2)} s within ${slack} s`,
    );
  }

  /** Many short jobs of one client weigh as much as one long one. */
  #accounts(): void {
    const many = Array.from({ length: 10 }, () => ({ seconds: 0.4 }));
    this.#ask("many", many);
    const seconds = this.#dice.real(0.8, 1);
    // What it has cancelled weighs nothing.
    const one = this.#ask("one", [
      { seconds: 20, cancelAfterMs: 50 },
      { seconds, afterMs: 100 },
    ]);
    const most = seconds / (1 - OLDEST_SHARE) + FIRST_SLACK_S + this.#lateS;
    this.#expectAnswer(one, most, `${seconds.toFixed(2)} s beside ten of another client`);
  }

  /** Nobody hashes for a client that has cancelled; others have the fleet. */
  #cancel(): void {
    const cancelAfterMs = this.#dice.real(100, 1500);
    const fickle = this.#ask("fickle", [{ seconds: 10, cancelAfterMs }]);
    this.#stage.runFor(cancelAfterMs + this.#stopMs);
    const [record] = this.#records(fickle);
    // Beyond that every hashed nonce of it is a fault: see `FleetOracle.hashed`.
    const next = this.#ask("next", [{ seconds: 0.5 }]);
    this.#expectAnswer(next, 0.5 + SLACK_S + this.#lateS + CHUNK_S, "0.5 s after a cancelled one");
    const { wasted } = record!;
    const mostWasted = (this.#rate * this.#stopMs) / 1000;
    demand(
      Number(wasted) <= mostWasted,
      () => `${wasted} nonces were hashed for a cancelled job, ${mostWasted.toFixed(0)} may be`,
    );
  }

  /** One miner becomes slow in the midst of a job: the others take over from it. */
  #straggler(): void {
    const natives = [...this.#stage.miners.values()].filter((miner) => {
      return miner instanceof MinerMachine && miner.plan.kind === "native" && miner.connected;
    });
    const rate = this.#rate;
    const slow = natives.find(({ plan }) => plan.conduct === "honest" && natives.length > 1);
    if (slow === undefined || !this.#isSound) return this.#alone();
    const left = rate - 0.95 * slow.plan.noncesPerSecond;
    const seconds = 2;
    const client = this.#ask("late", [{ seconds }]);
    this.#stage.runFor(1000);
    slow.pool.slowDown(20);
    const most = 1 + ((seconds - 1) * rate) / left + 2 * SLACK_S;
    this.#expectAnswer(client, most + CHUNK_S, `${seconds} s, half of it with a slow miner`);
    slow.pool.slowDown(1);
  }

  /** The threads of one miner stand in the midst of a job: it is late, and others do its part. */
  #freeze(): void {
    const frozen = this.#pickMiner();
    const rate = this.#rate;
    const left = rate - (frozen?.plan.noncesPerSecond ?? rate);
    // Beside one that does nearly everything the others would take for ever.
    if (frozen === undefined || left < rate / 3 || !this.#isSound) return this.#alone();
    const isBlind = frozen.plan.kind !== "native";
    const client = this.#ask("cold", [{ seconds: 2 }]);
    this.#stage.runFor(700);
    frozen.stand(15_000);
    // A classic one is late at twice its time and a half second; what it held is at most a chunk.
    const lateS = isBlind ? 2 * CHUNK_S + 0.5 : 1;
    const held = CHUNK_S * frozen.plan.noncesPerSecond;
    const most = (1.3 * rate + held) / left + lateS + SLACK_S;
    this.#expectAnswer(client, most, `2 s with a miner that stands from 0.7 s on`);
  }

  /** A miner that becomes slow does not keep what it took when it was quick. */
  #slow(): void {
    const slow = this.#pickMiner();
    if (!(slow instanceof MinerMachine) || slow.plan.kind !== "native" || !this.#isSound) {
      return this.#alone();
    }
    const factor = 50;
    this.#ask("long", [{ seconds: 30 }]);
    this.#stage.runFor(1500);
    slow.pool.slowDown(factor);
    this.#stage.runFor(9000);
    const known = this.#stage.server.snapshot().miners.find(({ connId }) => {
      return this.#minerOn(connId) === slow;
    });
    const held = (known?.chunks ?? []).reduce((sum, { next, heldEnd, stopping }) => {
      return stopping ? sum : sum + Number(heldEnd - next);
    }, 0);
    const most = (slow.plan.noncesPerSecond / factor) * OVERSIZED_S;
    slow.pool.slowDown(1);
    demand(
      held <= most,
      () => `${slow.plan.name} is slow, and holds ${held} nonces, ${most.toFixed(0)} may be`,
    );
  }

  /** One that works, of several. */
  #pickMiner(): MinerMachine | StrangerMiner | undefined {
    const working = [...this.#stage.miners.values()].filter((miner) => miner.connected);
    if (working.length < 2) return undefined;
    return working[this.#dice.integer(0, working.length - 1)];
  }

  #ask(
    name: string,
    jobs: readonly {
      readonly seconds: number;
      readonly cancelAfterMs?: Millis;
      readonly afterMs?: Millis;
    }[],
    rate = this.#rate,
  ): ClientMachine {
    const { world } = this.#stage;
    const plans = jobs.map(({ seconds, cancelAfterMs = Infinity, afterMs = 0 }): JobPlan => {
      const atMs = world.loop.nowMs + afterMs;
      const units = BigInt(Math.max(1, Math.round(seconds * rate)));
      return { atMs, cancelAfterMs, lower: 1n, upper: units, hits: undefined };
    });
    const link = calmFaults(CALM_LATENCY_MS);
    const machine = { name, kind: "native", up: link, down: link, quirks: PLAIN } as const;
    const client = new ClientMachine(world, { ...machine, mishaps: [], jobs: plans });
    this.clients.push(client);
    return client;
  }

  #records({ plan }: ClientMachine): JobRecord[] {
    const { jobs } = this.#stage.world.oracle;
    return plan.jobs.flatMap((_, i) => jobs.get(`${plan.name} job ${i + 1} life 1.1`) ?? []);
  }

  #expectAnswer(client: ClientMachine, mostS: number, what: string): void {
    const { world } = this.#stage;
    const sinceMs = world.loop.nowMs;
    while (!client.satisfied) {
      const seconds = (world.loop.nowMs - sinceMs) / 1000;
      demand(
        seconds <= mostS,
        () => `a job of ${what} is not answered after ${mostS.toFixed(2)} s`,
      );
      this.#stage.runFor(LOOK_MS);
    }
  }

  /** Where every miner can be steered, no nonce is hashed twice. */
  #demandNothingTwice(client: ClientMachine): void {
    const { miners } = this.#stage.server.snapshot();
    if (!this.#isSound || miners.some(({ wire }) => wire !== "cbor")) return;
    for (const { work, hashedAgain } of this.#records(client)) {
      demand(hashedAgain === 0n, () => `${work.message}: ${hashedAgain} nonces were hashed twice`);
    }
  }
}
