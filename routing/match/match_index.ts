/**
 * MatchIndex: the first of an ordered list of matches that a request satisfies, at a cost that hardly depends on the length of
 * the list. All path patterns run as one automaton, all patterns of one header as another. Which match wins is worked out once
 * for each combination of their answers and the method, and remembered.
 */
import type { PlanMatch } from "../plan.ts";
import { METHOD_COUNT, METHOD_OTHER, METHODS } from "../request.ts";
import type { RequestHead } from "../request.ts";
import { Automaton } from "./automaton.ts";
import type { SlotCondition, SlotIndex } from "./condition.ts";
import { indexConditions } from "./match.ts";
import { PairTable } from "./pair_table.ts";
import { parsePattern } from "./pattern_parse.ts";
import { compileProgram } from "./pattern_program.ts";
import { PatternError } from "./pattern_syntax.ts";
import { COMBINATIONS_MAX, LIST_PROGRAM_MAX } from "../limits.ts";

// What `#winners` and the pair table remember: not worked out yet, no match, match n, or ask the
// slots.
const UNKNOWN = 0;
const NONE = 1;
const FIRST = 2;

const EVERY_METHOD = (1 << METHOD_COUNT) - 1;

interface IndexedMatch {
  readonly pathPattern: number;
  /** Bit m: the match holds for method id m. */
  readonly methods: number;
  /** What it asks beside: of headers. */
  readonly conditions: readonly SlotCondition[];
}

/** Matches that fit a path and a method, of which the slots decide. */
interface Candidates {
  /** In order; at most the last one asks nothing beside. */
  readonly matches: readonly number[];
  /** The slots that any of them asks for. */
  readonly slots: readonly number[];
  /** Where this list's combinations start in the pair table. */
  readonly node: number;
}

export class MatchIndex {
  /** The list as given. */
  readonly matches: readonly PlanMatch[];
  readonly #matches: readonly IndexedMatch[];
  readonly #matchesByPath: readonly (readonly number[])[];
  readonly #paths: Automaton;
  readonly #slots: SlotIndex;

  // Remembered answers; forgotten together.
  /** By path answer and method; negative: ~index into `#candidates`. */
  #winners = new Int32Array(0);
  #candidates: Candidates[] = [];
  readonly #combinations = new PairTable();
  #nodeCount = 0;
  #pathGeneration = 0;
  #slotGeneration = 0;
  /** Scratch, by slot: the answer for the request at hand. */
  readonly #answers: Int32Array;

