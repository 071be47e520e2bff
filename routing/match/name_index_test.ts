import { deepStrictEqual as deepEqual, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { NameIndex } from "./name_index.ts";

const encoder = new TextEncoder();

function get(index: NameIndex, name: string): number {
  const bytes = encoder.encode(`<${name}>`);
  return index.get(bytes, 1, bytes.length - 1);
}

Deno.test("NameIndex finds names in any case and nothing else", () => {
  const index = new NameIndex([["X-Canary", 3], ["host", 0], ["x-canary", 9]]);
  equal(get(index, "x-canary"), 3, "the first of equal names counts");
  equal(get(index, "X-CANARY"), 3);
  equal(get(index, "Host"), 0);
  equal(get(index, "x-canarx"), -1);
  equal(get(index, ""), -1);
  equal(get(new NameIndex([]), "host"), -1);
});

Deno.test("only ASCII letters have two cases", () => {
  const index = new NameIndex([["a[b", 1], ["é", 2]]);
  equal(get(index, "A[B"), 1);
  equal(get(index, "a{b"), -1);
  equal(get(index, "É"), -1);
});

Deno.test("NameIndex agrees with a Map", () => {
  const names = fc.string({ unit: fc.constantFrom("a", "B", "b", "-", "é"), maxLength: 4 });
  fc.assert(
    fc.property(fc.array(names, { maxLength: 60 }), fc.array(names), (known, asked) => {
      const map = new Map<string, number>();
      const lower = (name: string) => name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
      known.forEach((name, value) => {
        if (name !== "" && !map.has(lower(name))) map.set(lower(name), value);
      });
      const index = new NameIndex(known.map((name, value) => [name, value]));
      for (const name of [...known, ...asked]) equal(get(index, name), map.get(lower(name)) ?? -1);
    }),
  );
});

Deno.test("NameIndex: after any names came and went it agrees with a Map, and the one before is as it was", () => {
  const changes = fc.array(
    fc.tuple(fc.constantFrom(..."abcdefghijklmnopqrstuvwxyz"), fc.nat(9), fc.boolean()),
    { minLength: 1, maxLength: 200 },
  );
  fc.assert(fc.property(changes, fc.nat(20), (steps, first) => {
    const map = new Map(Array.from({ length: first }, (_, i) => [`name-${i}`, i]));
    let index = new NameIndex(map);
    const all = new Set(map.keys());
    for (const [value, [letter, digit, isThere]] of steps.entries()) {
      const name = letter + digit;
      all.add(name);
      const before = [...all].map((each) => get(index, each));
      const next = index.after(
        map.has(name) ? [name.toUpperCase()] : [],
        isThere ? [[name, value]] : [],
      );
      deepEqual([...all].map((each) => get(index, each)), before);
      if (isThere) map.set(name, value);
      else map.delete(name);
      ok(next !== null);
      index = next;
      for (const each of all) equal(get(index, each), map.get(each) ?? -1);
    }
  }));
});

Deno.test("NameIndex: of equal names it cannot be told which one counts once the other is gone", () => {
  const index = new NameIndex([["a", 1], ["A", 2], ["b", 3]]);
  ok(index.hasEqualNames);
  equal(index.after(["a"], []), null);
  equal(new NameIndex([["a", 1]]).after([], [["A", 2]]), null);
});
