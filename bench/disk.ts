/**
 * What a durable append costs, beside the least that it can cost: `bun run bench/disk.ts
 * [--seconds 2] [--directory DIR]`. N stores of one record each are asked for together, and the
 * next N when all are stored; the limit is a bare loop that writes as many bytes into a zero-filled
 * file and syncs it on Bun's pool. Then: how long a restart with many records takes.
 *
 * @module
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { openDisk } from "../run/disk.ts";
import { median } from "./median.ts";
import { benchOptions, count } from "./options.ts";

const options = benchOptions(import.meta.path, {
  seconds: count(2, "how long each case is measured"),
  directory: { value: "DIR", default: tmpdir(), help: "where the files are written" },
});

const RECORD_BYTES = 128;
const BATCHES = [1, 10, 100, 1000];
const ROUNDS = 3;
const RESTART_RECORDS = 1_000_000;
const BARE_BYTES = 64 << 20;

const roundMs = (options.number("seconds") * 1000) / ROUNDS;
const root = fs.mkdtempSync(`${options.text("directory")}/motherlode-bench-`);

/** Entries a second, and the median time of a round trip in microseconds. */
interface Speed {
  readonly perSecond: number;
  readonly medianUs: number;
}

async function measured(batch: number, roundTrip: () => Promise<void>): Promise<Speed> {
  const times: number[] = [];
  const beganMs = performance.now();
  let nowMs = beganMs;
  while (nowMs - beganMs < roundMs) {
    await roundTrip();
    const thenMs = performance.now();
    times.push(thenMs - nowMs);
    nowMs = thenMs;
  }
  const perSecond = (times.length * batch * 1000) / (nowMs - beganMs);
  return { perSecond, medianUs: median(times) * 1000 };
}

/** The limit: one write and one sync of as many bytes as the records have. */
async function bare(batch: number): Promise<Speed> {
  const path = `${root}/bare`;
  const fd = fs.openSync(path, "w+");
  const zeros = new Uint8Array(1 << 20);
  for (let at = 0; at < BARE_BYTES; at += zeros.length)
    fs.writeSync(fd, zeros, 0, zeros.length, at);
  fs.fsyncSync(fd);
  const bytes = new Uint8Array(batch * RECORD_BYTES).fill(7);
  let at = 0;
  const speed = await measured(batch, () => {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    if (at + bytes.length > BARE_BYTES) at = 0;
    fs.write(fd, bytes, 0, bytes.length, at, (error) => {
      if (error) return reject(error);
      fs.fdatasync(fd, (failure) => (failure ? reject(failure) : resolve()));
    });
    at += bytes.length;
    return promise;
  });
  fs.closeSync(fd);
  fs.unlinkSync(path);
  return speed;
}

async function ours(batch: number): Promise<Speed> {
  const directory = `${root}/ours`;
  const { disk } = openDisk({ directory, kind: "bench" });
  let wanted = 0;
  let waiting = Promise.withResolvers<void>();
  disk.start((input) => {
    if (input.kind === "disk") waiting.reject(new Error(input.reason));
    if (input.kind === "stored" && input.token === wanted) waiting.resolve();
  });
  const record = new Uint8Array(RECORD_BYTES).fill(7);
  const speed = await measured(batch, () => {
    waiting = Promise.withResolvers<void>();
    for (let i = 0; i < batch; i++) {
      disk.handle({ kind: "store", token: ++wanted, log: { at: wanted, records: [record] } });
    }
    return waiting.promise;
  });
  await disk.close();
  fs.rmSync(directory, { recursive: true });
  return speed;
}

async function compare(): Promise<void> {
  const rows = [];
  for (const batch of BATCHES) {
    const limit: Speed[] = [];
    const log: Speed[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      limit.push(await bare(batch));
      log.push(await ours(batch));
    }
    const least = median(limit.map(({ perSecond }) => perSecond));
    const got = median(log.map(({ perSecond }) => perSecond));
    rows.push({
      "stores together": batch,
      "limit/s": Math.round(least),
      "log/s": Math.round(got),
      share: (got / least).toFixed(2),
      "limit p50 us": Math.round(median(limit.map(({ medianUs }) => medianUs))),
      "log p50 us": Math.round(median(log.map(({ medianUs }) => medianUs))),
    });
  }
  console.log(Bun.inspect.table(rows));
}

async function restart(): Promise<void> {
  const directory = `${root}/restart`;
  const { disk } = openDisk({ directory, kind: "bench" });
  const done = Promise.withResolvers<void>();
  let token = 0;
  disk.start((input) => {
    if (input.kind === "disk") done.reject(new Error(input.reason));
    if (input.kind === "stored" && input.token === token) done.resolve();
  });
  const each = 10;
  for (let at = 1; at <= RESTART_RECORDS; at += each) {
    const records = Array.from({ length: each }, (_, i) => {
      return new Uint8Array(RECORD_BYTES).fill(at + i);
    });
    disk.handle({ kind: "store", token: ++token, log: { at, records } });
  }
  await done.promise;
  const { usedBytes } = disk.stats();
  await disk.close();
  const beganMs = performance.now();
  const { disk: again, state } = openDisk({ directory, kind: "bench" });
  const openedMs = performance.now();
  let sum = 0;
  for (let i = state.records.first; i < state.records.next; i++) sum += state.records.at(i).length;
  const readMs = performance.now();
  await again.close();
  if (sum !== RESTART_RECORDS * RECORD_BYTES) throw new Error("records are missing");
  console.log({
    "records of 128 bytes": RESTART_RECORDS,
    "MiB of log": Math.round(usedBytes / 2 ** 20),
    "opened after ms": Math.round(openedMs - beganMs),
    "all read after ms": Math.round(readMs - beganMs),
  });
}

try {
  await compare();
  await restart();
} finally {
  fs.rmSync(root, { recursive: true, force: true });
}
