/** What every algorithm promises, and what sets each apart: on a simulated clock, with fixed seeds. */
import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { mix32 } from "../../base/hash.ts";
import { Random } from "../../base/random.ts";
import { BALANCING_ALGORITHM_NAMES, type BalancingAlgorithm } from "../../base/policy.ts";
import { balancerOf } from "./algorithms.ts";
import type { Balancer } from "./balancer.ts";
import { BALANCED_PARTS_MAX } from "../limits.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import { EndpointGroup } from "./endpoint_group.ts";
import { observeLatency } from "./peak_ewma.ts";

type Group = EndpointGroup<string>;

const anyOne = () => true;

/** A pick of whichever endpoint, by a key where that matters. */
function pickOf(
  balancer: Balancer,
  group: Group,
  nowMs: number,
  random: Random,
  hash = 0,
): BalancedEndpoint<string> | null {
  return balancer.pick(group, nowMs, random, hash, anyOne);
}

function groupOf(count: number, slowStartMs = 0): Group {
  const group = new EndpointGroup<string>();
  group.replace(targets(count), 0, slowStartMs);
  return group;
}

function targets(count: number) {
  return Array.from({ length: count }, (_, i) => {
    const key = `10.0.${i >> 8}.${i & 255}:8080`;
    return { key, target: key };
  });
}

/** How often each endpoint is picked, by place, with nothing under way. */
function countsOf(balancer: Balancer, group: Group, picks: number, nowMs = 0): number[] {
  const random = new Random(1, "counts");
  const counts = group.all.map(() => 0);
  for (let i = 0; i < picks; i++) {
    const endpoint = pickOf(balancer, group, nowMs, random, mix32(i + 1));
    ok(endpoint);
    counts[group.all.indexOf(endpoint)]++;
  }
  return counts;
}

for (const algorithm of BALANCING_ALGORITHM_NAMES) {
  const test = (name: string, run: (balancer: Balancer) => void) =>
    Deno.test(`${algorithm}: ${name}`, () => run(balancerOf(algorithm)));

  test("none where there is none, the one where there is one", (balancer) => {
    const random = new Random(1, "few");
    equal(pickOf(balancer, groupOf(0), 0, random, 5), null);
    const one = groupOf(1);
    for (let i = 0; i < 5; i++) equal(pickOf(balancer, one, i, random, mix32(i)), one.all[0]);
  });

  test("equal endpoints that have nothing under way get equal shares", (balancer) => {
    const picks = 64_000;
    const counts = countsOf(balancer, groupOf(64), picks);
    // A ring's shares have a standard deviation of a tenth or so; the others are exact.
    const tolerance = algorithm === "RingHash" ? 0.4 : 0;
    for (const count of counts) ok(Math.abs(count / 1_000 - 1) <= tolerance, String(counts));
  });

  test("what is ejected is never picked, and what is left shares its part", (balancer) => {
    const group = groupOf(10);
    for (const place of [0, 4, 9]) group.all[place].isEjected = true;
    group.refresh(false);
    const counts = countsOf(balancer, group, 7_000);
    deepEqual([counts[0], counts[4], counts[9]], [0, 0, 0]);
    equal(counts.filter((count) => count > 300).length, 7, String(counts));
    group.refresh(true);
    equal(countsOf(balancer, group, 7_000).filter((count) => count > 200).length, 10);
  });

  test("all ejected and no panic: none", (balancer) => {
    const group = groupOf(2);
    for (const endpoint of group.all) endpoint.isEjected = true;
    group.refresh(false);
    equal(pickOf(balancer, group, 0, new Random(1, "x"), 1), null);
  });

  test("what will not do is passed over where another will", (balancer) => {
    const random = new Random(1, "good");
    const group = groupOf(5);
    const [, bad, , worse] = group.all;
    for (let i = 0; i < 200; i++) {
      const endpoint = balancer.pick(
        group,
        0,
        random,
        mix32(i),
        (one) => one !== bad && one !== worse,
      );
      ok(endpoint !== null && endpoint !== bad && endpoint !== worse);
      // Whatever the others have to do.
      endpoint.active++;
    }
    ok(balancer.pick(group, 0, random, 7, () => false), "none will do: any");
  });

  test("endpoints come and go", (balancer) => {
    const group = groupOf(3);
    countsOf(balancer, group, 100);
    const before = group.all[0];
    group.replace(targets(5), 50, 0);
    ok(group.all.includes(before), "what is known of an endpoint stays");
    equal(countsOf(balancer, group, 5_000, 60).filter((count) => count > 300).length, 5);
    group.replace(targets(2), 70, 0);
    equal(countsOf(balancer, group, 100, 80).length, 2);
    group.replace([], 90, 0);
    equal(pickOf(balancer, group, 90, new Random(1, "x"), 1), null);
  });

  if (algorithm !== "RingHash") {
    test("slow start: a new endpoint's share grows to the whole", (balancer) => {
      const group = new EndpointGroup<string>();
      group.replace(targets(4), 0, 10_000);
      group.replace(targets(5), 1_000, 10_000);
      // Load makes two choices differ; without any, a cold endpoint would lose every comparison.
      const shareAt = (nowMs: number) => newcomerShare(balancer, group, nowMs);
      const shares = [1_000, 6_000, 12_000].map(shareAt);
      ok(shares[0] < 0.07, String(shares));
      ok(shares[1] > shares[0] && shares[1] < 0.18, String(shares));
      ok(Math.abs(shares[2] - 0.2) < 0.02, String(shares));
    });
  }
}

