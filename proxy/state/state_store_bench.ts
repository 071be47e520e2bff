/** What state costs that event loops share, where no other loop is at it, beside state of one's own: `deno bench proxy/state`. */
import { LOCAL_STATE } from "../../base/state_store.ts";
import type { StateStore } from "../../base/state_store.ts";
import { SharedStore } from "./shared_store.ts";
import { Slots } from "./slots.ts";

const STORES: Readonly<Record<string, StateStore>> = {
  "own": LOCAL_STATE,
  "shared": new SharedStore(Slots.allocate(16), 0, () => {}),
};

for (const [name, store] of Object.entries(STORES)) {
  const place = store.place("place", 100, () => 0);
  const tally = store.tally("tally", 2, () => {});
  Deno.bench(`a place of a sequence, ${name}`, () => {
    place.advance(25);
  });
  Deno.bench(`two numbers, ${name}`, () => {
    tally.enter()[0]++;
    tally.leave();
  });
}
