/**
 * How jobs stand, for those who follow them.
 *
 * @module
 */
import type { Millis } from "../base/machine.ts";
import type { Fleet } from "../work/fleet.ts";
import { UINT64_MAX } from "../work/hash.ts";
import type { Status } from "../work/messages.ts";
import { askerOf } from "./askers.ts";
import type { ServerLimits } from "./limits.ts";
import { SearchJob } from "./search_job.ts";

/** Tells the followers of all jobs; of a job that makes no progress less often. */
export function tellStatusOf(
  fleet: Fleet,
  limits: Pick<ServerLimits, "statusMs" | "statusIdleMs">,
  nowMs: Millis,
  tell: (connId: number, status: Status) => void,
): void {
  const miners = fleet.roster.workers.size;
  for (const job of fleet.jobs) {
    if (!(job instanceof SearchJob)) continue;
    const sinceMs = nowMs - job.statusMs;
    if (sinceMs < limits.statusMs) continue;
    const { done } = job.record;
    const moved = done !== job.statusDone || miners !== job.statusMiners;
    if (!moved && sinceMs < limits.statusIdleMs) continue;
    job.rate.sample(done - job.statusDone, sinceMs);
    job.statusMs = nowMs;
    job.statusDone = done;
    job.statusMiners = miners;
    if (askerOf(job).wire !== "cbor") continue;
    const status = statusOf(job, fleet);
    for (const [connId, number] of job.followers) tell(connId, { ...status, job: number });
  }
}

function statusOf(job: SearchJob, { roster, jobs }: Fleet): Status {
  const { name, done, best } = job.record;
  // A job that is alone has the whole fleet, also while too little of it is measured.
  const jobRate = jobs.size === 1 ? roster.fleetRate : (job.rate.value ?? 0);
  const status: Status = {
    kind: "status",
    job: name.number,
    done: done > UINT64_MAX ? UINT64_MAX : done,
    jobRate,
    fleetRate: roster.fleetRate,
    miners: roster.workers.size,
  };
  return best === undefined ? status : { ...status, best };
}
