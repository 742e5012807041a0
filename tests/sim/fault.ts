/** How the tables of semantic faults are written; see mutants.ts. */
import type { Mutant } from "../../tools/mutants.ts";

/** A fault: the line of a file, what it becomes, what that breaks, and why it survives, if so. */
export type FaultOf = (
  file: string,
  line: string,
  becomes: string,
  breaks: string,
  survives?: string,
) => Mutant;

/** Writes faults that one harness of the simulator is to notice. */
export function faultsFor(harness: string): FaultOf {
  return (file, line, becomes, breaks, survives) => {
    const planted = { file, line, becomes, breaks, harness };
    return survives === undefined ? planted : { ...planted, survives };
  };
}
