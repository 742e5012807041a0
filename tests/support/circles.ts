/**
 * Circles in a directed graph.
 *
 * @module
 */

/** One way round for every circle that a walk from each node in turn runs into; `a -> b -> a`. */
export function circlesIn(arrows: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = [];
  const isDone = new Map<string, boolean>();
  const way: string[] = [];
  const visit = (node: string): void => {
    if (isDone.get(node) === false) {
      found.push([...way.slice(way.indexOf(node)), node].join(" -> "));
    }
    if (isDone.has(node)) return;
    isDone.set(node, false);
    way.push(node);
    for (const next of arrows.get(node) ?? []) visit(next);
    way.pop();
    isDone.set(node, true);
  };
  for (const node of arrows.keys()) visit(node);
  return found;
}
