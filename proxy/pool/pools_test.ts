// Tests of pools that no plan names: one a place, a bound, and what becomes of the one that gives way.
import { notStrictEqual as differ, ok, strictEqual as equal } from "node:assert/strict";
import { DEFAULT_TIMEOUTS } from "../config.ts";
import { PortableIo } from "../io/portable.ts";
import { DIRECT_POOLS_MAX } from "../limits.ts";
import { Pools } from "./pools.ts";

const io = new PortableIo({ arenaBytes: 64 });

Deno.test("pools: the same place has the same pool, named as an authority", () => {
  const pools = new Pools(io);
  equal(pools.direct("192.0.2.1", 80), pools.direct("192.0.2.1", 80));
  differ(pools.direct("192.0.2.1", 80), pools.direct("192.0.2.1", 81));
  equal(pools.direct("2001:db8::1", 80).key, "[2001:db8::1]:80");
});

Deno.test("pools: what no plan names has longer to take a connection", () => {
  const pools = new Pools(io);
  const { connectMs, egressConnectMs } = DEFAULT_TIMEOUTS;
  ok(connectMs < egressConnectMs);
  const place = { key: "192.0.2.1:80", address: "192.0.2.1", port: 80 };
  equal(pools.of(place).connectMs(DEFAULT_TIMEOUTS), connectMs);
  equal(pools.direct("192.0.2.1", 80).connectMs(DEFAULT_TIMEOUTS), egressConnectMs);
});

Deno.test("pools: at the bound the pool used longest ago gives way, and keeps nothing more", () => {
  const pools = new Pools(io);
  const first = pools.direct("192.0.2.1", 1);
  const second = pools.direct("192.0.2.1", 2);
  for (let port = 3; port <= DIRECT_POOLS_MAX; port++) pools.direct("192.0.2.1", port);
  equal(pools.direct("192.0.2.1", 1), first, "used again, so not the oldest any more");
  pools.direct("192.0.2.2", 1);
  equal(Array.from(pools.all()).length, DIRECT_POOLS_MAX);
  ok(first.isInPlan);
  ok(!second.isInPlan);
  pools.retain([first.key], () => false);
  ok(first.isInPlan, "no plan had it, so none drops it");
  differ(pools.direct("192.0.2.1", 2), second);
});
