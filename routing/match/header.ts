/**
 * The headers of a request as a condition: patterns that are searched for in their values. The index has one search
 * automaton a header name; it finds the headers that matches mention without looking at the others' values.
 *
 * `host` and `:authority` are one name here: the authority as sent. Several headers of one name
 * count as one, their values joined by `, ` (RFC 9110 section 5.3).
 */
import type { PlanMatch } from "../plan.ts";
import { headText, type RequestHead } from "../request.ts";
import { ACCEPTED_NONE, Automaton } from "./automaton.ts";
import type { IndexedCondition, SlotCondition, SlotIndex } from "./condition.ts";
import { NameIndex } from "./name_index.ts";
import { patternTest } from "./pattern.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";

export const HEADER: IndexedCondition = {
  equal(some, other) {
    return some.headers.length === other.headers.length &&
      some.headers.every(({ name, pattern }, i) =>
        name === other.headers[i].name && pattern === other.headers[i].pattern
      );
  },

  isAbsent: ({ headers }) => headers.length === 0,

  covers(wide, narrow) {
    return wide.plan.headers.every(({ name, pattern }) =>
      narrow.plan.headers.some((header) => header.name === name && header.pattern === pattern)
    );
  },

  // The more headers, the earlier.
  precedence: 1,
  rank: ({ plan: { headers } }) => [-headers.length],

  explain({ headers }, head) {
    for (const { name, pattern } of headers) {
      const value = valueOf(head, headerName(name));
      if (value !== null && patternTest(pattern, "search")(value)) continue;
      const seen = value === null ? null : decoder.decode(value);
      return { clause: "header", header: name, expected: pattern, seen };
    }
    return null;
  },

  describe({ headers }) {
    if (headers.length === 0) return "";
    return `with ${headers.map(({ name, pattern }) => `${name}: ${pattern}`).join(", ")}`;
  },

  index: (matches) => new HeaderIndex(matches),
};

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** All values of a header, joined by `, `; null if there is none. */
function valueOf(head: RequestHead, name: string): Uint8Array | null {
  const { bytes, headers } = head;
  if (name === AUTHORITY) {
    if (head.authorityStart === head.authorityEnd) return null;
    return bytes.subarray(head.authorityStart, head.authorityEnd);
  }
  const values: Uint8Array[] = [];
  for (let i = 0; i < 4 * head.headerCount; i += 4) {
    if (headText(head, headers[i], headers[i + 1]).toLowerCase() !== name) continue;
    if (values.length > 0) values.push(encoder.encode(", "));
    values.push(bytes.subarray(headers[i + 2], headers[i + 3]));
  }
  if (values.length === 0) return null;
  return Uint8Array.from(values.flatMap((value) => [...value]));
}

/** The name under which the authority is asked for. */
const AUTHORITY = ":authority";

const MISSING = -1;
/** Several headers have the name. */
const SEVERAL = -2;
const SEPARATOR = [0x2c, 0x20];

/** One header name: its patterns and what they run on. */
class HeaderSlot {
  readonly name: string;
  readonly patterns: readonly string[];
  readonly automaton: Automaton;

  constructor(name: string, patterns: readonly string[]) {
    this.name = name;
    this.patterns = patterns;
    this.automaton = new Automaton(compileProgram(patterns.map(parsePattern), "search"));
  }
}

/** The name that a condition's header is known by here: lower case, `host` being the authority. */
function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === "host" ? AUTHORITY : lower;
}

class HeaderIndex implements SlotIndex {
  readonly #slots: readonly HeaderSlot[];
  readonly #names: NameIndex;
  readonly #authoritySlot: number;
  // By slot, for the request that `locate` saw last.
  readonly #valueStart: Int32Array;
  readonly #valueEnd: Int32Array;
  #joined = new Uint8Array(0);

  /** @throws {PatternError} where a pattern is not accepted */
  constructor(matches: readonly PlanMatch[]) {
    const patterns = new Map<string, Set<string>>();
    for (const { name, pattern } of matches.flatMap((match) => match.headers)) {
      const known = patterns.get(headerName(name)) ?? new Set();
      patterns.set(headerName(name), known.add(pattern));
    }
    this.#slots = [...patterns].map(([name, texts]) => new HeaderSlot(name, [...texts]));
    this.#names = new NameIndex(this.#slots.map((slot, index) => [slot.name, index]));
    this.#authoritySlot = this.#slots.findIndex((slot) => slot.name === AUTHORITY);
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

  conditionsOf(match: PlanMatch): SlotCondition[] {
    return match.headers.map(({ name, pattern }) => {
      const slot = this.#slots.findIndex((it) => it.name === headerName(name));
      return { slot, pattern: this.#slots[slot].patterns.indexOf(pattern) };
    });
  }

  locate(head: RequestHead): void {
    this.#valueStart.fill(MISSING);
    const { bytes, headers } = head;
    for (let i = 0; i < 4 * head.headerCount; i += 4) {
      const slot = this.#names.get(bytes, headers[i], headers[i + 1]);
      if (slot === -1) continue;
      const isFirst = this.#valueStart[slot] === MISSING;
      this.#valueStart[slot] = isFirst ? headers[i + 2] : SEVERAL;
      this.#valueEnd[slot] = headers[i + 3];
    }
    if (this.#authoritySlot === -1) return;
    const hasAuthority = head.authorityStart < head.authorityEnd;
    this.#valueStart[this.#authoritySlot] = hasAuthority ? head.authorityStart : MISSING;
    this.#valueEnd[this.#authoritySlot] = head.authorityEnd;
  }

  /** The number of the set of the slot's patterns that the header matches. */
  scan(slot: number, head: RequestHead): number {
    const start = this.#valueStart[slot];
    if (start === MISSING) return ACCEPTED_NONE;
    const { automaton } = this.#slots[slot];
    if (start !== SEVERAL) return automaton.scan(head.bytes, start, this.#valueEnd[slot]);
    const length = this.#join(slot, head); // First, as it may replace the buffer.
    return automaton.scan(this.#joined, 0, length);
  }

  holds(condition: SlotCondition, set: number): boolean {
    return this.#slots[condition.slot].automaton.accepts(set, condition.pattern);
  }

  /** Writes the joined values of all headers of the slot's name; returns their length. */
  #join(slot: number, head: RequestHead): number {
    if (this.#joined.length < 2 * head.bytes.length) {
      // Each header but the first adds two bytes to its value, and its name takes one at least.
      this.#joined = new Uint8Array(2 * head.bytes.length);
    }
    const { bytes, headers } = head;
    let length = 0;
    let isFirst = true;
    for (let i = 0; i < 4 * head.headerCount; i += 4) {
      if (this.#names.get(bytes, headers[i], headers[i + 1]) !== slot) continue;
      if (!isFirst) {
        this.#joined.set(SEPARATOR, length);
        length += SEPARATOR.length;
      }
      isFirst = false;
      this.#joined.set(bytes.subarray(headers[i + 2], headers[i + 3]), length);
      length += headers[i + 3] - headers[i + 2];
    }
    return length;
  }
}
