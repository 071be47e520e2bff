/** ObjectFindings: what is wrong with each object of the mesh now: by its reading, and by what the compiler has made of all of them. */
import { type Finding, formatRef, type ResourceRef } from "../../base/finding.ts";
import { isSameData } from "../../base/same_data.ts";
import { compareText } from "../../base/order.ts";

interface FindingsOfObject {
  readonly ref: ResourceRef;
  read: readonly Finding[];
  /** By their text. */
  readonly compiled: Map<string, Finding>;
}

export class ObjectFindings {
  readonly #objects = new Map<string, FindingsOfObject>();
  readonly #onChange: (ref: ResourceRef) => void;

  /** @param onChange told of each object whose Findings are others now */
  constructor(onChange: (ref: ResourceRef) => void) {
    this.#onChange = onChange;
  }

  /** Of the reading of an object: all of them. False: they are as before. */
  read(ref: ResourceRef, findings: readonly Finding[]): boolean {
    const known = this.#objects.get(formatRef(ref))?.read ?? [];
    if (isSameData(known, findings)) return false;
    const object = this.#objectOf(ref);
    object.read = findings;
    this.#changed(object);
    return true;
  }

  /** Of the compiler: what is different. */
  compiled(came: readonly Finding[], went: readonly Finding[]): void {
    const changed = new Set<FindingsOfObject>();
    const each = (
      findings: readonly Finding[],
      change: (of: FindingsOfObject, f: Finding) => void,
    ) => {
      for (const finding of findings) {
        if (finding.resource === undefined) continue;
        const object = this.#objectOf(finding.resource);
        change(object, finding);
        changed.add(object);
      }
    };
    each(went, ({ compiled }, finding) => compiled.delete(JSON.stringify(finding)));
    each(came, ({ compiled }, finding) => compiled.set(JSON.stringify(finding), finding));
    for (const object of changed) this.#changed(object);
  }

  /** Errors first, then in the order of their text. */
  of(ref: ResourceRef): readonly Finding[] {
    const object = this.#objects.get(formatRef(ref));
    if (object === undefined) return [];
    const rank = ({ severity }: Finding) => ["error", "warning", "info"].indexOf(severity);
    const read = object.read.map((finding) => [JSON.stringify(finding), finding] as const);
    return [...read, ...object.compiled]
      .sort(([a, first], [b, second]) => rank(first) - rank(second) || compareText(a, b))
      .map(([, finding]) => finding);
  }

  /** Objects that have some. */
  *refs(): Iterable<ResourceRef> {
    for (const { ref } of this.#objects.values()) yield ref;
  }

  #objectOf(ref: ResourceRef): FindingsOfObject {
    const key = formatRef(ref);
    const object = this.#objects.get(key) ?? { ref, read: [], compiled: new Map() };
    this.#objects.set(key, object);
    return object;
  }

  #changed({ ref, read, compiled }: FindingsOfObject): void {
    if (read.length + compiled.size === 0) this.#objects.delete(formatRef(ref));
    this.#onChange(ref);
  }
}
