/**
 * Probe: what an engine does not tell of itself, taken from its parts while a run lasts: what is lent, counted, timed
 * and waited for, so that a run can see that all of it ends.
 */
import { BufferPool, NO_BUFFER } from "../../proxy/connection/buffers.ts";
import { Context } from "../../proxy/connection/context.ts";
import type { Timed } from "../../proxy/connection/context.ts";

export class Probe {
  /** The most buffers that may be lent. */
  buffersMax = Infinity;
  readonly #contexts = new Set<Context>();

  /** Runs with the parts watched. */
  watch<Result>(run: () => Result): Result {
    const { register } = Context.prototype;
    const { take } = BufferPool.prototype;
    const contexts = this.#contexts;
    const buffersMax = () => this.buffersMax;
    Context.prototype.register = function (this: Context, timed: Timed): void {
      contexts.add(this);
      register.call(this, timed);
    };
    BufferPool.prototype.take = function (this: BufferPool): number {
      return this.lentCount >= buffersMax() ? NO_BUFFER : take.call(this);
    };
    try {
      return run();
    } finally {
      Context.prototype.register = register;
      BufferPool.prototype.take = take;
    }
  }

  /** More is held than what is open can hold; empty where all is well. */
  excess(): string {
    for (const { buffers, timed, mirrors } of this.#contexts) {
      // A connection or a stream has one buffer each way; a mirror has one for its request.
      const most = 2 * timed.length + mirrors;
      if (buffers.lentCount > most) {
        return `${buffers.lentCount} buffers where ${most} could be lent`;
      }
    }
    return "";
  }

  /** What is left when nothing is under way; empty where nothing is. */
  leftovers(): string {
    for (const { buffers, timed, timers, mirrors } of this.#contexts) {
      if (buffers.lentCount !== 0) return `${buffers.lentCount} buffers were not given back`;
      if (timed.length !== 0) return `${timed.length} connections or streams are still registered`;
      if (timers.count !== 0) return `${timers.count} timers still run`;
      if (mirrors !== 0) return `${mirrors} mirrors are still counted`;
    }
    return "";
  }
}
