/**
 * CustomKind: one kind of custom resources in all versions that are served. The API server gives every object in each version and
 * changes nothing but the version's name (`conversion: None`), so an object is taken from the version that it was written in: there
 * alone its fields mean what their writer meant.
 */
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";

interface CustomKindEvents {
  put(object: JsonFields): void;
  remove(key: string): void;
}

/** What counts of an object. */
interface Held {
  readonly version: string;
  readonly resourceVersion: bigint;
}

export class CustomKind {
  readonly #events: CustomKindEvents;
  readonly #held = new Map<string, Held>();
  /** Oldest first; those that are watched. */
  #served: readonly string[] = [];

  constructor(events: CustomKindEvents) {
    this.#events = events;
  }

  /** What was held of other versions goes, and comes again by those that are left. */
  serve(versions: readonly string[]): void {
    this.#served = versions;
    for (const [key, { version }] of this.#held) {
      if (!versions.includes(version)) this.#drop(key);
    }
  }

  /** @param version as which it was asked for */
  put(version: string, key: string, object: JsonFields): void {
    if (countedVersion(object, this.#served) !== version) return;
    const text = textField(fieldsOf(object["metadata"]), "resourceVersion") ?? "";
    const resourceVersion = /^\d+$/.test(text) ? BigInt(text) : 0n;
    const held = this.#held.get(key);
    // Watches of two versions may be at different points of time; one of them is in order by itself.
    const isOfOther = held !== undefined && held.version !== version;
    if (isOfOther && resourceVersion < held.resourceVersion) return;
    this.#held.set(key, { version, resourceVersion });
    this.#events.put(object);
  }

  remove(version: string, key: string): void {
    if (this.#held.get(key)?.version === version) this.#drop(key);
  }

  #drop(key: string): void {
    this.#held.delete(key);
    this.#events.remove(key);
  }
}

/**
 * The version that an object's fields were last written in; the newest that is served, where that one is not.
 * @param served oldest first
 */
export function countedVersion(object: JsonFields, served: readonly string[]): string {
  const written = writtenVersion(object);
  const newest = served.at(-1) ?? "";
  return written !== undefined && served.includes(written) ? written : newest;
}

/** By what the API server notes of each writer; what only touched metadata or status wrote no fields. */
function writtenVersion(object: JsonFields): string | undefined {
  const entries = fieldsOf(object["metadata"])["managedFields"];
  const writers = (Array.isArray(entries) ? entries : []).map(fieldsOf).filter((entry) => {
    const fields = Object.keys(fieldsOf(entry["fieldsV1"]));
    return entry["subresource"] === undefined &&
      fields.some((name) => name !== "f:metadata" && name !== "f:status");
  });
  writers.sort((a, b) => (textField(a, "time") ?? "") < (textField(b, "time") ?? "") ? -1 : 1);
  return textField(writers.at(-1) ?? {}, "apiVersion")?.split("/").at(-1);
}
