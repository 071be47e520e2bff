/**
 * The query of a request as a condition: patterns that are searched for in the values of its parameters. Names and values are
 * those sent, byte by byte; of several parameters of one name the first counts, and one without `=` has an empty value.
 */
import type { PlanMatch } from "../plan.ts";
import { headText, type RequestHead } from "../request.ts";
import { ACCEPTED_NONE, Automaton } from "./automaton.ts";
import type { IndexedCondition, SlotCondition, SlotIndex } from "./condition.ts";
import { NameIndex } from "./name_index.ts";
import { patternTest } from "./pattern.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";

type Queries = NonNullable<PlanMatch["queries"]>;

const NONE: Queries = [];

export const QUERY: IndexedCondition = {
  equal({ queries: some = NONE }, { queries: other = NONE }) {
    return some.length === other.length &&
      some.every(({ name, pattern }, i) => name === other[i].name && pattern === other[i].pattern);
  },

  isAbsent: ({ queries = NONE }) => queries.length === 0,

  covers({ plan: { queries: wide = NONE } }, { plan: { queries: narrow = NONE } }) {
    return wide.every(({ name, pattern }) =>
      narrow.some((query) => query.name === name && query.pattern === pattern)
    );
  },

  // After all else: the more parameters, the earlier.
  precedence: 4,
  rank: ({ plan: { queries = NONE } }) => [-queries.length],

  explain({ queries = NONE }, head) {
    for (const { name, pattern } of queries) {
      const value = valueOf(head, name);
      if (value !== null && patternTest(pattern, "search")(value)) continue;
      const seen = value === null ? null : new TextDecoder().decode(value);
      return { clause: "query", header: name, expected: pattern, seen };
    }
    return null;
  },

  describe({ queries = NONE }) {
    if (queries.length === 0) return "";
    return `with query ${queries.map(({ name, pattern }) => `${name}=${pattern}`).join("&")}`;
  },

  index: (matches) => new QueryIndex(matches),
};

/** The value of the first parameter of a name; null if there is none. Not for the hot path. */
function valueOf(head: RequestHead, name: string): Uint8Array | null {
  let at = head.queryStart;
  for (const parameter of headText(head, head.queryStart, head.queryEnd).split("&")) {
    const length = new TextEncoder().encode(parameter).length;
    const [sent] = parameter.split("=");
    if (sent === name) {
      const start = Math.min(at + new TextEncoder().encode(sent).length + 1, at + length);
      return head.bytes.subarray(start, at + length);
    }
    at += length + 1;
  }
  return null;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const MISSING = -1;

/** One parameter's name: its patterns and what they run on. */
class QuerySlot {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly patterns: readonly string[];
  readonly automaton: Automaton;

  constructor(name: string, patterns: readonly string[]) {
    this.name = name;
    this.bytes = new TextEncoder().encode(name);
    this.patterns = patterns;
    this.automaton = new Automaton(compileProgram(patterns.map(parsePattern), "search"));
  }

  isNamed(bytes: Uint8Array, start: number, end: number): boolean {
    if (end - start !== this.bytes.length) return false;
    for (let i = 0; i < this.bytes.length; i++) {
      if (bytes[start + i] !== this.bytes[i]) return false;
    }
    return true;
  }
}

class QueryIndex implements SlotIndex {
  readonly #slots: readonly QuerySlot[];
  /** By name in any case: the slots whose names are that one, which differ in their cases. */
  readonly #names: NameIndex;
  readonly #slotsNamed: readonly (readonly number[])[];
  // By slot, for the request that `locate` saw last.
  readonly #valueStart: Int32Array;
  readonly #valueEnd: Int32Array;

  /** @throws {PatternError} where a pattern is not accepted */
  constructor(matches: readonly PlanMatch[]) {
    const patterns = new Map<string, Set<string>>();
    for (const { name, pattern } of matches.flatMap(({ queries = NONE }) => queries)) {
      patterns.set(name, (patterns.get(name) ?? new Set()).add(pattern));
    }
    this.#slots = [...patterns].map(([name, texts]) => new QuerySlot(name, [...texts]));
    const named = new Map<string, number[]>();
    for (const [slot, { name }] of this.#slots.entries()) {
      const lower = name.toLowerCase();
      named.set(lower, [...named.get(lower) ?? [], slot]);
    }
    this.#slotsNamed = [...named.values()];
    this.#names = new NameIndex([...named.keys()].map((name, index) => [name, index]));
    this.#valueStart = new Int32Array(this.#slots.length);
    this.#valueEnd = new Int32Array(this.#slots.length);
  }

  get slotCount(): number {
    return this.#slots.length;
  }

  get generation(): number {
    let generation = 0;
    for (const slot of this.#slots) generation += slot.automaton.generation;
    return generation;
  }

  conditionsOf({ queries = NONE }: PlanMatch): SlotCondition[] {
    return queries.map(({ name, pattern }) => {
      const slot = this.#slots.findIndex((it) => it.name === name);
      return { slot, pattern: this.#slots[slot].patterns.indexOf(pattern) };
    });
  }

  locate({ bytes, queryStart, queryEnd }: RequestHead): void {
    this.#valueStart.fill(MISSING);
    for (let at = queryStart; at < queryEnd;) {
      let end = at;
      let nameEnd = MISSING;
      for (; end < queryEnd && bytes[end] !== AMPERSAND; end++) {
        if (nameEnd === MISSING && bytes[end] === EQUALS) nameEnd = end;
      }
      this.#note(bytes, at, nameEnd === MISSING ? end : nameEnd, end);
      at = end + 1;
    }
  }

  #note(bytes: Uint8Array, start: number, nameEnd: number, end: number): void {
    const named = this.#names.get(bytes, start, nameEnd);
    if (named === MISSING) return;
    for (const slot of this.#slotsNamed[named]) {
      if (this.#valueStart[slot] !== MISSING) continue;
      if (!this.#slots[slot].isNamed(bytes, start, nameEnd)) continue;
      this.#valueStart[slot] = Math.min(nameEnd + 1, end);
      this.#valueEnd[slot] = end;
    }
  }

  /** The number of the set of the slot's patterns that the parameter matches. */
  scan(slot: number, head: RequestHead): number {
    const start = this.#valueStart[slot];
    if (start === MISSING) return ACCEPTED_NONE;
    return this.#slots[slot].automaton.scan(head.bytes, start, this.#valueEnd[slot]);
  }

  holds({ slot, pattern }: SlotCondition, set: number): boolean {
    return this.#slots[slot].automaton.accepts(set, pattern);
  }
}
