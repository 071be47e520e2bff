/** Changes of headers that are made one after the other, as one. */
import type { HeaderChanges } from "./policy.ts";

export function changedTwice(first: HeaderChanges, second: HeaderChanges): HeaderChanges {
  const gone = new Set([...second.remove, ...second.set.map(({ name }) => name)]);
  const stays = ({ name }: { readonly name: string }) => !gone.has(name);
  return {
    set: [...first.set.filter(stays), ...second.set],
    add: [...first.add.filter(stays), ...second.add],
    remove: [...new Set([...first.remove, ...second.remove])],
  };
}
