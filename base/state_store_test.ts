import { deepStrictEqual as same, strictEqual as equal } from "node:assert/strict";
import { LOCAL_STATE, prefixed, type StateStore } from "./state_store.ts";

Deno.test("local state: a place goes round, and each store has its own", () => {
  const [place, other] = [0, 1].map(() => LOCAL_STATE.place("same", 5, () => 3));
  same([place.start, place.value], [3, 3]);
  same([place.advance(1), place.advance(4), place.advance(4), place.value], [3, 4, 3, 2]);
  equal(other.value, 3);
  equal(place.start, 3);
});

Deno.test("local state: numbers begin as they are filled, and each store has its own", () => {
  const [tally, other] = [0, 1].map(() =>
    LOCAL_STATE.tally("same", 2, (numbers) => void numbers.fill(7))
  );
  tally.enter()[0]++;
  tally.leave();
  same([...tally.enter()], [8, 7]);
  same([...other.enter()], [7, 7]);
});

Deno.test("a part of a store is the store, under keys of its own", () => {
  const keys: string[] = [];
  const store: StateStore = {
    ...LOCAL_STATE,
    isShared: true,
    clockOffsetMs: 5,
    place(key, modulus, start) {
      keys.push(key);
      return LOCAL_STATE.place(key, modulus, start);
    },
    tally(key, length, fill) {
      keys.push(key);
      return LOCAL_STATE.tally(key, length, fill);
    },
  };
  const part = prefixed(prefixed(store, "listener 1"), "backend x");
  same([part.isShared, part.clockOffsetMs], [true, 5]);
  equal(part.place("limits", 9, () => 4).value, 4);
  equal(part.tally("rate", 3, () => {}).enter().length, 3);
  same(keys, ["listener 1 backend x limits", "listener 1 backend x rate"]);
});