/** Of 20 000 requests that each stay until 40 more have come, the share of the last endpoint. */
function newcomerShare(balancer: Balancer, group: Group, nowMs: number): number {
  const random = new Random(3, "slow start");
  const underWay: BalancedEndpoint<string>[] = [];
  const newcomer = group.all[group.all.length - 1];
  let count = 0;
  for (let i = 0; i < 20_000; i++) {
    const endpoint = pickOf(balancer, group, nowMs, random);
    ok(endpoint);
    endpoint.active++;
    if (endpoint === newcomer) count++;
    // Whatever was left of a former time has no say: latencies are those of one kind of endpoint.
    endpoint.latencyMs = 1;
    endpoint.latencyAtMs = nowMs;
    underWay.push(endpoint);
    const done = underWay.length > 40 ? underWay.shift() : undefined;
    if (done !== undefined) done.active--;
  }
  for (const endpoint of underWay) endpoint.active--;
  return count / 20_000;
}

interface Outcome {
  /** Requests by place. */
  readonly counts: readonly number[];
  readonly activeMax: number;
  /** Latency that one of a hundred requests exceeds. */
  readonly p99Ms: number;
}

/**
 * Requests come at random, `ratePerMs` of them on average; an endpoint works on one at a time, for a random time
 * around its `serviceMs`.
 */
function simulate(
  pick: (group: Group, nowMs: number, random: Random) => BalancedEndpoint<string> | null,
  serviceMs: readonly number[],
  ratePerMs: number,
  requests: number,
): Outcome {
  const random = new Random(11, "simulation");
  const uniform = () => (random.next32() + 1) / (2 ** 32 + 1);
  const group = groupOf(serviceMs.length);
  const freeAtMs = serviceMs.map(() => 0);
  const done: { atMs: number; startedMs: number; endpoint: BalancedEndpoint<string> }[] = [];
  const counts = serviceMs.map(() => 0);
  const latencies: number[] = [];
  let nowMs = 0;
  let activeMax = 0;
  for (let i = 0; i < requests; i++) {
    nowMs += -Math.log(uniform()) / ratePerMs;
    done.sort((a, b) => a.atMs - b.atMs);
    while (done.length > 0 && done[0].atMs <= nowMs) {
      const { atMs, startedMs, endpoint } = done.shift() ?? done[0];
      endpoint.active--;
      observeLatency(endpoint, atMs - startedMs, atMs);
    }
    const endpoint = pick(group, nowMs, random);
    ok(endpoint);
    const place = group.all.indexOf(endpoint);
    endpoint.active++;
    counts[place]++;
    activeMax = Math.max(activeMax, endpoint.active);
    freeAtMs[place] = Math.max(freeAtMs[place], nowMs) - Math.log(uniform()) * serviceMs[place];
    done.push({ atMs: freeAtMs[place], startedMs: nowMs, endpoint });
    latencies.push(freeAtMs[place] - nowMs);
  }
  latencies.sort((a, b) => a - b);
  return { counts, activeMax, p99Ms: latencies[Math.floor(latencies.length * 0.99)] };
}

