/**
 * Random lists of rules, and what the algebra says of them, against two engines that know nothing of it: RE2JS, and V8's linear
 * one where it is switched on. `random_rules.ts [--seed N] [--runs N] [--planted BUG]` ends with 1 where they disagree.
 */
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { RE2JS } from "re2js";
import { Random, randomSeed } from "../../base/random.ts";
import {
  type RequestCell,
  RequestSpace,
  type SpaceOptions,
} from "../../routing/algebra/request_space.ts";
import type { Witness } from "../../routing/algebra/witness.ts";
import type { MatchConditions } from "../../routing/plan.ts";

const AUTHORITIES = ["web.app", "web.app.svc", "web", "web.app:80"] as const;
const FOREIGN = ["x.y", "web.app.evil", "a", "WEB.app"];
const METHODS = ["GET", "POST", "HEAD", "PURGE"];

/** Space under test; a planted bug is another one. */
type MakeWalk = (
  lists: readonly (readonly MatchConditions[])[],
  options: SpaceOptions,
) => (visit: (cell: RequestCell) => void) => boolean;

const honest: MakeWalk = (lists, options) => {
  const space = new RequestSpace(lists, options);
  return (visit) => space.walk(visit);
};

/** Bugs on purpose: each must be noticed, or the checks below see nothing. */
export const PLANTED: Readonly<Record<string, MakeWalk>> = {
  "an answer of too few states is called complete": (lists, options) => (visit) => {
    honest(lists, { ...options, statesMax: 3 })(visit);
    return true;
  },
  "a witness lacks its headers": (lists, options) => (visit) =>
    honest(lists, options)((cell) =>
      visit({ ...cell, witness: () => ({ ...cell.witness(), headers: [] }) })
    ),
  "a witness is not the shortest": (lists, options) => (visit) =>
    honest(lists, options)((cell) =>
      visit({ ...cell, witness: () => ({ ...cell.witness(), path: `${cell.witness().path}a` }) })
    ),
  "the last match counts": (lists, options) => (visit) =>
    honest(lists.map((list) => list.toReversed()), options)((cell) =>
      visit({
        ...cell,
        firsts: cell.firsts.map((first, i) => first === -1 ? -1 : lists[i].length - 1 - first),
      })
    ),
  "methods are passed over": (lists, options) =>
    honest(lists.map((list) => list.map((match) => ({ ...match, methods: null }))), options),
};

interface Sample {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly queries: Readonly<Record<string, string>>;
}

/** Whether one pattern matches, by every engine that takes it; they must agree. */
class Oracle {
  readonly #re2 = new Map<string, RE2JS>();
  readonly #v8 = new Map<string, RegExp | null>();
  v8Answers = 0;

  matches(pattern: string, text: string, mode: "anchored" | "search"): boolean {
    let re2 = this.#re2.get(pattern);
    if (re2 === undefined) this.#re2.set(pattern, re2 = RE2JS.compile(pattern));
    const matcher = re2.matcher(text);
    const answer = mode === "anchored" ? matcher.lookingAt() : matcher.find();
    const linear = this.#linear(mode === "anchored" ? `^(?:${pattern})` : pattern);
    if (linear !== null) {
      this.v8Answers++;
      assert.equal(linear.test(text), answer, `RE2 and V8 differ: ${pattern} on ${text}`);
    }
    return answer;
  }

  #linear(pattern: string): RegExp | null {
    let known = this.#v8.get(pattern);
    if (known === undefined) {
      try {
        known = new RegExp(pattern, "l");
      } catch {
        known = null; // Not switched on, or not in its subset.
      }
      this.#v8.set(pattern, known);
    }
    return known;
  }

  firstOf(list: readonly MatchConditions[], sample: Sample): number {
    const { method, path, host, headers, queries } = sample;
    return list.findIndex((match) =>
      (match.path === null || this.matches(match.path, path, "anchored")) &&
      (match.methods === null || match.methods.includes(method)) &&
      match.headers.every(({ name, pattern }) => {
        const value = name === "host" ? host : headers[name];
        return value !== undefined && this.matches(pattern, value, "search");
      }) &&
      (match.queries ?? []).every(({ name, pattern }) =>
        name in queries && this.matches(pattern, queries[name], "search")
      )
    );
  }
}

function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)];
}

function patternOf(random: Random, units: readonly string[], depth = 2): string {
  const parts = Array.from({ length: 1 + random.below(3) }, () => {
    const atom = depth > 0 && random.below(4) === 0
      ? `(?:${patternOf(random, units, depth - 1)})`
      : pick(random, units);
    const repeat = pick(random, ["", "", "", "", "*", "+", "?", "{1,2}"]);
    return /^[\^$\\]|\*$/.test(atom) ? atom : `${atom}${repeat}`;
  });
  const text = parts.join("");
  return random.below(4) === 0 ? `${text}|${patternOf(random, units, 0)}` : text;
}

const PATH_UNITS = ["a", "b", "/", "a/", "[ab]", "[^a]", ".", ".*", "$", "\\b", "-"];
const VALUE_UNITS = ["a", "b", " ", "[ab]", "[^b]", ".", "^", "$", "\\b"];
const PARAMETER_UNITS = ["a", "b", "=", "[ab]", "[^b]", ".", "^", "$", "\\b"];
const HOST_UNITS = ["web", "\\.app", "[a-w]", "svc", "^", "$", ":80", ".*"];

