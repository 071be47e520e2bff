import { deepStrictEqual as same, equal, ok } from "node:assert/strict";
import type { MatchConditions } from "../plan.ts";
import type { SpaceOptions } from "./request_space.ts";
import { examineRules, overlapOf } from "./rule_facts.ts";
import { witnessArguments, witnessText } from "./witness.ts";

const OPTIONS: SpaceOptions = { authorities: ["web.app", "web.app.svc", "web.app:80"] };

function match(
  path: string | null,
  methods: readonly string[] | null = null,
  headers: Readonly<Record<string, string>> = {},
): MatchConditions {
  const conditions = Object.entries(headers).map(([name, pattern]) => ({ name, pattern }));
  return { path, methods, headers: conditions };
}

function examined(matches: readonly MatchConditions[], options = OPTIONS) {
  const { taken, uncovered, isComplete } = examineRules(matches, options);
  ok(isComplete);
  const shown = taken.map((witness) => witness === null ? "dead" : witnessText(witness));
  return [...shown, uncovered === null ? "all covered" : witnessText(uncovered)];
}

Deno.test("a rule's witness is a shortest request, and GET where the method does not matter", () => {
  same(examined([match("/test", ["GET"]), match("/(?:test|demo)")]), [
    "GET /test",
    "GET /demo",
    "GET /",
  ]);
  same(examined([match("/a[0-9]{3}$", ["POST", "PUT"])]), ["POST /a000", "GET /"]);
});

Deno.test("a rule is dead also where several others take all of its requests together", () => {
  same(examined([match("/a"), match("/b"), match("/[ab]x?")]), [
    "GET /a",
    "GET /b",
    "dead",
    "GET /",
  ]);
  const methods = ["GET", "HEAD", "PUT", "POST", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
  same(examined([match("/a", methods.slice(0, 4)), match("/a", methods.slice(4))]), [
    "GET /a",
    "DELETE /a",
    "GET /",
  ]);
  // A method that no rule can name is left.
  same(examined([match(null, methods), match(null)]), ["GET /", "PURGE /", "all covered"]);
});

Deno.test("headers are independent, and a missing one matches nothing", () => {
  same(
    examined([
      match("/a", null, { "user-agent": "Android" }),
      match("/a", null, { "user-agent": ".*", cookie: "^x" }),
      match("/a", null, { "user-agent": "" }),
      match("/a"),
    ]),
    [
      "GET /a with user-agent: Android",
      "GET /a with user-agent: , cookie: x",
      "GET /a with user-agent: ",
      "GET /a",
      "GET /",
    ],
  );
  // No value has a blank at its end.
  same(examined([match(null, null, { x: "a $" })]), ["dead", "GET /"]);
});

Deno.test("headers that a proxy reads hold only what it takes", () => {
  same(examined([match(null, null, { expect: "100" }), match(null, null, { Expect: "^2" })]), [
    "GET / with expect: 100-continue",
    "dead",
    "GET /",
  ]);
  same(examined([match(null, null, { "content-length": "[^1-9]$" })]), [
    "GET / with content-length: 0",
    "GET /",
  ]);
});

Deno.test("hosts: names of the Service come before any other, which only a captured connection has", () => {
  const rules = [match(null, null, { host: "svc$" }), match(null, null, { host: "^x$" })];
  same(examined(rules), ["GET /", "GET / with host: x", "GET /"]);
  const { taken } = examineRules(rules, OPTIONS);
  same(taken[0] === null ? [] : witnessArguments(taken[0]), ["GET", "http://web.app.svc/"]);
  // HTTP/2 calls it otherwise.
  same(examined([match(null, null, { ":authority": "svc" })])[0], "GET /");
});

Deno.test("two matches overlap, or do not, and a request shows it", () => {
  const overlap = (some: MatchConditions, other: MatchConditions) => {
    const answer = overlapOf(some, other, OPTIONS);
    return answer.answer === "yes" ? witnessText(answer.witness) : answer.answer;
  };
  equal(overlap(match("/a.*"), match(".*/b")), "GET /a/b");
  equal(overlap(match("/a"), match("/b")), "no");
  equal(overlap(match("/a", ["GET"]), match("/a", ["POST"])), "no");
  equal(
    overlap(match(null, null, { x: "a" }), match(null, null, { x: "^[^a]*$" })),
    "no",
  );
});

Deno.test("beyond the bounds what is found holds, and the rest is undecided, never wrong", () => {
  const few = { ...OPTIONS, statesMax: 4 };
  same(overlapOf(match("/abcdef"), match("/abcdeg"), few), { answer: "undecided" });
  const long = examineRules([match("/abcdefgh"), match("/")], few);
  ok(!long.isComplete);
  equal(long.taken[0], null, "not found, and not called dead");
  const cells = examineRules(
    Array.from({ length: 9 }, (_, i) => match(null, null, { [`x-${i}`]: "a" })),
    { ...OPTIONS, cellsMax: 5 },
  );
  ok(!cells.isComplete);
});