/** `simulate` with one algorithm, or with a plain draw. */
function outcomeOf(algorithm: BalancingAlgorithm | "Draw", serviceMs: readonly number[]) {
  const rate = 0.85 * serviceMs.reduce((sum, each) => sum + 1 / each, 0);
  if (algorithm === "Draw") {
    return simulate(
      (group, _, random) => group.all[random.below(group.all.length)],
      serviceMs,
      rate,
      20_000,
    );
  }
  const balancer = balancerOf(algorithm);
  return simulate(
    (group, nowMs, random) => pickOf(balancer, group, nowMs, random),
    serviceMs,
    rate,
    20_000,
  );
}

Deno.test("load: the longest queue is far shorter than with one draw", () => {
  const equalOnes = Array.from({ length: 20 }, () => 10);
  const drawn = outcomeOf("Draw", equalOnes);
  for (const algorithm of ["LeastRequest", "PeakEwma"] as const) {
    const outcome = outcomeOf(algorithm, equalOnes);
    ok(outcome.activeMax * 2 < drawn.activeMax, `${outcome.activeMax} of ${drawn.activeMax}`);
    ok(outcome.p99Ms * 2 < drawn.p99Ms, `${outcome.p99Ms} of ${drawn.p99Ms}`);
  }
});

Deno.test("PeakEwma: prefers the fast endpoints and still uses the slow one", () => {
  const serviceMs = [5, 5, 5, 100];
  const { counts } = outcomeOf("PeakEwma", serviceMs);
  const [a, b, c, slow] = counts;
  // By speed the slow endpoint would get 1 request of 61.
  ok(slow < 20_000 / 40 && slow > 20, String(counts));
  ok(Math.max(a, b, c) < 1.15 * Math.min(a, b, c), String(counts));
  ok(outcomeOf("PeakEwma", serviceMs).p99Ms < outcomeOf("RoundRobin", serviceMs).p99Ms / 3);
});

Deno.test("PeakEwma: latency rises at once and falls slowly, also without answers", () => {
  const group = groupOf(2);
  const [one, other] = group.all;
  const balancer = balancerOf("PeakEwma");
  const random = new Random(1, "latency");
  const shareOfOne = (nowMs: number) => {
    let count = 0;
    for (let i = 0; i < 100; i++) if (pickOf(balancer, group, nowMs, random) === one) count++;
    return count;
  };
  observeLatency(other, 20, 0);
  observeLatency(one, 10, 0);
  equal(shareOfOne(1), 100);
  observeLatency(one, 500, 10);
  equal(shareOfOne(11), 0);
  observeLatency(one, 10, 20);
  equal(shareOfOne(21), 0, "one fast answer is no proof");
  equal(one.latencyMs > 400, true);
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) observeLatency(other, 20, nowMs);
  equal(shareOfOne(60_000), 100, "after a minute it is tried again");
});

Deno.test("PeakEwma: an endpoint that answered nothing yet gets one request, not all of them", () => {
  const group = groupOf(3);
  for (const endpoint of group.all.slice(0, 2)) observeLatency(endpoint, 50, 0);
  const balancer = balancerOf("PeakEwma");
  const random = new Random(1, "unknown");
  const counts = [0, 0, 0];
  for (let i = 0; i < 300; i++) {
    const endpoint = pickOf(balancer, group, 1, random);
    ok(endpoint);
    endpoint.active++;
    counts[group.all.indexOf(endpoint)]++;
  }
  equal(counts[2], 1);
});

