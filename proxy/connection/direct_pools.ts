/**
 * DirectPools: pools of places that no plan names: the application beside an inbound listener, and destinations outside the
 * mesh. A client chooses them, so their number is bounded: the one used longest ago gives way.
 */
import { formatAuthority } from "../../base/ip.ts";
import type { Io } from "../io/io.ts";
import { DIRECT_POOLS_MAX } from "../limits.ts";
import { EndpointPool } from "./pool.ts";

export class DirectPools {
  readonly #io: Io;
  /** Used longest ago first. */
  readonly #pools = new Map<string, EndpointPool>();

  constructor(io: Io) {
    this.#io = io;
  }

  all(): Iterable<EndpointPool> {
    return this.#pools.values();
  }

  /** @throws {IoError} `address` is not an IP address. */
  of(address: string, port: number): EndpointPool {
    const key = formatAuthority(address, port);
    const known = this.#pools.get(key);
    const pool = known ?? new EndpointPool(key, this.#io.address(address, port), null);
    if (known !== undefined) this.#pools.delete(key);
    else if (this.#pools.size >= DIRECT_POOLS_MAX) this.#dropOldest();
    this.#pools.set(key, pool);
    return pool;
  }

  /** Its connections under way go on, and end instead of being kept. */
  #dropOldest(): void {
    for (const [key, pool] of this.#pools) {
      this.#pools.delete(key);
      pool.retire();
      return;
    }
  }
}
