/**
 * A miner of one thread for the servers of the command line that says on stdout, again and again,
 * how many nonces it has searched: so that is known of one that was killed, too.
 */
import { declareGuardedMain, mine } from "../../miner/mod.ts";

/** How often it says so. */
const SAY_MS = 20;

if (import.meta.main) {
  declareGuardedMain();
  const servers = process.argv[2]!.split(",");
  const miner = mine({ servers, threads: 1, kernel: "plain", niceness: "normal" });
  let said = -1n;
  setInterval(() => {
    const { searched } = miner.status();
    if (searched === said) return;
    said = searched;
    process.stdout.write(`${searched}\n`);
  }, SAY_MS);
}
