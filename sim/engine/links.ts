/**
 * The ways between places, one link for each direction: what networks of datagrams and of messages
 * have in common.
 *
 * @module
 */
import { calmFaults, type Faults, Link } from "../../base/link.ts";

/** See the module. */
export class Links<Place> {
  readonly #links = new Map<Place, Map<Place, Link>>();
  #faults: Faults = calmFaults(0);

  /** The direction from one place to another. */
  link(from: Place, to: Place): Link {
    let outgoing = this.#links.get(from);
    if (outgoing === undefined) this.#links.set(from, (outgoing = new Map<Place, Link>()));
    let link = outgoing.get(to);
    if (link === undefined) outgoing.set(to, (link = new Link(this.#faults)));
    return link;
  }

  /** All links that were ever used or asked for. */
  get links(): Link[] {
    return [...this.#links.values()].flatMap((outgoing) => [...outgoing.values()]);
  }

  /** The faults of links that have none of their own. */
  get faults(): Faults {
    return this.#faults;
  }

  /** Every link, those to come too, has these faults; what is cut stays so. */
  set faults(faults: Faults) {
    this.#faults = faults;
    for (const link of this.links) link.faults = faults;
  }

  /** Nothing passes from one place to another any more; what is on its way still comes. */
  cutOneWay(from: Place, to: Place): void {
    this.link(from, to).isCut = true;
  }

  /** Nothing passes between two places any more, in either direction. */
  cut(a: Place, b: Place): void {
    this.cutOneWay(a, b);
    this.cutOneWay(b, a);
  }

  /** Undoes cuts, both ways. */
  mend(a: Place, b: Place): void {
    this.link(a, b).isCut = this.link(b, a).isCut = false;
  }

  /** No link is cut any more. */
  mendAll(): void {
    for (const link of this.links) link.isCut = false;
  }

  /** Every link, those to come too, is whole and has `faults` and nothing else. */
  heal(faults: Faults): void {
    this.#faults = faults;
    for (const link of this.links) link.heal(faults);
  }
}
