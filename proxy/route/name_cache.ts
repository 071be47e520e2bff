/**
 * NameCache: addresses of DNS names outside the mesh, as another thread looks them up. It owns what is remembered, for how long,
 * and who waits; it knows no resolver.
 */
import { NAME_LIFE_MS, NAME_MISS_LIFE_MS, NAMES_MAX } from "../limits.ts";

interface Entry {
  /** Null while the name is being looked up; empty: it has no address. */
  addresses: readonly string[] | null;
  /** When the addresses count no more. */
  endsMs: number;
  /** Whose turn is next. */
  next: number;
  readonly waiting: Set<Waiter>;
}

/** Told once, of an address or, with null, that there is none. */
export type Waiter = (address: string | null) => void;

export class NameCache {
  readonly #lookUp: (name: string) => void;
  /** Asked for longest ago first. */
  readonly #entries = new Map<string, Entry>();

  /** @param lookUp starts to look a name up; `resolved` is called later */
  constructor(lookUp: (name: string) => void) {
    this.#lookUp = lookUp;
  }

  /**
   * The name's next address, in turn; null: it has none. Undefined: it is being looked up, and `waiter` will be told; until
   * then it can be taken back by `forget`.
   */
  addressOf(name: string, nowMs: number, waiter: Waiter): string | null | undefined {
    let entry = this.#entries.get(name);
    if (entry !== undefined && entry.addresses !== null && nowMs >= entry.endsMs) {
      this.#entries.delete(name);
      entry = undefined;
    }
    if (entry === undefined) return this.#start(name, waiter);
    if (entry.addresses !== null) return nextOf(entry);
    entry.waiting.add(waiter);
    return undefined;
  }

  forget(name: string, waiter: Waiter): void {
    this.#entries.get(name)?.waiting.delete(waiter);
  }

  /** A lookup has ended. */
  resolved(name: string, addresses: readonly string[], nowMs: number): void {
    const entry = this.#entries.get(name);
    if (entry === undefined || entry.addresses !== null) return;
    entry.addresses = addresses;
    entry.endsMs = nowMs + (addresses.length > 0 ? NAME_LIFE_MS : NAME_MISS_LIFE_MS);
    // One that is told may end others that wait, as when a connection ends with all its streams: those are told nothing.
    for (const tell of entry.waiting) {
      entry.waiting.delete(tell);
      tell(nextOf(entry));
    }
  }

  #start(name: string, waiter: Waiter): null | undefined {
    if (this.#entries.size >= NAMES_MAX && !this.#dropOldest()) return null;
    const entry = { addresses: null, endsMs: Infinity, next: 0, waiting: new Set([waiter]) };
    this.#entries.set(name, entry);
    this.#lookUp(name);
    return undefined;
  }

  /** False: every name is being looked up, so there are too many at once. */
  #dropOldest(): boolean {
    for (const [name, { addresses }] of this.#entries) {
      if (addresses === null) continue;
      this.#entries.delete(name);
      return true;
    }
    return false;
  }
}

function nextOf(entry: Entry): string | null {
  const { addresses } = entry;
  if (addresses === null || addresses.length === 0) return null;
  const address = addresses[entry.next % addresses.length];
  entry.next++;
  return address;
}
