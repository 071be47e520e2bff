/** RingHash: how even its shares are, what a bound on load holds to, and how little moves when endpoints come and go. */
import { equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { mix32 } from "../../base/hash.ts";
import { Random } from "../../base/random.ts";
import type { BalancedEndpoint } from "./endpoint.ts";
import { EndpointGroup } from "./endpoint_group.ts";
import { POINTS_PER_ENDPOINT } from "./ring.ts";
import { RingHash } from "./ring_hash.ts";

type Group = EndpointGroup<string>;

const RANDOM = new Random(1, "of no use to a ring");

/** A group of endpoints with these numbers in their addresses. */
function groupOf(numbers: readonly number[]): Group {
  const group = new EndpointGroup<string>();
  group.replace(targetsOf(numbers), 0, 0);
  return group;
}

function targetsOf(numbers: readonly number[]) {
  return numbers.map((number) => {
    const key = `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}:8080`;
    return { key, target: key };
  });
}

function pick(ring: RingHash, group: Group, hash: number): BalancedEndpoint<string> {
  const endpoint = ring.pick(group, 0, RANDOM, hash, () => true);
  ok(endpoint);
  return endpoint;
}

/** Numbers that tell endpoints apart. */
const numbers = fc.uniqueArray(fc.integer({ min: 0, max: 0xffffff }), {
  minLength: 2,
  maxLength: 24,
});
const hashes = fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), {
  minLength: 1,
  maxLength: 200,
});

Deno.test("RingHash: an endpoint that leaves moves its own keys only, and one that comes takes only its own", () => {
  fc.assert(
    fc.property(numbers, hashes, fc.nat(), (numbers, hashes, chosen) => {
      const ring = new RingHash(null);
      const leaver = chosen % numbers.length;
      const whole = groupOf(numbers);
      const rest = groupOf(numbers.filter((_, i) => i !== leaver));
      const leaverKey = whole.all[leaver].key;
      for (const hash of hashes) {
        const before = pick(ring, whole, hash).key;
        const after = pick(ring, rest, hash).key;
        // Read the other way round: what moves when it comes, moves to it.
        if (before !== leaverKey) equal(after, before);
      }
    }),
  );
});

Deno.test("RingHash: an endpoint that is ejected moves its own keys only, to where they go when it leaves", () => {
  fc.assert(
    fc.property(numbers, hashes, fc.nat(), (numbers, hashes, chosen) => {
      const ring = new RingHash(null);
      const leaver = chosen % numbers.length;
      const group = groupOf(numbers);
      const rest = groupOf(numbers.filter((_, i) => i !== leaver));
      group.all[leaver].isEjected = true;
      group.refresh(false);
      for (const hash of hashes) equal(pick(ring, group, hash).key, pick(ring, rest, hash).key);
    }),
  );
});

Deno.test("RingHash: several groups of one backend have a ring each", () => {
  const ring = new RingHash(null);
  const group = groupOf([1, 2, 3, 4, 5]);
  const parts = [0, 1].map((odd) =>
    group.part(`${odd}`, ({ key }) => group.all.findIndex((it) => it.key === key) % 2 === odd)
  );
  for (let i = 0; i < 100; i++) {
    for (const part of parts) ok(part.has(pick(ring, part, mix32(i))));
  }
});

