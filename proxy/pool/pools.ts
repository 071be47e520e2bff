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

/** Where the connections of a pool go. */
interface Place {
  /** Of the endpoint, `address:port`. */
  readonly key: string;
  /** An IP address. */
  readonly address: string;
  readonly port: number;
}

/** What tells pools of one place apart. */
interface Sort {
  /** Null: its connections are plain. */
  readonly security: EndpointTls | null;
  /** Whose connections alone are in it; null: those of every backend without an owner. */
  readonly owner: PoolOwner | null;
}

/** In plain, of every backend without an owner. */
export const PLAIN: Sort = { security: null, owner: null };

export class Pools {
  readonly #io: Io;
  /** By the key of the endpoint: one for each way to secure its connections, so nearly always one. */
  readonly #planned = new Map<string, EndpointPool[]>();
  /** By owner, and by the key of the endpoint. */
  readonly #own = new Map<PoolOwner, Map<string, EndpointPool[]>>();
  /** Keys of pods that were called by their own addresses since the last plan; no table need name them. */
  readonly #called = new Set<string>();
  /** Used longest ago first. */
  readonly #direct = new Map<string, EndpointPool>();

  constructor(io: Io) {
    this.#io = io;
  }

  *all(): Iterable<EndpointPool> {
    for (const pools of this.#planned.values()) yield* pools;
    for (const byKey of this.#own.values()) for (const pools of byKey.values()) yield* pools;
    yield* this.#direct.values();
  }

  /**
   * The pool of an endpoint, made where there is none.
   * @throws {IoError} the address is not an IP address.
   */
  of(place: Place, sort: Sort = PLAIN): EndpointPool {
    return this.find(place.key, sort) ?? this.#make(place, sort);
  }

  #make({ key, address, port }: Place, { security, owner }: Sort, isService = false): EndpointPool {
    const at = this.#io.address(address, port);
    const pool = new EndpointPool(key, at, security, { owner, isService });
    const byKey = owner === null ? this.#planned : this.#ownOf(owner);
    const pools = byKey.get(key);
    if (pools === undefined) byKey.set(key, [pool]);
    else pools.push(pool);
    return pool;
  }

  /** The pool of an endpoint; undefined: there is none yet. */
  find(key: string, { security, owner }: Sort): EndpointPool | undefined {
    const byKey = owner === null ? this.#planned : this.#own.get(owner);
    // An address may become another workload's: connections to the one before are not for it.
    return byKey?.get(key)?.find((pool) => pool.isSecuredBy(security));
  }

  /** The same for a pod that is called by its own address. */
  ofPod(place: Place, security: EndpointTls | null): EndpointPool {
    this.#called.add(place.key);
    return this.of(place, { security, owner: null });
  }

  /** The same for a Service's own address. */
  ofService(address: string, port: number, security: EndpointTls | null): EndpointPool {
    const key = formatAuthority(address, port);
    this.#called.add(key);
    const sort = { security, owner: null };
    return this.find(key, sort) ?? this.#make({ key, address, port }, sort, true);
  }

  #ownOf(owner: PoolOwner): Map<string, EndpointPool[]> {
    let pools = this.#own.get(owner);
    if (pools === undefined) {
      pools = new Map();
      this.#own.set(owner, pools);
    }
    return pools;
  }

  /** Ends the pools of an owner that are not among `kept`. */
  retainOwn(owner: PoolOwner, kept: ReadonlySet<EndpointPool>): void {
    const byKey = this.#own.get(owner);
    if (byKey === undefined) return;
    for (const [key, pools] of byKey) {
      const rest = pools.filter((pool) => kept.has(pool));
      if (rest.length > 0) byKey.set(key, rest);
      else byKey.delete(key);
      for (const pool of pools) if (!kept.has(pool)) pool.retire();
    }
    if (byKey.size === 0) this.#own.delete(owner);
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

  /**
   * Ends the pools without an owner of endpoints that no table names any more.
   * @param lost those that tables named before
   */
  retain(lost: readonly string[], isNamed: (key: string) => boolean): void {
    for (const key of [...lost, ...this.#called]) {
      if (isNamed(key)) continue;
      for (const pool of this.#planned.get(key) ?? []) pool.retire();
      this.#planned.delete(key);
    }
    this.#called.clear();
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
