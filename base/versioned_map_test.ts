import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { VersionedMap } from "./versioned_map.ts";

const KEYS = ["a", "b", "c", "d", "e"];

type Changes = readonly (readonly [key: number, value: number | null])[];

const anyHistory = fc.array(
  fc.tuple(fc.nat(), fc.array(fc.tuple(fc.nat(4), fc.option(fc.nat(9))), { maxLength: 4 })),
  { minLength: 1, maxLength: 30 },
);

Deno.test("versioned map: each version is a copy of the one that it was made of, with its changes", () => {
  fc.assert(fc.property(anyHistory, (history: readonly (readonly [number, Changes])[]) => {
    const versions = [{ map: VersionedMap.empty<number>(), copy: new Map<string, number>() }];
    for (const [from, changes] of history) {
      const { map, copy } = versions[from % versions.length];
      const next = new Map(copy);
      const changed = new Map(changes.map(([key, value]) => [KEYS[key], value ?? undefined]));
      for (const [key, value] of changed) {
        if (value === undefined) next.delete(key);
        else next.set(key, value);
      }
      versions.push({ map: map.with(changed), copy: next });
      for (const { map, copy } of versions) {
        for (const key of KEYS) equal(map.get(key), copy.get(key));
      }
    }
    for (const { map, copy } of versions) deepEqual(new Map(map), copy);
  }));
});

Deno.test("versioned map: what has changed is known since the version before, and since no other", () => {
  const first = VersionedMap.empty<number>();
  const second = first.with(new Map([["a", 1]]));
  const third = second.with(new Map([["b", 2]]));
  equal([...third.changedSince(second)?.keys() ?? []].join(), "b");
  equal(third.changedSince(first), null);
  equal(second.changedSince(third)?.has("a") ?? false, false);
  equal(first.get("a"), undefined);
  // The values are in the second version now.
  equal([...second].length, 1);
  equal([...third.changedSince(second)?.keys() ?? []].join(), "b");
});
