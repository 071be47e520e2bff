/**
 * Pools: the pool of each place that connections are opened to. Those of a plan's endpoints stay as long as it names them; a
 * backend whose connections are counted has pools of its own. The others are places outside the mesh, and of a captured
 * application. Clients choose them, so their number is bounded: the one used longest ago gives way.
 */
import { formatAuthority } from "../../base/ip.ts";
import type { Io } from "../io/io.ts";
import { DIRECT_POOLS_MAX } from "../limits.ts";
import type { EndpointTls } from "../tls/contexts.ts";
import { EndpointPool, type PoolOwner } from "./pool.ts";

export class Pools {
  readonly #io: Io;
  readonly #planned = new Map<string, EndpointPool>();
  /** By owner. */
  readonly #own = new Map<PoolOwner, Map<string, EndpointPool>>();
  /** Used longest ago first. */
  readonly #direct = new Map<string, EndpointPool>();

  constructor(io: Io) {
    this.#io = io;
  }

  *all(): Iterable<EndpointPool> {
    yield* this.#planned.values();
    for (const pools of this.#own.values()) yield* pools.values();
    yield* this.#direct.values();
  }

  /**
   * The pool of an endpoint, made where there is none.
   * @param owner whose connections alone are in it; null: those of every backend without an owner
   * @throws {IoError} `address` is not an IP address.
   */
  of(
    key: string,
    address: string,
    port: number,
    security: EndpointTls | null = null,
    owner: PoolOwner | null = null,
  ): EndpointPool {
    const pools = owner === null ? this.#planned : this.#ownOf(owner);
    // An address may become another workload's: connections to the one before are not for it.
    const name = security === null ? key : `tls ${security.target.uriSans.join(" ")} ${key}`;
    let pool = pools.get(name);
    if (pool === undefined) {
      pool = new EndpointPool(key, this.#io.address(address, port), security, { owner });
      pools.set(name, pool);
    }
    pool.isInPlan = true;
    return pool;
  }

  #ownOf(owner: PoolOwner): Map<string, EndpointPool> {
    let pools = this.#own.get(owner);
    if (pools === undefined) {
      pools = new Map();
      this.#own.set(owner, pools);
    }
    return pools;
  }

  /** Ends the pools of an owner that are not among `kept`. */
  retainOwn(owner: PoolOwner, kept: ReadonlySet<EndpointPool>): void {
    const pools = this.#own.get(owner);
    if (pools === undefined) return;
    for (const [name, pool] of pools) {
      if (kept.has(pool)) continue;
      pools.delete(name);
      pool.retire();
    }
    if (pools.size === 0) this.#own.delete(owner);
  }

  /**
   * The pool of a place that no plan names.
   * @throws {IoError} `address` is not an IP address.
   */
  direct(address: string, port: number): EndpointPool {
    const key = formatAuthority(address, port);
    const known = this.#direct.get(key);
    const pool = known ??
      new EndpointPool(key, this.#io.address(address, port), null, { isDirect: true });
    if (known !== undefined) this.#direct.delete(key);
    else if (this.#direct.size >= DIRECT_POOLS_MAX) this.#dropOldest();
    this.#direct.set(key, pool);
    return pool;
  }

  /** Ends the pools without an owner of all endpoints that are not in `keys`. */
  retain(keys: ReadonlySet<string>): void {
    for (const [name, pool] of this.#planned) {
      if (keys.has(pool.key)) continue;
      this.#planned.delete(name);
      pool.retire();
    }
  }

  /** Its connections under way go on, and end instead of being kept. */
  #dropOldest(): void {
    for (const [key, pool] of this.#direct) {
      this.#direct.delete(key);
      pool.retire();
      return;
    }
  }
}