Deno.test("RingHash: shares deviate as theory says they do", () => {
  // The arcs between n*k random points are uniform spacings, so the share of an endpoint that has k of them is
  // Beta(k, (n-1)k), whose deviation over its mean is sqrt((n-1) / (nk + 1)).
  const [rings, count, samples] = [40, 20, 65_536];
  let squares = 0;
  for (let i = 0; i < rings; i++) {
    const group = groupOf(Array.from({ length: count }, (_, j) => 1_000 * i + j));
    const ring = new RingHash(null);
    const shares = new Map<string, number>();
    for (let sample = 0; sample < samples; sample++) {
      const { key } = pick(ring, group, Math.floor((sample + 0.5) / samples * 2 ** 32));
      shares.set(key, (shares.get(key) ?? 0) + count / samples);
    }
    for (const { key } of group.all) squares += ((shares.get(key) ?? 0) - 1) ** 2;
  }
  const measured = Math.sqrt(squares / (rings * count));
  const theory = Math.sqrt((count - 1) / (count * POINTS_PER_ENDPOINT + 1));
  // 800 shares tell a deviation to 2.5 % (1 / sqrt(2 * 800)); four times that to either side.
  ok(Math.abs(measured / theory - 1) < 0.1, `measured ${measured}, by theory ${theory}`);
});

/** Requests that come and go: true takes one with this hash, false ends the one that has been under way longest. */
const traffic = fc.array(
  fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 40 })),
  { minLength: 1, maxLength: 300 },
);

Deno.test("RingHash with a bound: no endpoint takes a request beyond its bound, and none is refused", () => {
  fc.assert(
    fc.property(
      numbers,
      fc.constantFrom(101, 110, 125, 150, 200, 400),
      traffic,
      (numbers, maxLoadPercent, traffic) => {
        const ring = new RingHash(maxLoadPercent);
        const group = groupOf(numbers);
        const underWay: BalancedEndpoint<string>[] = [];
        for (const [isNew, key] of traffic) {
          if (!isNew) {
            const ended = underWay.shift();
            if (ended !== undefined) ended.active--;
            continue;
          }
          // Few keys, so that the load leans far to one side.
          const endpoint = pick(ring, group, mix32(key));
          endpoint.active++;
          underWay.push(endpoint);
          const bound = Math.ceil(maxLoadPercent / 100 * underWay.length / numbers.length);
          ok(endpoint.active <= bound, `${endpoint.active} under way, bound ${bound}`);
        }
      },
    ),
  );
});

Deno.test("RingHash with a bound: a key goes to its endpoint whenever that has room", () => {
  fc.assert(
    fc.property(numbers, traffic, (numbers, traffic) => {
      const [plain, bounded] = [new RingHash(null), new RingHash(125)];
      const group = groupOf(numbers);
      let active = 0;
      for (const [, key] of traffic) {
        const own = pick(plain, group, mix32(key));
        const chosen = pick(bounded, group, mix32(key));
        const bound = Math.ceil(1.25 * (active + 1) / numbers.length);
        equal(chosen === own, own.active + 1 <= bound);
        chosen.active++;
        active++;
      }
    }),
  );
});

/** Where each of so many keys is, one request of each under way. */
function assignment(group: Group, keys: number, maxLoadPercent: number): string[] {
  const ring = new RingHash(maxLoadPercent);
  return Array.from({ length: keys }, (_, i) => {
    const endpoint = pick(ring, group, mix32(i + 1));
    endpoint.active++;
    return endpoint.key;
  });
}

Deno.test("RingHash with a bound: with an endpoint gone few keys move beside its own", () => {
  // A change of one endpoint moves O(1 / e^2) times its own keys, where the bound is 1 + e (Mirrokni et al., for e up to
  // 1), with a constant that is not said. Here it is 0.23, 0.03 and 0.01 times as many.
  const [count, keys] = [50, 20_000];
  for (const percent of [125, 150, 200]) {
    let moved = 0;
    for (let leaver = 0; leaver < 5; leaver++) {
      const all = Array.from({ length: count }, (_, i) => i);
      const before = assignment(groupOf(all), keys, percent);
      const after = assignment(groupOf(all.filter((i) => i !== leaver * 7)), keys, percent);
      const leaverKey = targetsOf([leaver * 7])[0].key;
      moved += before.filter((key, i) => key !== leaverKey && key !== after[i]).length;
    }
    const perOwnKeys = moved / 5 / (keys / count);
    ok(perOwnKeys < 0.5, `${perOwnKeys} times its own at ${percent} %`);
  }
});
