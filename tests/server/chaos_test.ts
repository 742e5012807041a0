/** Fleets of chaos.ts, in virtual time. `bun run soak server` has more of them. */
import { test } from "bun:test";
import { tellStories } from "./chaos.ts";

test("ServerCore: whatever happens to the fleet, the books are sound and the answers right", () => {
  tellStories(120);
});
