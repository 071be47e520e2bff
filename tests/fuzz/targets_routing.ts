/** What people and controllers write: patterns, plans and manifests. */
import assert from "node:assert/strict";
import { RE2JS } from "re2js";
import type { Random } from "../../base/random.ts";
import { expandWorkloads } from "../../schemas/workloads.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { compile } from "../../routing/compile/compile.ts";
import { PathPattern, patternTest } from "../../routing/match/pattern.ts";
import { checkPattern } from "../../routing/match/pattern.ts";
import type { Plan } from "../../routing/plan.ts";
import { hashPlan } from "../../routing/parts.ts";
import { decodePlan, encodePlan } from "../../routing/plan_codec.ts";
import { requestHeadOf } from "../../routing/request.ts";
import { decide, Decision } from "../../routing/table/decide.ts";
import { buildTable } from "../../routing/table/build.ts";
import { SplitState } from "../../routing/table/split.ts";
import type { Target } from "./fuzz.ts";
import { pick } from "./generate.ts";
import { mutate } from "./mutate.ts";
import type { Corpus } from "./mutate.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Patterns.

const PATTERNS: Corpus = {
  texts: ["/api/v[0-9]+", "^/(a|b)*c$", "(?i)/Test", "/x{2,3}?", "[^/]+\\.html", "\\bfoo\\b", ".*"],
  words: [
    ...["(", ")", "|", "*", "+", "?", "{2}", "{1,}", "{0,3}?", "[", "]", "^", "$", ".", "-", "\\"],
    ...["(?:", "(?i)", "(?s:", "(?m)", "(?U)", "(?P<n>", "[[:alpha:]]", "[^a-z]", "\\d", "\\W"],
    ...["\\b", "\\B", "\\A", "\\z", "\\Q", "\\E", "\\x41", "\\x{61}", "\\n", "\\pL", "(?=a)"],
    ...["a", "b", "/", "0", "\n", "_", "K", "k", "\\1", "(?>a)", "{1001}", "{,2}"],
  ],
};
const SUBJECTS = [
  "",
  "/",
  "a",
  "/api/v1/x",
  "/aabbc",
  "/TEST",
  "/xx",
  "a.html",
  "foo",
  "x foo y",
  "k",
  "K",
  "a\nb",
  "_0",
];

function subject(random: Random): string {
  const parts = Array.from(
    { length: random.below(4) },
    () => random.below(2) > 0 ? pick(random, SUBJECTS) : pick(random, PATTERNS.words),
  );
  return parts.join("").replace(/[^\0-\x7f]/g, "a");
}

const pattern: Target = {
  name: "pattern",
  invariant: "What is accepted RE2 accepts, and matches the same texts, anchored and searched for",
  generate: (random) => encoder.encode(mutate(random, PATTERNS)),
  check(bytes, random) {
    const text = decoder.decode(bytes);
    const verdict = checkPattern(text);
    if (!verdict.ok) {
      assert.ok(verdict.offset >= 0 && verdict.offset <= text.length, `${verdict.offset}`);
      return;
    }
    const path = new PathPattern(text);
    const isCatchAll = path.isCatchAll();
    // A stray \E is passed over here, and no mistake; RE2 refuses it.
    if (/\\[QE]/.test(text)) return;
    // RE2 in Go takes `[[:]` for a class of two characters; RE2JS alone takes its end for a nameless class, and refuses.
    if (text.includes("[:]")) return;
    const oracle = RE2JS.compile(text);
    const searches = patternTest(text, "search");
    for (let i = 0; i < 8; i++) {
      const one = subject(random);
      const line = JSON.stringify([text, one]);
      assert.equal(
        path.matches(encoder.encode(one)),
        oracle.matcher(one).lookingAt(),
        `at ${line}`,
      );
      assert.equal(searches(encoder.encode(one)), oracle.matcher(one).find(), `in ${line}`);
      const isPath = /^\/[!->@-~]*$/.test(one);
      if (isCatchAll && isPath) assert.ok(path.matches(encoder.encode(one)), `all ${line}`);
    }
  },
};

