/**
 * EndpointCursors: round robin over the endpoints of each endpoint set of one client. Mutable,
 * beside `SplitState`; knows nothing of health or load: a caller that finds an endpoint unusable
 * asks again.
 */
import { Random } from "../../base/random.ts";
import type { EndpointSet, Table, TableEndpoint } from "./table.ts";

interface Cursor {
  readonly set: EndpointSet;
  /** The next endpoint's place in the set. */
  next: number;
}

export class EndpointCursors {
  #table: Table;
  /** By set index; made when a set is first used. */
  #cursors: (Cursor | undefined)[] = [];
  /** By set key: where the rotations of earlier tables stood. */
  #before = new Map<string, Cursor>();

  /**
   * With a seed every set starts at an endpoint drawn from it, so that a fleet does not start at
   * one pod.
   */
  constructor(table: Table) {
    this.#table = table;
  }

  /**
   * Moves to a new table for the same client. A set goes on at the endpoint whose turn it was, or,
   * where that one is gone, at the next one after it that is still there.
   */
  rebind(table: Table): void {
    const keys = new Set(table.backends.map((backend) => backend.endpointSet.key));
    const before = new Map<string, Cursor>();
    for (const [key, cursor] of this.#before) if (keys.has(key)) before.set(key, cursor);
    for (const cursor of this.#cursors) {
      if (cursor !== undefined) before.set(cursor.set.key, cursor);
    }
    this.#before = before;
    this.#cursors = [];
    this.#table = table;
  }

  /** Takes the next endpoint. */
  next(set: EndpointSet): TableEndpoint {
    const cursor = this.#cursors[set.index] ?? this.#open(set);
    const place = cursor.next;
    cursor.next = place + 1 === set.endpoints.length ? 0 : place + 1;
    return set.endpoints[place];
  }

  /** What `next` would give after `ahead` more; takes none. */
  peek(set: EndpointSet, ahead = 0): TableEndpoint {
    const cursor = this.#cursors[set.index] ?? this.#open(set);
    return set.endpoints[(cursor.next + ahead) % set.endpoints.length];
  }

  #open(set: EndpointSet): Cursor {
    const old = this.#before.get(set.key);
    const next = old === undefined ? startOf(this.#table, set) : carriedOver(old, set);
    const cursor = { set, next };
    this.#cursors[set.index] = cursor;
    return cursor;
  }
}

function startOf(table: Table, set: EndpointSet): number {
  const seed = table.client.seed;
  if (seed === null || set.endpoints.length === 1) return 0;
  return new Random(seed, `endpoints ${set.key}`).below(set.endpoints.length);
}

function carriedOver(old: Cursor, set: EndpointSet): number {
  const places = new Map(set.endpoints.map((endpoint, place) => [endpoint.key, place]));
  const { endpoints } = old.set;
  for (let i = 0; i < endpoints.length; i++) {
    const place = places.get(endpoints[(old.next + i) % endpoints.length].key);
    if (place !== undefined) return place;
  }
  return 0;
}
