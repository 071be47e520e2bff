// Tests of the order in which idle connections are taken.
import { ANONYMOUS } from "../tls/caller.ts";
import { strictEqual as equal } from "node:assert/strict";
import { PortableIo } from "../io/portable.ts";
import { EndpointPool, type IdleConnection } from "./pool.ts";

const ADDRESS = new PortableIo({ arenaBytes: 64 }).address("192.0.2.1", 80);

class Idle implements IdleConnection {
  readonly caller = ANONYMOUS;
  /** What it was last asked. */
  isFresh: boolean | null = null;
  isOpen = true;
  readonly #isSilent: boolean;

  constructor(isSilent = true) {
    this.#isSilent = isSilent;
  }

  isUsable(_nowMs: number, isFresh: boolean): boolean {
    this.isFresh = isFresh;
    return !isFresh || this.#isSilent;
  }

  close(): void {
    this.isOpen = false;
  }
}

function poolOf(connections: readonly Idle[], nowMs: number): EndpointPool {
  const pool = new EndpointPool("192.0.2.1:80", ADDRESS, null);
  for (const each of connections) pool.put(each, nowMs);
  return pool;
}

Deno.test("pool: one of an earlier batch is taken before those of this one", () => {
  const [a, b, c, d] = [new Idle(), new Idle(), new Idle(), new Idle()];
  const pool = poolOf([a, b], 1);
  for (const each of [c, d]) pool.put(each, 2);
  for (const want of [b, a]) {
    equal(pool.take(2), want);
    equal(want.isFresh, false);
  }
  for (const want of [d, c]) {
    equal(pool.take(2), want);
    equal(want.isFresh, true);
  }
  equal(pool.take(2), undefined);
  pool.put(c, 2);
  equal(pool.take(3), c);
  equal(c.isFresh, false, "a batch later");
});

Deno.test("pool: whatever ends meanwhile, a fresh connection is known as one", () => {
  for (const leaving of [0, 1, 2]) {
    const all = [new Idle(), new Idle(), new Idle()];
    const pool = poolOf(all.slice(0, 2), 1);
    pool.put(all[2], 2);
    pool.remove(all[leaving]);
    for (let left = 2; left > 0; left--) {
      const taken = pool.take(2);
      equal((taken as Idle).isFresh, taken === all[2]);
    }
    equal(pool.idleCount, 0);
  }
  const [old, fresh] = [new Idle(), new Idle()];
  const pool = poolOf([old], 1);
  pool.put(fresh, 2);
  equal(pool.closeIdle(), true);
  equal(pool.take(2), old);
  equal(old.isFresh, false);
});

Deno.test("pool: a fresh connection whose endpoint has ended it is closed, and the next one taken", () => {
  const [ended, silent] = [new Idle(false), new Idle()];
  const pool = poolOf([silent, ended], 1);
  equal(pool.take(1), silent);
  equal(ended.isOpen, false);
});