export function randomMatch(random: Random): MatchConditions {
  const headers: { name: string; pattern: string }[] = [];
  const units = { "x-a": VALUE_UNITS, "x-b": VALUE_UNITS, host: HOST_UNITS };
  for (const [name, each] of Object.entries(units)) {
    if (random.below(5) === 0) headers.push({ name, pattern: patternOf(random, each) });
  }
  const queries = ["q", "x-a"].filter(() => random.below(6) === 0)
    .map((name) => ({ name, pattern: patternOf(random, PARAMETER_UNITS) }));
  const methods = ["GET", "POST", "HEAD"].filter(() => random.below(2) === 0);
  return {
    path: random.below(5) === 0 ? null : `/${patternOf(random, PATH_UNITS)}`,
    methods: methods.length === 0 || random.below(2) === 0 ? null : methods,
    headers,
    ...(queries.length === 0 ? {} : { queries }),
  };
}

function textOf(random: Random, units: readonly string[], most: number): string {
  return Array.from({ length: random.below(most + 1) }, () => pick(random, units)).join("");
}

export function randomSample(random: Random): Sample {
  const headers: Record<string, string> = {};
  for (const name of ["x-a", "x-b"]) {
    if (random.below(2) === 0) headers[name] = textOf(random, ["a", "b", " ", "c"], 4).trim();
  }
  const queries: Record<string, string> = {};
  for (const name of ["q", "x-a"]) {
    if (random.below(3) === 0) queries[name] = textOf(random, ["a", "b", "=", "c"], 4);
  }
  return {
    method: pick(random, METHODS),
    path: `/${textOf(random, ["a", "b", "/", "-", "c"], 5)}`,
    host: pick(random, random.below(4) === 0 ? FOREIGN : AUTHORITIES),
    headers,
    queries,
  };
}

function sampleOfWitness({ method, path, query, authority, headers }: Witness): Sample {
  const parameters = query === "" ? [] : query.split("&").map((each) => {
    const [name, ...value] = each.split("=");
    return [name, value.join("=")];
  });
  return {
    method,
    path,
    host: authority,
    headers: Object.fromEntries(headers),
    queries: Object.fromEntries(parameters),
  };
}

function lengthOf({ path, headers, queries }: Sample): number {
  return [...Object.entries(headers), ...Object.entries(queries)]
    .reduce((sum, [name, value]) => sum + name.length + value.length, path.length);
}

/** One pair of lists; throws where the algebra and an engine disagree. Returns whether all was decided. */
function checkPair(seed: number, makeWalk: MakeWalk, oracle: Oracle): boolean {
  const random = new Random(seed, "rules");
  const lists = [0, 1].map(() =>
    Array.from({ length: 1 + random.below(4) }, () => randomMatch(random))
  );
  const best = new Map<string, RequestCell>();
  const isComplete = makeWalk(lists, { authorities: AUTHORITIES })((cell) => {
    const key = cell.firsts.join();
    const known = best.get(key);
    if (known === undefined || cell.size < known.size) best.set(key, cell);
  });
  const shown = JSON.stringify(lists);
  for (const [key, cell] of best) {
    const witness = cell.witness();
    // Of what is no text there is no text to ask about.
    if (!witness.isExact) continue;
    const sample = sampleOfWitness(witness);
    const answer = lists.map((list) => oracle.firstOf(list, sample)).join();
    assert.equal(answer, key, `witness ${JSON.stringify(witness)} of ${shown}`);
  }
  for (let i = 0; i < 40; i++) {
    const sample = randomSample(random);
    const key = lists.map((list) => oracle.firstOf(list, sample)).join();
    const cell = best.get(key);
    if (cell === undefined) {
      assert.ok(!isComplete, `no cell ${key} for ${JSON.stringify(sample)} of ${shown}`);
      continue;
    }
    const witness = cell.witness();
    if (sample.host !== AUTHORITIES[0] || witness.method === "CONNECT") continue;
    // What is asked of the host may make the other one longer.
    const isShorter = lengthOf(sampleOfWitness(witness)) <= lengthOf(sample);
    const message = `${JSON.stringify(sample)} is shorter than ${
      JSON.stringify(witness)
    } of ${shown}`;
    assert.ok(isShorter || !isComplete, message);
  }
  return isComplete;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: "string" },
      runs: { type: "string", default: "1000" },
      planted: { type: "string" },
    },
  });
  const first = values.seed === undefined ? randomSeed() % 2 ** 31 : Number(values.seed);
  const makeWalk = values.planted === undefined ? honest : PLANTED[values.planted];
  const oracle = new Oracle();
  let decided = 0;
  console.log(`Seed ${first}`);
  for (let seed = first; seed < first + Number(values.runs); seed++) {
    try {
      decided += Number(checkPair(seed, makeWalk, oracle));
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error));
      const flags = "--v8-flags=--enable-experimental-regexp-engine";
      console.log(
        `Again: deno run -A ${flags} tests/algebra/random_rules.ts --runs 1 --seed ${seed}`,
      );
      Deno.exit(1);
    }
  }
  console.log(`${values.runs} pairs, ${decided} decided, ${oracle.v8Answers} answers of V8 too`);
}