// Plans and manifests.

const GOLDEN = new URL("../golden/", import.meta.url);

function goldenTexts(file: string): string[] {
  const texts: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(GOLDEN)) {
    if (!isDirectory) continue;
    try {
      texts.push(Deno.readTextFileSync(new URL(`${name}/${file}`, GOLDEN)));
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return texts;
}

/** Read when first needed: other targets run where nothing may be read. */
function corpusOf(file: string, words: readonly string[]): () => Corpus {
  let corpus: Corpus | null = null;
  return () => corpus ??= { texts: goldenTexts(file), words };
}

const plans = corpusOf("plan.json", [
  ...["null", "true", "[]", "{}", '""', "-1", "1e400", '"__proto__"', '{"__proto__":{}}', ","],
  ...['"http2"', '"ready"', '"missing"', '"*"', '".*"', '"("', '"\\u0000"', '"weight":0', "0"],
]);

const REQUESTS = [
  { method: "GET", url: "http://httpbin.httpbin:8080/test", headers: [] },
  { method: "POST", url: "http://web.app/x?y", headers: [["user-agent", "x"]] as const },
].map((request) => requestHeadOf(request));

/** Builds and asks a plan that was decoded. */
function use(plan: Plan): void {
  const table = buildTable(plan, { namespace: "app", identity: "app/web", seed: 1 });
  const splits = new SplitState(table);
  for (const head of REQUESTS) {
    for (let i = 0; i < 3; i++) decide(table, head, 80, splits, new Decision());
  }
}

const plan: Target = {
  name: "plan",
  invariant:
    "Any text decodes or is refused in one line; what decodes can be built, asked and encoded",
  generate: (random) => encoder.encode(mutate(random, plans())),
  check(bytes) {
    const text = decoder.decode(bytes);
    for (const candidate of [text, rehashed(text)]) {
      const decoded = decodePlan(candidate);
      if (!decoded.ok) {
        assert.match(decoded.message, /^[^\n]{1,1000}$/);
        continue;
      }
      use(decoded.plan);
      const again = decodePlan(encodePlan(decoded.plan));
      assert.ok(again.ok);
      assert.deepEqual(again.plan, decoded.plan);
    }
  },
};

/** As the controller itself would have sent it: the hash fits what it has become. */
function rehashed(text: string): string {
  try {
    const value = JSON.parse(text);
    return JSON.stringify({ ...value, hash: hashPlan(value) });
  } catch {
    return text;
  }
}

const manifests = corpusOf("in.yaml", [
  ...["---\n", "- ", ": ", "{}", "[]", "null", "~", "|\n", ">-\n", "&a ", "*a", "!!binary ", "\t"],
  ...["<<: *a", "\u0000", "\ufeff", "é", "'", '"', "#", "%YAML 1.1\n", "? ", "&a [*a, *a]"],
  ...[
    "kind: TrafficSplit\n",
    "weight: -1\n",
    "weight: 900m\n",
    "apiVersion: split.smi-spec.io/v1alpha1\n",
  ],
  ...["pathRegex: '('\n", "methods: ['*']\n", "backends:\n", "matches: []\n", "namespace: a/b\n"],
]);

const manifest: Target = {
  name: "manifest",
  invariant: "Any text gives findings and a plan that decodes, never an exception",
  generate: (random) => encoder.encode(mutate(random, manifests())),
  check(bytes) {
    const { snapshot, findings } = parseManifests([
      { name: "in.yaml", text: decoder.decode(bytes) },
    ]);
    const compiled = compile(expandWorkloads(snapshot));
    for (const { code, message } of [...findings, ...compiled.findings]) {
      assert.match(code, /^[a-z0-9-]+$/);
      assert.ok(message.length > 0);
    }
    const decoded = decodePlan(encodePlan(compiled.plan));
    assert.equal(decoded.ok ? "" : decoded.message, "");
    if (decoded.ok) use(decoded.plan);
  },
};

export const ROUTING_TARGETS: readonly Target[] = [pattern, plan, manifest];
