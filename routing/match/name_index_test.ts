import { strictEqual as equal } from "node:assert/strict";
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