Deno.test("RingHash: a key keeps its endpoint, and one endpoint more or less moves only its share", () => {
  const balancer = balancerOf("RingHash");
  const random = new Random(1, "ring");
  const keys = 20_000;
  const placesOf = (group: Group) =>
    Array.from(
      { length: keys },
      (_, i) => pickOf(balancer, group, 0, random, mix32(i + 1))?.key ?? "none",
    );
  const group = groupOf(10);
  const before = placesOf(group);
  deepEqual(placesOf(group), before);
  group.replace(targets(11), 0, 0);
  const after = placesOf(group);
  const newcomer = group.all[10].key;
  let moved = 0;
  for (const [i, key] of before.entries()) {
    if (key === after[i]) continue;
    equal(after[i], newcomer, "what moves, moves to the new endpoint");
    moved++;
  }
  ok(moved / keys > 0.05 && moved / keys < 0.15, String(moved));
  group.all[0].isEjected = true;
  group.refresh(false);
  const lost = group.all[0].key;
  for (const [i, key] of placesOf(group).entries()) if (after[i] !== lost) equal(key, after[i]);
});

Deno.test("RingHash: parts of a group in turn, each by its own ring", () => {
  const balancer = balancerOf("RingHash");
  const group = groupOf(10);
  const parts = [
    group,
    group.part("many", ({ key }) => key > "10.0.0.3"),
    group.part("one", (one) => one === group.all[2]),
  ];
  const random = new Random(1, "parts");
  for (let i = 0; i < 300; i++) {
    const part = parts[i % parts.length];
    const endpoint = pickOf(balancer, part, 0, random, mix32(i));
    ok(endpoint !== null && part.has(endpoint));
  }
});

Deno.test("RingHash: a thousand endpoints", () => {
  const counts = countsOf(balancerOf("RingHash"), groupOf(1_000), 200_000);
  ok(Math.max(...counts) < 3 * 200 && Math.min(...counts) > 200 / 3);
});

Deno.test("RoundRobin: in turn, from where it is told to start", () => {
  const group = new EndpointGroup<string>(7);
  group.replace(targets(3), 0, 0);
  const balancer = balancerOf("RoundRobin");
  const random = new Random(1, "x");
  const keys = Array.from({ length: 5 }, () => pickOf(balancer, group, 0, random)?.key);
  const [a, b, c] = targets(3).map(({ key }) => key);
  deepEqual(keys, [b, c, a, b, c]);
});

/** Something that happens to a group of up to eight endpoints. */
type Event =
  | { readonly kind: "pick" }
  | { readonly kind: "plan"; readonly places: readonly number[] }
  | { readonly kind: "eject" | "avoid"; readonly places: readonly number[] };

const places = fc.uniqueArray(fc.nat(7), { maxLength: 8 });
const events = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("pick" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("plan" as const), places }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constantFrom("eject" as const, "avoid" as const), places }),
    },
  ),
  { maxLength: 120 },
);

/** Picks of one stretch of time, over endpoints some of which come, go, are ejected or will not do. */
function checkTurns(balancer: Balancer, start: number, events: readonly Event[]): void {
  const random = new Random(1, "turns");
  const names = targets(8);
  const group = new EndpointGroup<string>(start);
  group.replace(names, 0, 0);
  let avoided = new Set<string>();
  /** Of two endpoints, how often the one had its turn and not the other: now, at least and at most. */
  const leads = new Map<string, { now: number; least: number; most: number }>();
  const isGood = ({ key }: BalancedEndpoint<string>) => !avoided.has(key);
  for (const event of events) {
    if (event.kind === "plan") group.replace(event.places.map((place) => names[place]), 0, 0);
    else if (event.kind === "avoid") avoided = new Set(event.places.map((at) => names[at].key));
    else if (event.kind === "eject") {
      const ejected = new Set(event.places.map((place) => names[place].key));
      for (const endpoint of group.all) endpoint.isEjected = ejected.has(endpoint.key);
      group.refresh(false);
    }
    const there = group.available.filter(isGood).map(({ key }) => key);
    const pairs = new Set(there.flatMap((one) => there.map((other) => `${one} ${other}`)));
    for (const pair of leads.keys()) if (!pairs.has(pair)) leads.delete(pair);
    for (const pair of pairs) {
      if (!leads.has(pair)) leads.set(pair, { now: 0, least: 0, most: 0 });
    }
    if (event.kind !== "pick") continue;
    const picked = balancer.pick(group, 0, random, 0, isGood)?.key;
    if (there.length > 0) ok(there.includes(picked ?? ""), `${picked} of ${there}`);
    for (const [pair, lead] of leads) {
      const [one, other] = pair.split(" ");
      if (one === other) continue;
      lead.now += Number(one === picked) - Number(other === picked);
      lead.least = Math.min(lead.least, lead.now);
      lead.most = Math.max(lead.most, lead.now);
      ok(lead.most - lead.least <= 1, `${one} had two turns, ${other} none`);
    }
  }
}

