/**
 * Probe: what an engine does not tell of itself, taken from its parts while a run lasts. That is what is lent, counted, timed and
 * waited for, so that a run can see that all of it ends.
 */
import { SimulatedSplicer } from "./simulated_splicer.ts";
import type { ConnectionLimits } from "../../base/policy.ts";
import type { Random } from "../../base/random.ts";
import { BufferPool, NO_BUFFER } from "../../proxy/loop/arena.ts";
import { Loop } from "../../proxy/loop/loop.ts";
import type { Timed } from "../../proxy/loop/loop.ts";
import { Mirrors } from "../../proxy/exchange/mirror.ts";
import { ConnectionBudget } from "../../proxy/balance/connection_budget.ts";
import { EndpointGroup } from "../../proxy/balance/endpoint_group.ts";
import { type Timer, Timers } from "../../proxy/loop/timers.ts";
import { Exchange } from "../../proxy/exchange/exchange.ts";
import { EndpointPool, type SharedConnection } from "../../proxy/pool/pool.ts";
import { Http2Upstream } from "../../proxy/http2/upstream.ts";
import { Http2Socket } from "../../proxy/http2/socket.ts";
import { withPlatformRandom } from "./platform_random.ts";

export class Probe {
  /** The most buffers that may be lent. */
  buffersMax = Infinity;
  readonly #loops = new Set<Loop>();
  readonly #mirrors = new Set<Mirrors>();
  /** With the requests that each has been asked for and not got back. */
  readonly #budgets = new Map<ConnectionBudget, number>();
  readonly #groups = new Set<EndpointGroup<unknown>>();
  readonly #exchanges = new Set<Exchange>();
  /** That have been started once. */
  readonly #timers = new Set<Timer>();
  /** A pool gave a connection away on which nothing can be said any more. */
  #hasGivenBroken = false;

