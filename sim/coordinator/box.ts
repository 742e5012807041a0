/**
 * One server's computer with its disk, through all the lives of the server.
 *
 * @module
 */
import type { Millis } from "../../base/machine.ts";
import { seededRandom } from "../../base/random.ts";
import type { ReplicaCore } from "../../raft/replica.ts";
import type { ServerNode } from "../../server/node.ts";
import { Computer } from "../engine/computer.ts";
import { type DiskFaults, SimulatedDisk } from "../engine/disk.ts";
import type { Loop } from "../engine/loop.ts";

/** Where a server listens. */
export function addressOf(server: number): string {
  return `10.0.0.${server}:6060`;
}

/** What is looked at of a server that runs. */
export interface RunningServer {
  readonly node: ServerNode;
  readonly replica: ReplicaCore;
}

/** See the module. */
export class ServerBox {
  readonly number: number;
  /** Where it listens. */
  readonly place: string;
  readonly disk: SimulatedDisk;
  readonly computer: Computer;
  /** A server that runs. */
  server: RunningServer | undefined;
  lives = 0;
  /** When it was seen last to know of a leader. */
  ledMs: Millis = 0;

  constructor(loop: Loop, seed: number, number: number, place: string, faults: DiskFaults) {
    this.number = number;
    this.place = place;
    this.disk = new SimulatedDisk(loop, seededRandom(seed, 500 + number), faults);
    this.computer = new Computer({ name: `server ${number}`, loop, disks: [this.disk] });
  }

  /** Whether it leads, or knows who does. */
  get isLed(): boolean {
    return this.leads || (this.server?.replica.leader.node ?? 0) !== 0;
  }

  get leads(): boolean {
    return this.server?.node.leads === true;
  }
}
