import { ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { Random } from "../../base/random.ts";
import type { PlanMatch } from "../plan.ts";
import { METHODS, requestHeadOf } from "../request.ts";
import type { RequestHead } from "../request.ts";
import { firstFailure } from "./match.ts";
import { matchForTest } from "../table/plan_for_test.ts";
import { MatchIndex } from "./match_index.ts";

type Headers = readonly (readonly [string, string])[];

function request(path: string, headers: Headers = [], method = "GET"): RequestHead {
  return requestHeadOf({ method, url: `http://web.app${path}`, headers });
}

function header(name: string, pattern: string): PlanMatch {
  return matchForTest({ headers: [{ name, pattern }] });
}

/** What `find` promises, the slow way. */
function firstMatch(matches: readonly PlanMatch[], head: RequestHead): number {
  return matches.findIndex((match) => firstFailure(match, head) === null);
}

Deno.test("find gives the first match in order", () => {
  const index = new MatchIndex([
    matchForTest({ path: "/a/b" }),
    matchForTest({ path: "/a", methods: ["GET"] }),
    matchForTest({ path: "/a" }),
    matchForTest({ path: "/a/b/c" }),
  ]);
  equal(index.find(request("/a/b/c")), 0);
  equal(index.find(request("/a")), 1);
  equal(index.find(request("/a", [], "HEAD")), 2);
  equal(index.find(request("/b")), -1);
  equal(index.find(request("/a", [], "BREW")), 2, "unknown methods match rules for every method");
});

Deno.test("find without matches, and with a match of everything", () => {
  equal(new MatchIndex([]).find(request("/")), -1);
  equal(new MatchIndex([matchForTest()]).find(request("/")), 0);
});

Deno.test("methods outside the list that rules can name match no rule that names methods", () => {
  const index = new MatchIndex([matchForTest({ methods: ["GET", "POST"] })]);
  for (const method of METHODS) {
    equal(index.find(request("/", [], method)), method === "GET" || method === "POST" ? 0 : -1);
  }
  equal(index.find(request("/", [], "get")), -1, "methods are case-sensitive");
});

Deno.test("headers are searched, names in any case, and a missing header never matches", () => {
  const index = new MatchIndex([header("x-v", "2|3")]);
  equal(index.find(request("/", [["X-V", "12"]])), 0);
  equal(index.find(request("/", [["x-v", "1"]])), -1);
  equal(index.find(request("/", [["x-w", "2"]])), -1);
  equal(new MatchIndex([header("x-v", ".*")]).find(request("/")), -1);
  equal(new MatchIndex([header("x-v", "")]).find(request("/", [["x-v", ""]])), 0);
});

Deno.test("several headers of one name count as one, joined by a comma and a space", () => {
  const index = new MatchIndex([header("x-v", "^, a, b$"), header("x-v", "^a, b$")]);
  equal(index.find(request("/", [["x-v", "a"], ["other", "c"], ["X-V", "b"]])), 1);
  equal(index.find(request("/", [["x-v", ""], ["x-v", "a"], ["x-v", "b"]])), 0);
  equal(index.find(request("/", [["x-v", "a"]])), -1);
});

Deno.test("two conditions on one header must both hold", () => {
  const conditions = [{ name: "x-v", pattern: "a" }, { name: "x-v", pattern: "b" }];
  const index = new MatchIndex([matchForTest({ headers: conditions })]);
  equal(index.find(request("/", [["x-v", "ba"]])), 0);
  equal(index.find(request("/", [["x-v", "a"]])), -1);
});

Deno.test("host and :authority both mean the authority as sent", () => {
  for (const name of ["host", ":authority"]) {
    const index = new MatchIndex([header(name, "^web\\.app$")]);
    equal(index.find(request("/")), 0);
    const head = requestHeadOf({ method: "GET", url: "/", headers: [["Host", "web.app.svc"]] });
    equal(index.find(head), -1);
  }
});

const matches = fc.record({
  path: fc.option(fc.constantFrom("", "/", "/a", "/a/b", "/[ab]", "/.*b$", ".*", "/b?", "/a$")),
  methods: fc.option(fc.subarray(["GET", "POST", "HEAD"], { minLength: 1 })),
  headers: fc.array(
    fc.record({
      name: fc.constantFrom("x-a", "x-b", "host"),
      pattern: fc.constantFrom("1", "^1", "2$", "", "1.*2", "web", "\\b1\\b"),
    }),
    { maxLength: 2 },
  ),
  queries: fc.array(
    fc.record({
      name: fc.constantFrom("a", "A", "b"),
      pattern: fc.constantFrom("1", "^1$", "", "^$", "=2"),
    }),
    { maxLength: 2 },
  ),
}).map((more) => matchForTest(more));

const requests = fc.record({
  method: fc.constantFrom("GET", "POST", "DELETE", "BREW"),
  path: fc.constantFrom("/", "/a", "/ab", "/a/b", "/b", "/c", "/a/c/b"),
  query: fc.constantFrom("", "?", "?a", "?a=1", "?A=1&a=2", "?a=2&a=1", "?b=1=2&&a=", "?=1&b=12"),
  headers: fc.array(
    fc.tuple(fc.constantFrom("x-a", "X-A", "X-b", "x-c"), fc.constantFrom("1", "2", "12", "3", "")),
    { maxLength: 4 },
  ),
});

Deno.test("of several parameters of one name the first counts, byte by byte", () => {
  const index = new MatchIndex([
    matchForTest({ queries: [{ name: "a", pattern: "^1$" }, { name: "B", pattern: "^$" }] }),
    matchForTest({ queries: [{ name: "a", pattern: "" }] }),
  ]);
  for (
    const [query, expected] of [
      ["", -1],
      ["?b=1", -1],
      ["?A=1", -1],
      ["?a", 1],
      ["?a=1&b", 1],
      ["?a=1&B", 0],
      ["?B=&a=1&a=2", 0],
      ["?a=2&a=1&B", 1],
      ["?a=1?&B", 1],
      ["?%61=1&B=", -1],
    ] as const
  ) equal(index.find(request(`/x${query}`)), expected, query);
});

Deno.test("find agrees with trying one match after the other", () => {
  fc.assert(
    fc.property(
      fc.array(matches, { maxLength: 12 }),
      fc.array(requests, { minLength: 1, maxLength: 10 }),
      (list, sent) => {
        const heads = sent.map(({ method, path, query, headers }) =>
          request(path + query, headers, method)
        );
        const index = new MatchIndex(list);
        // Twice: worked out, then remembered.
        for (const head of [...heads, ...heads]) equal(index.find(head), firstMatch(list, head));
      },
    ),
    { numRuns: 500 },
  );
});

/** 21 letters, so that there are more words than any cache takes. */
function randomWord(random: Random): string {
  return Array.from({ length: 21 }, () => "ab"[random.below(2)]).join("");
}

/**
 * Which of nine patterns a word matches first: one a letter for the first eight, then the 13th from
 * the end.
 */
function firstPattern(word: string): number {
  const first = word.indexOf("a");
  return first === -1 || first > 8 ? -1 : first;
}

/**
 * Every word matches another set of the first eight; the last one alone needs thousands of states.
 */
const LETTER_PATTERNS = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((letter) => `^.{${letter}}a`),
  "a.{12}$",
];

