import { equal } from "node:assert/strict";
import fc from "fast-check";
import { LIST_ITEMS_MAX } from "../limits.ts";
import { countOf, type Few, hasItem, itemsOf, withItem, withoutItem } from "./few.ts";

const ITEMS = Array.from({ length: LIST_ITEMS_MAX + 4 }, (_, i) => ({ i }));

Deno.test("few: a set, however many items it has", () => {
  const anySteps = fc.array(fc.tuple(fc.boolean(), fc.nat(ITEMS.length - 1)), { maxLength: 80 });
  fc.assert(fc.property(anySteps, (steps) => {
    let few: Few<{ i: number }> = null;
    const set = new Set<{ i: number }>();
    for (const [isAdded, at] of steps) {
      const item = ITEMS[at];
      few = isAdded ? withItem(few, item) : withoutItem(few, item);
      if (isAdded) set.add(item);
      else set.delete(item);
      equal(countOf(few), set.size);
      equal(few === null, set.size === 0);
      for (const each of ITEMS) equal(hasItem(few, each), set.has(each));
      equal([...itemsOf(few)].map(({ i }) => i).join(), [...set].map(({ i }) => i).join());
    }
  }));
});
