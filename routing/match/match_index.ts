/**
 * MatchIndex: the first of a list of matches that a request satisfies.
 */
import type { PlanMatch } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { METHODS } from "../request.ts";

const decoder = new TextDecoder();

/** First working version: one regular expression after the other. */
export class MatchIndex {
  readonly #matches: readonly PlanMatch[];
  constructor(matches: readonly PlanMatch[]) {
    this.#matches = matches;
  }
  /** Index of the first match that the request satisfies; -1 for none. */
  find(head: RequestHead): number {
    const text = (start: number, end: number) => decoder.decode(head.bytes.subarray(start, end));
    const method: string | undefined = METHODS[head.method - 1];
    const path = text(head.pathStart, head.pathEnd);
    return this.#matches.findIndex((match) =>
      (match.path === null || new RegExp(`^(?:${match.path})`).test(path)) &&
      (match.methods === null || match.methods.includes(method)) &&
      match.headers.every(({ name, pattern }) => {
        const values: string[] = [];
        for (let i = 0; i < head.headerCount; i++) {
          const [a, b, c, d] = head.headers.subarray(4 * i, 4 * i + 4);
          if (text(a, b).toLowerCase() === name) values.push(text(c, d));
        }
        return values.length > 0 && new RegExp(pattern).test(values.join(", "));
      })
    );
  }
}
