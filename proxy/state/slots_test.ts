/** Slots and places: found by key, shared by those who have them, and gone with the last. Threads are simulated by several stores. */
import { deepEqual, equal, notEqual, ok } from "node:assert/strict";
import fc from "fast-check";
import type { StoredPlace } from "../../base/state_store.ts";
import { SharedStore } from "./shared_store.ts";
import { SLOT_NUMBERS, Slots } from "./slots.ts";

const COUNT = 64;

function storesOver(memory: SharedArrayBuffer, count: number): SharedStore[] {
  const onFull = () => {
    throw new Error("full");
  };
  return Array.from({ length: count }, () => new SharedStore(memory, 0, onFull));
}

Deno.test("slots: one key, one slot, until the last owner leaves", () => {
  const memory = Slots.allocate(COUNT);
  const [some, others] = [new Slots(memory), new Slots(memory)];
  let fills = 0;
  const take = (slots: Slots, key: string) => slots.take(key, 1, () => fills++) ?? [];
  const [a, same, b] = [take(some, "a"), take(others, "a"), take(others, "b")];
  equal(a[0].index, same[0].index);
  notEqual(a[0].index, b[0].index);
  deepEqual([fills, some.ownedCount], [2, 2]);
  some.leave(a);
  equal(take(some, "a")[0].index, same[0].index);
  equal(fills, 2, "it was in use all the time");
  some.leave(a);
  others.leave(same);
  others.leave(b);
  equal(some.ownedCount, 0);
  take(some, "a");
  equal(fills, 3, "it came anew");
});

Deno.test("slots: what was left is used again, all of it zero; with none left there is null", () => {
  const slots = new Slots(Slots.allocate(COUNT));
  const fill = (taken: readonly { word: number; number: number }[]) => {
    for (const { word, number } of taken) {
      equal(slots.words[word], 0);
      for (let i = 0; i < SLOT_NUMBERS; i++) equal(slots.numbers[number + i], 0);
    }
  };
  for (let round = 0; round < 3; round++) {
    const all = Array.from({ length: COUNT / 2 }, (_, i) => slots.take(`${round} ${i}`, 2, fill));
    equal(slots.take("one more", 1, fill), null);
    const used = new Set(all.flatMap((taken) => taken?.map(({ index }) => index)));
    equal(used.size, COUNT);
    for (const taken of all) {
      for (const { word, number } of taken ?? []) {
        slots.words[word] = 7;
        slots.numbers.fill(7, number, number + SLOT_NUMBERS);
      }
      slots.leave(taken ?? []);
    }
    equal(slots.ownedCount, 0);
  }
});

Deno.test("slots: any takes and leaves of any threads keep to a model", () => {
  const step = fc.record({ thread: fc.nat(2), key: fc.nat(9), isTake: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const memory = Slots.allocate(16);
      const threads = [0, 1, 2].map(() => new Slots(memory));
      const held: (readonly { index: number }[])[][][] = threads.map(() =>
        Array.from({ length: 10 }, () => [])
      );
      const owners = (key: number) => held.reduce((sum, keys) => sum + keys[key].length, 0);
      for (const { thread, key, isTake } of steps) {
        if (isTake) {
          let isNew = false;
          const taken = threads[thread].take(`key ${key}`, 1, () => isNew = true);
          ok(taken !== null);
          equal(isNew, owners(key) === 0);
          held[thread][key].push(taken);
        } else {
          const taken = held[thread][key].pop();
          if (taken !== undefined) threads[thread].leave(taken as never);
        }
      }
      const indexes = new Set(held.flat(2).map(([{ index }]) => index));
      const keys = Array.from({ length: 10 }, (_, key) => key).filter((key) => owners(key) > 0);
      deepEqual([indexes.size, threads[0].ownedCount], [keys.length, keys.length]);
    }),
  );
});

Deno.test("a place of several threads moves as one of one thread does, whatever its size", () => {
  for (const modulus of [2, 100, 2 ** 31 - 1]) {
    const step = Math.floor(modulus / 3) + 1;
    const memory = Slots.allocate(COUNT);
    const places: StoredPlace[] = storesOver(memory, 3).map((store) =>
      store.place("x", modulus, () => 1)
    );
    let expected = 1;
    for (let i = 0; i < 1_000; i++) {
      equal(places[i % 3].value, expected);
      equal(places[i % 2].advance(step), expected);
      expected = (expected + step) % modulus;
    }
    deepEqual(places.map(({ start }) => start), [1, 1, 1]);
    for (const place of places) place.release();
    equal(new Slots(memory).ownedCount, 0);
  }
});

Deno.test("tallies of any length are the same numbers to every thread", () => {
  for (const length of [1, SLOT_NUMBERS, SLOT_NUMBERS + 1, 40]) {
    const memory = Slots.allocate(COUNT);
    const fill = (numbers: Float64Array) => void numbers.forEach((_, i) => numbers[i] = i / 2);
    const tallies = storesOver(memory, 3).map((store) => store.tally("x", length, fill));
    for (let round = 0; round < 9; round++) {
      const tally = tallies[round % 3];
      const numbers = tally.enter();
      deepEqual([...numbers], Array.from({ length }, (_, i) => i / 2 + round));
      numbers.forEach((_, i) => numbers[i]++);
      tally.leave();
    }
    for (const tally of tallies) tally.release();
    equal(new Slots(memory).ownedCount, 0);
  }
});

Deno.test("with more keys than slots the rest are a thread's own, and it is told", () => {
  let fulls = 0;
  const store = new SharedStore(Slots.allocate(16), 0, () => fulls++);
  const places = Array.from({ length: 20 }, (_, i) => store.place(`${i}`, 10, () => 0));
  equal(fulls, 4);
  for (const place of places) equal(place.advance(3), 0);
  for (const place of places) equal(place.advance(3), 3);
});
