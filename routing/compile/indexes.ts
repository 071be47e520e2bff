/**
 * Resources by name, by what they refer to and by label, freed of duplicates and each list in one order. What is asked for here is what an
 * answer depends on. Knows no kind of resource.
 */
import { canonicalJson } from "../../base/canonical_json.ts";
import { compareText } from "../../base/order.ts";
import type { Meta } from "../../schemas/resources.ts";
import { countOf, type Few, hasItem, itemsOf, withItem, withoutItem } from "./few.ts";
import { type Incremental, Inputs } from "./incremental.ts";
import { keyOf, keyOfMeta } from "./keys.ts";
import { compareAge } from "./order.ts";

type Resource = { readonly meta: Meta };

/** What changes in one list of the Snapshot: `before` null: it is new, `after` null: it is gone. */
export interface ResourceChange<T> {
  readonly before: T | null;
  readonly after: T | null;
}

/** Resources by `namespace/name`. Of two with one name the oldest counts, then the one whose text comes first. */
export class NamedResources<T extends Resource> {
  readonly #inputs: Inputs<T>;
  /** By key: all that have one name, where there are several. */
  readonly #namesakes = new Map<string, Set<T>>();
  readonly #onChange: (change: ResourceChange<T>, key: string) => void;
  readonly #keyOf: (meta: Meta) => string;

  /**
   * @param onChange told of each change of those that count
   * @param keyOf another name than `namespace/name`, where several kinds are in one list
   */
  constructor(
    incremental: Incremental,
    onChange: (change: ResourceChange<T>, key: string) => void = () => {},
    keyOf: (meta: Meta) => string = keyOfMeta,
  ) {
    this.#inputs = new Inputs(incremental);
    this.#onChange = onChange;
    this.#keyOf = keyOf;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#inputs.get(keyOf(namespace, name));
  }

  at(key: string): T | undefined {
    return this.#inputs.get(key);
  }

  change({ before, after }: ResourceChange<T>): void {
    const isRenamed = before !== null && after !== null &&
      this.#keyOf(before.meta) !== this.#keyOf(after.meta);
    if (isRenamed) {
      this.#replace(this.#keyOf(before.meta), before, null);
      this.#replace(this.#keyOf(after.meta), null, after);
    } else {
      const meta = (after ?? before)?.meta;
      if (meta !== undefined) this.#replace(this.#keyOf(meta), before, after);
    }
  }

  #replace(key: string, before: T | null, after: T | null): void {
    const counting = this.#inputs.peek(key);
    const all = this.#namesakes.get(key) ?? new Set(counting === undefined ? [] : [counting]);
    if (before !== null) all.delete(before);
    if (after !== null) all.add(after);
    if (all.size > 1) this.#namesakes.set(key, all);
    else this.#namesakes.delete(key);
    const next = all.size > 1 ? [...all].sort(compareSameName)[0] : [...all][0];
    if (next === counting) return;
    this.#inputs.set(key, next);
    this.#onChange({ before: counting ?? null, after: next ?? null }, key);
  }
}

function compareSameName(a: Resource, b: Resource): number {
  return compareAge(a.meta, b.meta) || compareContent(a, b);
}

/** The last tie: what the resources say, then where they say it. */
export function compareContent(a: Resource, b: Resource): number {
  return compareText(contentOf(a), contentOf(b));
}

function contentOf(resource: Resource): string {
  const { origin, ...meta } = resource.meta;
  return canonicalJson([{ ...resource, meta }, origin.locate([]) ?? null]);
}

/** Resources by what they refer to, each list in one order. */
export class Index<T extends object> {
  readonly #lists: Inputs<List<T>>;
  readonly #keysOf: (resource: T) => Iterable<string>;
  readonly #compare: (a: T, b: T) => number;

  constructor(
    incremental: Incremental,
    keysOf: (resource: T) => Iterable<string>,
    compare: (a: T, b: T) => number,
  ) {
    this.#lists = new Inputs(incremental);
    this.#keysOf = keysOf;
    this.#compare = compare;
  }

  get(key: string): readonly T[] {
    return this.#lists.get(key)?.sorted(this.#compare) ?? [];
  }

  /** How many there are, where nothing depends on that. */
  countAt(key: string): number {
    return countOf(this.#lists.peek(key)?.items ?? null);
  }

  change({ before, after }: ResourceChange<T>): void {
    if (before !== null) this.#remove(before);
    if (after !== null) this.#add(after);
  }

  #remove(resource: T): void {
    for (const key of new Set(this.#keysOf(resource))) {
      const list = this.#lists.peek(key);
      if (list === undefined || !hasItem(list.items, resource)) continue;
      list.items = withoutItem(list.items, resource);
      list.order = null;
      if (list.items === null) this.#lists.set(key, undefined);
      else this.#lists.changed(key);
    }
  }

  #add(resource: T): void {
    for (const key of new Set(this.#keysOf(resource))) {
      const list = this.#lists.peek(key);
      if (list === undefined) this.#lists.set(key, new List(resource));
      else {
        list.items = withItem(list.items, resource);
        list.order = null;
        this.#lists.changed(key);
      }
    }
  }
}

class List<T extends object> {
  items: Few<T>;
  /** Null: not known yet. */
  order: readonly T[] | null = null;

  constructor(item: T) {
    this.items = item;
  }

  sorted(compare: (a: T, b: T) => number): readonly T[] {
    if (this.order !== null) return this.order;
    const sorted = [...itemsOf(this.items)].sort(compare);
    // One list is enough, and one item needs none.
    if (Array.isArray(this.items)) this.items = sorted;
    if (sorted.length > 1) this.order = sorted;
    return sorted;
  }
}

type Labels = Readonly<Record<string, string>>;

interface Labelled extends Resource {
  readonly template: { readonly labels: Labels };
}

/** Finds what has all of some labels without looking at everything: 2,000 Services over 4,000 pods. */
export class LabelIndex<T extends Labelled> {
  readonly #byLabel: Index<T>;

  constructor(incremental: Incremental) {
    this.#byLabel = new Index<T>(
      incremental,
      ({ meta, template }) =>
        Object.entries(template.labels).map(([name, value]) =>
          labelKey(meta.namespace, name, value)
        ),
      byName,
    );
  }

  change(change: ResourceChange<T>): void {
    this.#byLabel.change(change);
  }

  /** Nothing if there is no selector, or an empty one: a Service without one has its endpoints by other means. */
  select(namespace: string, selector: Labels | undefined): T[] {
    const wanted = Object.entries(selector ?? {});
    if (wanted.length === 0) return [];
    const keys = wanted.map(([name, value]) => labelKey(namespace, name, value));
    // Whichever list is taken, its items are checked against all labels.
    const rarest = keys.reduce((a, b) =>
      this.#byLabel.countAt(b) < this.#byLabel.countAt(a) ? b : a
    );
    return this.#byLabel.get(rarest).filter(({ template: { labels } }) =>
      wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value)
    );
  }
}

function labelKey(namespace: string, name: string, value: string): string {
  return JSON.stringify([namespace, name, value]);
}

export function byName(a: Resource, b: Resource): number {
  return compareText(a.meta.namespace, b.meta.namespace) ||
    compareText(a.meta.name, b.meta.name) || compareSameName(a, b);
}
