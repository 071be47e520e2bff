/** The path of a request as a condition: a pattern that it must begin with. */
import { headText } from "../request.ts";
import type { Condition } from "./condition.ts";
import { patternTest } from "./pattern.ts";

export const PATH: Condition = {
  equal: (some, other) => some.path === other.path,

  isAbsent: ({ path }) => path === null,

  covers: (wide, narrow) => wide.isCatchAll || wide.plan.path === narrow.plan.path,

  // The more of a path is fixed, the earlier. All that take every path rank alike.
  precedence: 2,
  rank({ path, isCatchAll }) {
    if (path === null || isCatchAll) return [0, 0, ""];
    return [-path.fixedCharacters(), -path.text.length, path.text];
  },

  explain({ path }, head) {
    if (path === null) return null;
    const { bytes, pathStart, pathEnd } = head;
    if (patternTest(path, "anchored")(bytes.subarray(pathStart, pathEnd))) return null;
    const seen = headText(head, pathStart, pathEnd);
    return { clause: "path", header: null, expected: path, seen };
  },

  describe: ({ path }) => path ?? "any path",
};
