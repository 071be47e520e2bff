import { deepStrictEqual as same, ok, strictEqual as equal } from "node:assert/strict";
import fc from "fast-check";
import { Automaton } from "./automaton.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";
import type { ProgramMode } from "./pattern_program.ts";

const encoder = new TextEncoder();

function automatonOf(
  patterns: readonly string[],
  mode: ProgramMode = "anchored",
  options: ConstructorParameters<typeof Automaton>[1] = {},
): Automaton {
  return new Automaton(compileProgram(patterns.map(parsePattern), mode), options);
}

function scan(automaton: Automaton, text: string): number[] {
  const bytes = encoder.encode(text);
  return [...automaton.accepted(automaton.scan(bytes, 0, bytes.length))];
}

Deno.test("an automaton says which of its patterns match, all at once", () => {
  const automaton = automatonOf(["/a", "/a/b$", "", "/b", "/a(?:/|$)"]);
  same(scan(automaton, "/a"), [0, 2, 4]);
  same(scan(automaton, "/a/b"), [0, 1, 2, 4]);
  same(scan(automaton, "/ab"), [0, 2]);
  same(scan(automaton, ""), [2]);
});

Deno.test("only bytes within the bounds given count", () => {
  const automaton = automatonOf(["b$", "\\bb"], "search");
  const bytes = encoder.encode("xabcb");
  const set = (
    start: number,
    end: number,
  ) => [...automaton.accepted(automaton.scan(bytes, start, end))];
  same(set(1, 3), [0]);
  same(set(2, 3), [0, 1]);
  same(set(2, 2), []);
});

Deno.test("a known text costs no more steps, and equal answers have one number", () => {
  const automaton = automatonOf(["/a.*z", "/b"]);
  const bytes = encoder.encode("/abcz/a");
  const set = automaton.scan(bytes, 0, bytes.length);
  const { steps } = automaton;
  equal(automaton.scan(bytes, 0, bytes.length), set);
  equal(automaton.steps, steps);
});

Deno.test("patterns from a cutoff on are neither followed nor reported once it applies", () => {
  const cutoffs = Int32Array.of(1, 3, 3);
  const automaton = automatonOf(["/a", "/", "/a.*z"], "anchored", { cutoffs });
  same(scan(automaton, "/az"), [0]);
  same(scan(automaton, "/z"), [1]);
  ok(automaton.steps < 40, `${automaton.steps}`);
});

Deno.test("a small budget changes no answer", () => {
  const patterns = ["(a|b)*a.{3}$", "\\bab\\b", "b+$", "^(?:a*b)+c"];
  const texts = fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c", " "), maxLength: 20 }));
  for (const mode of ["anchored", "search"] as const) {
    const large = automatonOf(patterns, mode);
    const small = automatonOf(patterns, mode, { budget: 400 });
    fc.assert(fc.property(texts, (list) => {
      for (const text of list) same(scan(small, text), scan(large, text), text);
    }));
    ok(small.generation > 10, "the small one has forgotten its states");
    equal(large.generation, 1);
  }
});
