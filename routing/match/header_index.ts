/**
 * HeaderIndex: every header pattern of a list of matches, one search automaton a header name. Finds
 * the headers that matches mention among a request's, without looking at the others' values.
 *
 * `host` and `:authority` are one name here: the authority as sent. Several headers of one name
 * count as one, their values joined by `, ` (RFC 9110 section 5.3).
 */
import type { PlanMatch } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { ACCEPTED_NONE, Automaton } from "./automaton.ts";
import { NameIndex } from "./name_index.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";

/** The name under which the authority is asked for. */
export const AUTHORITY = ":authority";

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

/** That pattern `pattern` of header slot `slot` must match. */
export interface HeaderCondition {
  readonly slot: number;
  readonly pattern: number;
}

/** The name that a condition's header is known by here: lower case, `host` being the authority. */
export function headerName(name: string): string {
  const lower = name.toLowerCase();
  return lower === "host" ? AUTHORITY : lower;
}

export class HeaderIndex {
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

  /** Slots are numbered from 0. */
  get slotCount(): number {
    return this.#slots.length;
  }

  /** Changes when the numbers given out by `scan` lose their meaning. */
  get generation(): number {
    let generation = 0;
    for (const slot of this.#slots) generation += slot.automaton.generation;
    return generation;
  }

  /** Where the conditions of a match are found here. */
  conditionsOf(match: PlanMatch): HeaderCondition[] {
    return match.headers.map(({ name, pattern }) => {
      const slot = this.#slots.findIndex((it) => it.name === headerName(name));
      return { slot, pattern: this.#slots[slot].patterns.indexOf(pattern) };
    });
  }

  /** Finds the headers that any condition mentions; `scan` then answers for this request. */
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

  /** The number of the set of the slot's patterns that the located request's header matches. */
  scan(slot: number, head: RequestHead): number {
    const start = this.#valueStart[slot];
    if (start === MISSING) return ACCEPTED_NONE;
    const { automaton } = this.#slots[slot];
    if (start !== SEVERAL) return automaton.scan(head.bytes, start, this.#valueEnd[slot]);
    const length = this.#join(slot, head); // First, as it may replace the buffer.
    return automaton.scan(this.#joined, 0, length);
  }

  /**
   * True where a set that `scan` gave for the condition's slot contains the condition's pattern.
   */
  holds(condition: HeaderCondition, set: number): boolean {
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