Deno.test("find stays right when the states of the path patterns are forgotten", () => {
  const index = new MatchIndex(LETTER_PATTERNS.map((pattern) =>
    // For one method, so that no match hides the ones after it.
    matchForTest({ path: `/${pattern.replace("^", "").replace("a.", ".*a.")}`, methods: ["GET"] })
  ));
  const random = new Random(7, "paths");
  for (let i = 0; i < 5000; i++) {
    const word = randomWord(random);
    equal(index.find(request(`/${word}`)), firstPattern(word), word);
  }
});

Deno.test("find stays right when the states of the header patterns are forgotten", () => {
  const index = new MatchIndex(LETTER_PATTERNS.map((pattern) => header("x-a", pattern)));
  const random = new Random(8, "headers");
  for (let i = 0; i < 5000; i++) {
    const word = randomWord(random);
    equal(index.find(request("/", [["x-a", word]])), firstPattern(word), word);
  }
});

Deno.test("find stays right and remembers a bounded number of answers, as headers combine", () => {
  const index = new MatchIndex(
    LETTER_PATTERNS.slice(0, 8).map((pattern) =>
      matchForTest({ headers: [{ name: "x-a", pattern }, { name: "x-b", pattern }] })
    ),
  );
  const random = new Random(9, "combinations");
  let remembered = 0;
  let hasForgotten = false;
  for (let i = 0; i < 60_000; i++) {
    const [some, other] = [randomWord(random), randomWord(random)];
    const both = Array.from(some.slice(0, 8), (letter, j) => letter === other[j] ? letter : "b");
    const found = index.find(request("/", [["x-a", some], ["x-b", other]]));
    equal(found, both.indexOf("a"));
    hasForgotten ||= index.remembered < remembered;
    remembered = index.remembered;
    ok(remembered <= 1 << 14);
  }
  ok(hasForgotten, "there are more combinations than are remembered");
});

Deno.test("paths and header values need not be UTF-8", () => {
  const head = request("/x");
  head.bytes[head.pathStart + 1] = 0xff;
  equal(new MatchIndex([matchForTest({ path: "/.$" })]).find(head), 0);
});
