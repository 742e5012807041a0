/** A node as a process of its own, that remembers every command: for tests that kill it. */
import { runNode } from "../../bench/raft_node.ts";
import { Ledger } from "../../sim/raft/ledger.ts";

await runNode(process.argv.slice(2), new Ledger());