for (const algorithm of ["LeastRequest", "RoundRobin"] as const) {
  Deno.test(`${algorithm}: none has two turns where another has none, whatever comes and goes meanwhile`, () => {
    fc.assert(
      fc.property(fc.nat(20), events, (start, events) => {
        checkTurns(balancerOf(algorithm), start, events);
      }),
      { numRuns: 500 },
    );
  });
}

Deno.test("LeastRequest: after any number of requests that do not overlap, shares differ by one at most", () => {
  for (const count of [1, 2, 3, 7, 100]) {
    for (const picks of [1, count, 3 * count + 1, 30]) {
      const counts = countsOf(balancerOf("LeastRequest"), groupOf(count), picks);
      ok(Math.max(...counts) <= Math.ceil(picks / count), String(counts));
      ok(Math.min(...counts) >= Math.floor(picks / count), String(counts));
    }
  }
});

Deno.test("LeastRequest: no other endpoint that will do has less under way", () => {
  const step = fc.record({ isNew: fc.boolean(), ended: fc.nat(), avoided: fc.nat(9) });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(step), (count, steps) => {
      const balancer = balancerOf("LeastRequest");
      const random = new Random(1, "least");
      const group = groupOf(count);
      const underWay: BalancedEndpoint<string>[] = [];
      for (const { isNew, ended, avoided } of steps) {
        if (!isNew) {
          for (const one of underWay.splice(ended % (underWay.length + 1), 1)) one.active--;
          continue;
        }
        const isGood = (one: BalancedEndpoint<string>) => one !== group.all[avoided];
        const good = group.all.filter(isGood);
        const endpoint = balancer.pick(group, 0, random, 0, isGood);
        ok(endpoint);
        if (good.length > 0) equal(endpoint.active, Math.min(...good.map(({ active }) => active)));
        endpoint.active++;
        underWay.push(endpoint);
      }
    }),
  );
});

Deno.test("LeastRequest: a slow endpoint gets less, and its share again once it is fast", () => {
  const { counts } = outcomeOf("LeastRequest", [5, 5, 5, 100]);
  const [a, b, c, slow] = counts;
  ok(slow * 5 < Math.min(a, b, c), String(counts));
  ok(slow > 20, String(counts));
  ok(Math.max(a, b, c) < 1.1 * Math.min(a, b, c), String(counts));
});

Deno.test("LeastRequest: a connection that lives long counts for as long as it lives", () => {
  const balancer = balancerOf("LeastRequest");
  const random = new Random(1, "long");
  const group = groupOf(3);
  group.all[0].active = 2;
  const take = () => {
    const endpoint = pickOf(balancer, group, 0, random);
    ok(endpoint);
    endpoint.active++;
    return group.all.indexOf(endpoint);
  };
  deepEqual([take(), take(), take(), take()], [1, 2, 1, 2]);
  deepEqual([take(), take(), take()].toSorted(), [0, 1, 2]);
});

