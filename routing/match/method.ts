/** The method of a request as a condition: one of a list. */
import { headText, METHODS } from "../request.ts";
import type { Condition } from "./condition.ts";

export const METHOD: Condition = {
  equal: (some, other) => some.methods?.join() === other.methods?.join(),

  isAbsent: ({ methods }) => methods === null,

  covers({ plan: { methods } }, narrow) {
    if (methods === null) return true;
    return narrow.plan.methods?.every((method) => methods.includes(method)) === true;
  },

  // The fewer methods, the earlier.
  precedence: 3,
  rank: ({ plan: { methods } }) => [methods?.length ?? Infinity],

  explain({ methods }, head) {
    if (methods === null || methods.includes(METHODS[head.method - 1])) return null;
    const seen = headText(head, head.methodStart, head.methodEnd);
    return { clause: "method", header: null, expected: methods.join(","), seen };
  },

  describe: ({ methods }) => methods?.join("|") ?? "any method",
};