  /**
   * @throws {PatternError} where a pattern is not accepted, or all of them together are too large
   */
  constructor(matches: readonly PlanMatch[]) {
    this.matches = matches;
    // No path and the empty pattern mean the same: every path.
    const paths = [...new Set(matches.map((match) => match.path ?? ""))];
    const pathPatterns = new Map(paths.map((path, index) => [path, index]));
    this.#slots = indexConditions(matches);
    this.#matches = matches.map((match) => ({
      pathPattern: pathPatterns.get(match.path ?? "") ?? -1,
      methods: methodBits(match.methods),
      conditions: this.#slots.conditionsOf(match),
    }));
    const matchesByPath: number[][] = paths.map(() => []);
    this.#matches.forEach((match, index) => matchesByPath[match.pathPattern].push(index));
    this.#matchesByPath = matchesByPath;
    const program = compileProgram(paths.map(parsePattern), "anchored");
    if (program.operation.length > LIST_PROGRAM_MAX) {
      throw new PatternError(
        "pattern-too-large",
        0,
        `The paths of ${matches.length} matches need ${program.operation.length} instructions`,
      );
    }
    this.#paths = new Automaton(program, { cutoffs: this.#cutoffs() });
    this.#answers = new Int32Array(this.#slots.slotCount);
  }

  /** How many combinations of answers are remembered; bounded, whatever is sent. */
  get remembered(): number {
    return this.#combinations.size;
  }

  /** Index of the first match that the request satisfies; -1 for none. */
  find(head: RequestHead): number {
    if (this.#matches.length === 0) return -1;
    const paths = this.#paths.scan(head.bytes, head.pathStart, head.pathEnd);
    if (this.#paths.generation !== this.#pathGeneration) this.#forget();
    const place = paths * METHOD_COUNT + head.method;
    let winner = place < this.#winners.length ? this.#winners[place] : UNKNOWN;
    if (winner === UNKNOWN) winner = this.#workOut(paths, head.method, place);
    return winner > 0 ? winner - FIRST : this.#findBySlots(this.#candidates[~winner], head);
  }

  #findBySlots(candidates: Candidates, head: RequestHead): number {
    const answers = this.#answers;
    this.#slots.locate(head);
    for (const slot of candidates.slots) answers[slot] = this.#slots.scan(slot, head);
    if (this.#slots.generation !== this.#slotGeneration) {
      this.#forget();
      return this.#workOutBySlots(candidates);
    }
    let node = candidates.node;
    for (const slot of candidates.slots) {
      node = this.#combinations.get(node, answers[slot]);
      if (node === UNKNOWN) return this.#rememberBySlots(candidates);
    }
    return node - FIRST;
  }

  /** What the path and the method alone decide: fills and returns one place of `#winners`. */
  #workOut(paths: number, method: number, place: number): number {
    const fitting: number[] = [];
    for (const path of this.#paths.accepted(paths)) fitting.push(...this.#matchesByPath[path]);
    fitting.sort((some, other) => some - other);
    const matches: number[] = [];
    for (const index of fitting) {
      if ((this.#matches[index].methods >>> method & 1) === 0) continue;
      matches.push(index);
      if (this.#matches[index].conditions.length === 0) break;
    }
    const first = matches[0];
    let winner: number;
    if (first === undefined) winner = NONE;
    else if (this.#matches[first].conditions.length === 0) winner = FIRST + first;
    else {
      const conditions = matches.flatMap((index) => this.#matches[index].conditions);
      const slots = [...new Set(conditions.map((condition) => condition.slot))];
      winner = ~(this.#candidates.push({ matches, slots, node: ++this.#nodeCount }) - 1);
    }
    if (place >= this.#winners.length) {
      const grown = new Int32Array(2 * place + METHOD_COUNT);
      grown.set(this.#winners);
      this.#winners = grown;
    }
    this.#winners[place] = winner;
    return winner;
  }

  /** Which candidate the slots in `#answers` decide for. */
  #workOutBySlots(candidates: Candidates): number {
    const holds = (condition: SlotCondition) =>
      this.#slots.holds(condition, this.#answers[condition.slot]);
    return candidates.matches.find((index) => this.#matches[index].conditions.every(holds)) ?? -1;
  }

  #rememberBySlots(candidates: Candidates): number {
    const winner = this.#workOutBySlots(candidates);
    if (this.#combinations.size + candidates.slots.length > COMBINATIONS_MAX) {
      this.#forget();
      return winner;
    }
    let node = candidates.node;
    candidates.slots.forEach((slot, i) => {
      const isLast = i === candidates.slots.length - 1;
      let next = this.#combinations.get(node, this.#answers[slot]);
      if (next === UNKNOWN) {
        next = isLast ? winner + FIRST : ++this.#nodeCount;
        this.#combinations.add(node, this.#answers[slot], next);
      }
      node = next;
    });
    return winner;
  }

  #forget(): void {
    this.#winners = new Int32Array(METHOD_COUNT);
    this.#candidates = [];
    this.#combinations.clear();
    this.#nodeCount = 0;
    this.#pathGeneration = this.#paths.generation;
    this.#slotGeneration = this.#slots.generation;
  }

  /**
   * By path pattern: once it has matched, patterns that only later matches use cannot win any more.
   */
  #cutoffs(): Int32Array {
    // Patterns are numbered by their first match, so those of later matches are the ones from some
    // number on.
    return Int32Array.from(this.#matchesByPath, (matches) => {
      const decisive = matches.find((index) => {
        const { methods, conditions } = this.#matches[index];
        return methods === EVERY_METHOD && conditions.length === 0;
      });
      return decisive === undefined ? this.#matchesByPath.length : this.#patternsUpTo(decisive);
    });
  }

  /** How many path patterns have their first match at or before `index`. */
  #patternsUpTo(index: number): number {
    let low = 0;
    let high = this.#matchesByPath.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#matchesByPath[middle][0] <= index) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Most lists are empty, and an index is large: one serves them all, and remembers nothing. */
const NO_MATCHES = new MatchIndex([]);

/**
 * The index of a list.
 * @throws {PatternError} as the constructor
 */
export function matchIndexOf(matches: readonly PlanMatch[]): MatchIndex {
  return matches.length === 0 ? NO_MATCHES : new MatchIndex(matches);
}

function methodBits(methods: PlanMatch["methods"]): number {
  if (methods === null) return EVERY_METHOD;
  return methods.reduce((bits, method) => {
    const id = (METHODS as readonly string[]).indexOf(method) + 1;
    return id === METHOD_OTHER ? bits : bits | 1 << id;
  }, 0);
}
