/**
 * Few: a set that costs little where it has few items, of which there are very many: nothing for none, the item itself for one, a list
 * for some. Only many make a Set. What is changed is what the functions return.
 */
import { LIST_ITEMS_MAX } from "../limits.ts";

export type Few<Item extends object> = null | Item | readonly Item[] | Set<Item>;

export function hasItem<Item extends object>(few: Few<Item>, item: Item): boolean {
  if (few instanceof Set) return few.has(item);
  return few === item || (Array.isArray(few) && few.includes(item));
}

export function withItem<Item extends object>(few: Few<Item>, item: Item): Few<Item> {
  if (few === null) return item;
  if (few instanceof Set) return few.add(item);
  if (hasItem(few, item)) return few;
  // A copy has no room to grow.
  const items = [...itemsOf(few), item];
  return items.length > LIST_ITEMS_MAX ? new Set(items) : items;
}

export function withoutItem<Item extends object>(few: Few<Item>, item: Item): Few<Item> {
  if (few instanceof Set) {
    few.delete(item);
    return few.size === 0 ? null : few;
  }
  const items = [...itemsOf(few)].filter((each) => each !== item);
  return items.length > 1 ? items : items[0] ?? null;
}

export function itemsOf<Item extends object>(few: Few<Item>): Iterable<Item> {
  if (few === null) return [];
  return few instanceof Set || Array.isArray(few) ? few : [few as Item];
}

export function countOf<Item extends object>(few: Few<Item>): number {
  if (few === null) return 0;
  if (few instanceof Set) return few.size;
  return Array.isArray(few) ? few.length : 1;
}
