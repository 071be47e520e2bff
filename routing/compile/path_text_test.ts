import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { checkPattern, PathPattern } from "../match/pattern.ts";
import { surelyMatchesSome, surelyMissesSome, textPrefix } from "./path_text.ts";

Deno.test("literalPrefix: as far as the text is certain", () => {
  const prefixes: Record<string, string> = {
    "/api": "/api",
    "^/api/v[0-9]": "/api/v",
    "/api/.*": "/api/",
    "/a\\.b": "/a.b",
    "/a\\d": "/a",
    "/ab?": "/a",
    "/ab*": "/a",
    "/ab{2}": "/a",
    "/ab+": "/ab",
    "/a(b|c)": "/a",
    "/a|/b": "",
    "/[(]|/b": "",
    "(?i)/a": "",
    "/é": "/",
    ".*": "",
    "": "",
  };
  deepEqual(Object.keys(prefixes).map(textPrefix), Object.values(prefixes));
});

const PATHS = ["/", "/a", "/ab", "/b", "/aab", "/a/b", "/.a", "//", "/[", "/)a"];

const anyPattern = fc.array(
  fc.constantFrom(
    "/",
    "a",
    "b",
    ".",
    "*",
    "+",
    "?",
    "|",
    "(",
    ")",
    "[",
    "]",
    "^",
    "$",
    "\\",
    " ",
    "é",
  ),
  { maxLength: 8 },
).map((parts) => parts.join("")).filter((text) => checkPattern(text).ok);

Deno.test("path_text: whatever it says, the pattern's automaton says too", () => {
  fc.assert(
    fc.property(anyPattern, (text) => {
      const pattern = new PathPattern(text);
      if (surelyMatchesSome(text)) equal(pattern.isNever(), false);
      if (surelyMissesSome(text)) equal(pattern.isCatchAll(), false);
      const prefix = textPrefix(text);
      const isHeld = PATHS.every((path) =>
        path.startsWith(prefix) || !pattern.matches(new TextEncoder().encode(path))
      );
      equal(isHeld, true);
    }),
    { numRuns: 3000 },
  );
});