Deno.test("PeakEwma: an endpoint is asked again within ten seconds, however slow it was or busy it is", () => {
  for (const hangs of [false, true]) {
    const balancer = balancerOf("PeakEwma");
    const random = new Random(1, "probe");
    const group = groupOf(3);
    const [slow, ...others] = group.all;
    const slowAtMs: number[] = [];
    for (let nowMs = 0; nowMs <= 60_000; nowMs += 100) {
      const endpoint = pickOf(balancer, group, nowMs, random);
      ok(endpoint);
      if (endpoint === slow) slowAtMs.push(nowMs);
      // What hangs is never answered, and never ends.
      if (endpoint === slow && hangs) endpoint.active++;
      else observeLatency(endpoint, endpoint === slow ? 30_000 : 2, nowMs);
    }
    ok(others.length === 2 && slowAtMs.length >= 6, `${slowAtMs}`);
    ok(slowAtMs.length <= 8, `${slowAtMs}`);
    for (let i = 1; i < 6; i++) ok(slowAtMs[i] - slowAtMs[i - 1] <= 10_500, `${slowAtMs}`);
  }
});

Deno.test("turns: with a seed a fleet begins at every endpoint alike", () => {
  const counts = [0, 0, 0];
  for (let seed = 0; seed < 3_000; seed++) {
    const group = new EndpointGroup<string>(new Random(seed, "start").next32());
    group.replace(targets(3), 0, 0);
    const first = pickOf(balancerOf("LeastRequest"), group, 0, new Random(1, "x"));
    counts[targets(3).findIndex(({ key }) => key === first?.key)]++;
  }
  ok(counts.every((count) => count > 900 && count < 1_100), `${counts}`);
});

Deno.test("endpoint group: a part shares load and ejection, and has a rotation of its own", () => {
  const group = groupOf(4);
  const part = group.part("part", ({ key }) => !key.endsWith(".3:8080"));
  const [one] = group.all;
  equal(part.all[0], one);
  one.isEjected = true;
  group.refresh(false);
  equal(part.available.length, 2);
  group.refresh(true);
  equal(part.available.length, 3);
});

Deno.test("endpoint group: the rotation goes on where it was, past endpoints that have left", () => {
  const group = groupOf(4);
  const balancer = balancerOf("RoundRobin");
  const random = new Random(1, "x");
  const next = () => pickOf(balancer, group, 0, random)?.key;
  const [a, b, c, d] = targets(4);
  deepEqual([next(), next()], [a.key, b.key]);
  group.replace([d, c, a], 0, 0);
  deepEqual([next(), next(), next(), next()], [c.key, d.key, a.key, c.key]);
  group.replace([b, d], 0, 0);
  equal(next(), d.key, "its turn had come, and what is new has yet to wait");
});

Deno.test("endpoint group: only so many parts keep their turns", () => {
  const group = groupOf(2);
  const random = new Random(1, "x");
  const balancer = balancerOf("RoundRobin");
  const next = (name: string) =>
    pickOf(balancer, group.part(name, () => true), 0, random)?.key ?? "";
  const [a, b] = targets(2);
  const names = Array.from({ length: BALANCED_PARTS_MAX + 1 }, (_, i) => `part ${i}`);
  for (const name of names) equal(next(name), a.key);
  equal(next(names[1]), b.key);
  equal(next(names[0]), a.key, "the one used longest ago begins anew");
});

Deno.test("endpoint group: the turns of a part go on over plans, by its name", () => {
  const group = groupOf(4);
  const balancer = balancerOf("RoundRobin");
  const random = new Random(1, "x");
  const [a, b, c, d] = targets(4);
  const cut = () => group.part("part", ({ key }) => key !== b.key);
  const next = (part: Group) => pickOf(balancer, part, 0, random)?.key;
  let part = cut();
  deepEqual([next(part), next(part)], [a.key, c.key]);
  for (const key of [d.key, a.key, c.key, d.key]) {
    group.replace([a, b, c, d], 0, 0);
    part = cut();
    equal(next(part), key);
  }
  group.replace([b, c, d], 0, 0);
  equal(next(cut()), c.key);
});