  /** Runs with the parts watched, and with the platform's randomness drawn from `random`. */
  watch<Result>(random: Random, run: () => Result): Result {
    const { take } = BufferPool.prototype;
    const unwatch = [
      remember(Loop.prototype, "register", this.#loops),
      this.#countRequests(),
      this.#watchPools(),
      this.#watchTimers(),
      remember(EndpointGroup.prototype, "replace", this.#groups),
      remember(Exchange.prototype, "begin", this.#exchanges),
      remember(Exchange.prototype, "relay", this.#exchanges),
      remember(Mirrors.prototype, "begin", this.#mirrors),
    ];
    const buffersMax = () => this.buffersMax;
    BufferPool.prototype.take = function (this: BufferPool): number {
      return this.lentCount >= buffersMax() ? NO_BUFFER : take.call(this);
    };
    try {
      return withPlatformRandom(random, run);
    } finally {
      for (const undo of unwatch) undo();
      BufferPool.prototype.take = take;
    }
  }

  #watchTimers(): () => void {
    const { start } = Timers.prototype;
    const timers = this.#timers;
    Timers.prototype.start = function (this: Timers, timer: Timer, delayMs: number): void {
      timers.add(timer);
      start.call(this, timer, delayMs);
    };
    return () => {
      Timers.prototype.start = start;
    };
  }

  #watchPools(): () => void {
    const { shared } = EndpointPool.prototype;
    const note = (given: SharedConnection | undefined) => {
      this.#hasGivenBroken ||= given instanceof Http2Upstream && given.machine.isClosed;
      return given;
    };
    EndpointPool.prototype.shared = function (this: EndpointPool, isNew?: boolean) {
      return note(shared.call(this, isNew));
    };
    return () => {
      EndpointPool.prototype.shared = shared;
    };
  }

  #countRequests(): () => void {
    const { takeRequest, requestEnded } = ConnectionBudget.prototype;
    const budgets = this.#budgets;
    ConnectionBudget.prototype.takeRequest = function (this: ConnectionBudget): boolean {
      const isTaken = takeRequest.call(this);
      budgets.set(this, (budgets.get(this) ?? 0) + (isTaken ? 1 : 0));
      return isTaken;
    };
    ConnectionBudget.prototype.requestEnded = function (this: ConnectionBudget): void {
      budgets.set(this, Math.max(0, (budgets.get(this) ?? 0) - 1));
      requestEnded.call(this);
    };
    return () => {
      ConnectionBudget.prototype.takeRequest = takeRequest;
      ConnectionBudget.prototype.requestEnded = requestEnded;
    };
  }

  /** Connections that are counted under these limits. */
  connectionsUnder(limits: ConnectionLimits): number {
    let count = 0;
    for (const [budget] of this.#budgets) {
      if (budget.limits === limits) count += budget.connections;
    }
    return count;
  }

  /** More is held, or under way, than may be; empty where all is well. */
  excess(): string {
    if (this.#hasGivenBroken) return "A connection that its endpoint broke is still in its pool";
    for (const [{ limits, connections, pending }, requests] of this.#budgets) {
      if (limits === null) continue;
      const { maxConnections, maxPending, maxRequests } = limits;
      if (connections > (maxConnections ?? Infinity)) {
        return `${connections} connections are counted`;
      }
      if (pending > maxPending) return `${pending} requests wait for a connection`;
      if (requests > (maxRequests ?? Infinity)) return `${requests} requests are under way`;
    }
    for (const { buffers, timed } of this.#loops) {
      // A connection or a stream has one buffer each way; a copy has one for its head and one for its body.
      const most = 2 * timed.length;
      if (buffers.lentCount > most) {
        return `${buffers.lentCount} buffers where ${most} could be lent`;
      }
    }
    return "";
  }

  /** What nothing would ever end, if no peer were heard of again; empty where there is no such thing. */
  endless(): string {
    const ended = this.#endedByOthers();
    for (const { timed } of this.#loops) {
      const endless = timed.find((one) => !hasDeadline(one) && !ended.has(one));
      if (endless !== undefined) return `${endless.constructor.name} has no deadline`;
    }
    return "";
  }

  /** Connections and streams that end with others that have a deadline. */
  #endedByOthers(): ReadonlySet<unknown> {
    const ended = new Set<unknown>();
    for (const timer of this.#timers) {
      if (timer.isRunning) ended.add(timer.victim);
      else this.#timers.delete(timer);
    }
    for (const exchange of this.#exchanges) {
      const { client, carrier } = exchange;
      if (!client.isOpen) this.#exchanges.delete(exchange);
      // An exchange keeps its deadline at its client's side.
      if (carrier !== null && hasDeadline(client)) ended.add(carrier);
    }
    for (const { timed } of this.#loops) {
      for (const one of timed) {
        // A connection with streams ends with them.
        if (one instanceof Http2Socket && one.streams.size > 0) ended.add(one);
      }
    }
    return ended;
  }

  /** What is left when nothing is under way; empty where nothing is. */
  leftovers(): string {
    for (const [{ connections, pending }, requests] of this.#budgets) {
      if (connections + pending + requests === 0) continue;
      return `${connections} connections, ${pending} waiting, ${requests} requests are counted`;
    }
    for (const { all } of this.#groups) {
      const busy = all.find(({ active }) => active !== 0);
      if (busy !== undefined) return `${busy.active} requests are counted at ${busy.key}`;
    }
    for (const { underWay } of this.#mirrors) {
      if (underWay !== 0) return `${underWay} copies are still counted`;
    }
    for (const { buffers, io, timed, timers } of this.#loops) {
      // What is due is rung by the next sweep, which does not come while nothing is open.
      timers.ring();
      if (buffers.lentCount !== 0) return `${buffers.lentCount} buffers were not given back`;
      const pipes = io.splicer instanceof SimulatedSplicer ? io.splicer.lentCount : 0;
      if (pipes !== 0) return `${pipes} pipes were not given back`;
      if (timed.length !== 0) return `${timed.length} connections or streams are still registered`;
      if (timers.count !== 0) return `${timers.count} timers still run`;
    }
    return "";
  }
}

function hasDeadline(end: object | null): boolean {
  return end !== null && (end as Partial<Timed>).deadlineMs !== Infinity;
}

/** Notes every object that a method is called of; returns what undoes it. */
function remember<Key extends string, Owner>(
  prototype: Record<Key, unknown>,
  key: Key,
  owners: Set<Owner>,
): () => void {
  const original = prototype[key] as (...args: unknown[]) => unknown;
  prototype[key] = function (this: Owner, ...args: unknown[]): unknown {
    owners.add(this);
    return original.apply(this, args);
  };
  return () => {
    prototype[key] = original;
  };
}
