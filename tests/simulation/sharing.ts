/**
 * Sharing: which connections carry the requests of the first Service of a run, and which those of its twin, a Service with
 * the same endpoints. Where one of them has limits, none carries both, and each keeps to its own.
 */
import type { ScriptedExchange } from "./exchange.ts";
import type { Side } from "./network.ts";
import type { PolicyMix } from "./policies.ts";

/** The Service that has endpoints of the first one. No split leads to it. */
export const TWIN_SERVICE = "twin";

export class Sharing {
  /** The proxy's ends of the connections that it has open. */
  openEnds: () => Iterable<Side> = () => [];
  readonly #policies: PolicyMix;
  readonly #first: string;
  /** Of the first Service. */
  readonly #origins: ReadonlySet<string>;
  /** By the endpoint's end: whose requests it has carried. */
  readonly #users = new WeakMap<Side, Set<string>>();

  constructor(policies: PolicyMix, first: string, origins: ReadonlySet<string>) {
    this.#policies = policies;
    this.#first = first;
    this.#origins = origins;
  }

  /** A request has come to an endpoint. Returns what is wrong with that; empty: nothing. */
  carried(side: Side, origin: string, { service }: ScriptedExchange): string {
    if (!this.#origins.has(origin) || service === "") return "";
    // Whatever else comes to these endpoints comes by the first Service, or by a split that leads to it.
    const user = service === TWIN_SERVICE ? TWIN_SERVICE : this.#first;
    const users = this.#users.get(side) ?? new Set();
    this.#users.set(side, users.add(user));
    const isLimited = [...users].some((one) => this.#policies.limitsOf(one) !== null);
    if (users.size > 1 && isLimited) {
      return `One connection carries requests of ${[...users].join(" and ")}`;
    }
    const most = this.#policies.limitsOf(user)?.maxConnections ?? Infinity;
    const count = this.#count((one) => one.has(user));
    return count > most ? `${count} connections carry requests of ${user}, not ${most}` : "";
  }

  /** Open connections that have carried requests, and none of this Service. */
  foreignTo(service: string): number {
    return this.#count((users) => !users.has(service));
  }

  #count(counts: (users: ReadonlySet<string>) => boolean): number {
    let count = 0;
    for (const { other } of this.openEnds()) {
      const users = this.#users.get(other);
      if (users !== undefined && counts(users)) count++;
    }
    return count;
  }
}
