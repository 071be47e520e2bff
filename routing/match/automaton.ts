/**
 * Automaton: runs a program as a deterministic machine whose states are made when first needed. It answers which patterns
 * matched, all at once, in one table look-up a byte.
 *
 * A pattern that has matched stays matched ("sticky"), which is what both an anchored prefix match and a search mean, and its
 * threads are dropped. A state is the set of threads still alive and the set of patterns matched. While a thread waits at an
 * assertion about what comes next, it is also the kind of byte just read: such assertions are settled when the next byte, or the
 * end, is known.
 *
 * Memory is bounded: when the states outgrow their budget all are forgotten and the run goes on from the current one. A byte
 * makes at most one state, and making a state visits each instruction at most twice, so time stays linear in the text whatever
 * the patterns and whatever the text.
 */
import { assert } from "../../base/assert.ts";
import { hasByte, NEWLINE, WORDS } from "./byte_set.ts";
import { ACCEPT, ASSERT, ASSERTIONS, BRANCH, CONSUME } from "./pattern_program.ts";
import type { PatternProgram } from "./pattern_program.ts";
import { AUTOMATON_CACHE_MAX, AUTOMATON_CACHE_MIN } from "../limits.ts";

/** Kinds of neighbour of a position, for assertions. */
const EDGE = 0; // Start or end of the text.
const LINE_FEED = 1;
const WORD = 2;
const OTHER = 3;
/** The next byte is not known yet. */
const UNKNOWN = 4;

const BUDGET_PER_INSTRUCTION = 64;
/** What a state costs beside its numbers, roughly: objects and hash slot. */
const STATE_OVERHEAD = 24;

/** No pattern has matched. Every automaton has this set under this number. */
export const ACCEPTED_NONE = 0;

interface AutomatonOptions {
  /**
   * By pattern: once it has matched, patterns from this index on do not matter any more. Left out:
   * all matter.
   */
  readonly cutoffs?: Int32Array;
  /** Overrides the budget; for tests. */
  readonly budget?: number;
}

export class Automaton {
  readonly #program: PatternProgram;
  readonly #cutoffs: Int32Array | null;
  readonly #budget: number;
  readonly #classOf: Uint8Array;
  /** Transitions a state: one a byte class, and one for the end of the text. */
  readonly #stride: number;

  // States. A state is named by the start of its row. A transition is 0 if it is not known yet,
  // the next row where it is positive, and ~accepted where nothing more can match and `accepted` is
  // the answer.
  #transitions: Int32Array;
  #rowEnd = 0;
  #threads: Int32Array[] = [];
  #previousKind: number[] = [];
  #acceptedBy: number[] = [];
  #stateIndex = new Map<number, number[]>();
  #start = 0;

  // Sets of matched patterns, interned.
  #acceptedSets: Int32Array[] = [];
  #acceptedIndex = new Map<string, number>();

  #cached = 0;
  #generation = 0;
  #steps = 0;

  // Scratch of one transition.
  readonly #visited: Uint32Array;
  #visit = 0;
  readonly #stack: Int32Array;
  readonly #live: Int32Array;
  #liveCount = 0;
  readonly #isAccepted: Uint8Array;
  #accepted: number[] = [];
  #cutoff = 0;

  constructor(program: PatternProgram, options: AutomatonOptions = {}) {
    const size = program.operation.length;
    this.#program = program;
    this.#cutoffs = options.cutoffs ?? null;
    this.#budget = options.budget ??
      Math.min(Math.max(size * BUDGET_PER_INSTRUCTION, AUTOMATON_CACHE_MIN), AUTOMATON_CACHE_MAX);
    this.#classOf = program.classOf;
    this.#stride = program.classCount + 1;
    this.#transitions = new Int32Array(0);
    this.#visited = new Uint32Array(size);
    this.#stack = new Int32Array(size + 1);
    this.#live = new Int32Array(size);
    this.#isAccepted = new Uint8Array(program.patternCount);
    this.#forget();
  }

  /** Changes when all numbers given out by `scan` lose their meaning. */
  get generation(): number {
    return this.#generation;
  }

  /** Instructions visited so far: what was spent beyond one table look-up a byte. */
  get steps(): number {
    return this.#steps;
  }

  /** Cached numbers, of 4 bytes each. */
  get cached(): number {
    return this.#cached;
  }

  /** Reads `bytes[start, end)` and returns the number of the set of patterns that match it. */
  scan(bytes: Uint8Array, start: number, end: number): number {
    let row = this.#start === 0 ? this.#makeStart() : this.#start;
    if (row < 0) return ~row;
    const classOf = this.#classOf;
    let transitions = this.#transitions;
    for (let i = start; i < end; i++) {
      const byteClass = classOf[bytes[i]];
      let next = transitions[row + byteClass];
      if (next <= 0) {
        if (next === 0) {
          next = this.#makeTransition(row, byteClass);
          transitions = this.#transitions;
        }
        if (next < 0) return ~next;
      }
      row = next;
    }
    const last = transitions[row + this.#stride - 1];
    return ~(last === 0 ? this.#makeTransition(row, this.#stride - 1) : last);
  }

  /** The patterns of a set that `scan` gave, ascending. */
  accepted(set: number): Int32Array {
    return this.#acceptedSets[set];
  }

  /** True if `scan`'s answer contains the pattern. */
  accepts(set: number, pattern: number): boolean {
    return this.#acceptedSets[set].includes(pattern);
  }

  // What exploring a language needs (pattern_language.ts).

  /** Of these bytes the first of each kind: bytes that no pattern tells apart, and that `isSpecial` does not either. */
  distinctBytes(bytes: readonly number[], isSpecial: (byte: number) => boolean): number[] {
    const known = new Set<number>();
    return bytes.filter((byte) => {
      const kind = 2 * this.#classOf[byte] + Number(isSpecial(byte));
      return !known.has(kind) && known.add(kind);
    });
  }

  /** The state before the first byte: a row if positive, else `~accepted`. */
  startState(): number {
    return this.#start === 0 ? this.#makeStart() : this.#start;
  }

  /** The state after `byte` in state `row`: a row if positive, else `~accepted`. */
  stateAfter(row: number, byte: number): number {
    const next = this.#transitions[row + this.#classOf[byte]];
    return next === 0 ? this.#makeTransition(row, this.#classOf[byte]) : next;
  }

  /** The set accepted where the text ends in state `row`. */
  acceptedAtEnd(row: number): number {
    const last = this.#transitions[row + this.#stride - 1];
    return ~(last === 0 ? this.#makeTransition(row, this.#stride - 1) : last);
  }

  #forget(): void {
    this.#generation++;
    this.#transitions = new Int32Array(this.#stride * 8);
    this.#rowEnd = this.#stride; // Row 0 is no state: 0 means "not known" in transitions.
    this.#threads = [new Int32Array(0)];
    this.#previousKind = [OTHER];
    this.#acceptedBy = [ACCEPTED_NONE];
    this.#stateIndex = new Map();
    this.#start = 0;
    this.#acceptedSets = [new Int32Array(0)];
    this.#acceptedIndex = new Map([["", ACCEPTED_NONE]]);
    this.#cached = 0;
  }

  #makeStart(): number {
    this.#beginAccepted(ACCEPTED_NONE);
    this.#beginClosure();
    for (const start of this.#program.starts) this.#follow(start, EDGE, UNKNOWN);
    this.#start = this.#intern(EDGE);
    return this.#start;
  }

  /** Works out one transition, remembers it and returns it. */
  #makeTransition(row: number, byteClass: number): number {
    const generation = this.#generation;
    const isEnd = byteClass === this.#stride - 1;
    const value = isEnd ? ~this.#finish(row) : this.#advance(row, byteClass);
    if (this.#generation === generation) this.#transitions[row + byteClass] = value;
    return value;
  }

  #finish(row: number): number {
    const state = row / this.#stride;
    this.#beginAccepted(this.#acceptedBy[state]);
    this.#settle(state, EDGE);
    return this.#internAccepted();
  }

  #advance(row: number, byteClass: number): number {
    const program = this.#program;
    const state = row / this.#stride;
    const byte = program.classByte[byteClass];
    const kind = kindOf(byte);
    this.#beginAccepted(this.#acceptedBy[state]);
    this.#settle(state, kind);
    const settled = this.#live.slice(0, this.#liveCount);
    this.#beginClosure();
    for (const thread of settled) {
      this.#steps++;
      if (program.operation[thread] !== CONSUME) continue;
      if (!hasByte(program.sets[program.argument[thread]], byte)) continue;
      this.#follow(program.next[thread], kind, UNKNOWN);
    }
    return this.#intern(kind);
  }

  /**
   * Lets the threads of a state that wait at assertions go on, now that what comes next is known.
   */
  #settle(state: number, nextKind: number): void {
    this.#beginClosure();
    const previousKind = this.#previousKind[state];
    for (const thread of this.#threads[state]) this.#follow(thread, previousKind, nextKind);
  }

  #beginAccepted(set: number): void {
    for (const pattern of this.#accepted) this.#isAccepted[pattern] = 0;
    this.#accepted = [];
    this.#cutoff = this.#program.patternCount;
    for (const pattern of this.#acceptedSets[set]) this.#accept(pattern);
  }

  #accept(pattern: number): void {
    if (this.#isAccepted[pattern] === 1) return;
    this.#isAccepted[pattern] = 1;
    this.#accepted.push(pattern);
    if (this.#cutoffs !== null) this.#cutoff = Math.min(this.#cutoff, this.#cutoffs[pattern]);
  }

  #beginClosure(): void {
    this.#liveCount = 0;
    if (++this.#visit === 0xffffffff) {
      this.#visited.fill(0);
      this.#visit = 1;
    }
  }

  /** Adds what `from` reaches without consuming: threads that consume, wait, or accept. */
  #follow(from: number, previousKind: number, nextKind: number): void {
    const { operation, next, argument, patternOf } = this.#program;
    const stack = this.#stack;
    const visited = this.#visited;
    let depth = 0;
    if (visited[from] !== this.#visit) {
      visited[from] = this.#visit;
      stack[depth++] = from;
    }
    const push = (to: number) => {
      if (visited[to] === this.#visit) return;
      visited[to] = this.#visit;
      stack[depth++] = to;
    };
    while (depth > 0) {
      const at = stack[--depth];
      this.#steps++;
      const pattern = patternOf[at];
      if (this.#isAccepted[pattern] === 1 || pattern >= this.#cutoff) continue;
      switch (operation[at]) {
        case CONSUME:
          this.#live[this.#liveCount++] = at;
          break;
        case BRANCH:
          push(next[at]);
          push(argument[at]);
          break;
        case ASSERT: {
          const holds = assertionHolds(argument[at], previousKind, nextKind);
          if (holds === true) push(next[at]);
          else if (holds === null) this.#live[this.#liveCount++] = at;
          break;
        }
        case ACCEPT:
          this.#accept(pattern);
          break;
      }
    }
  }

  /**
   * The state of the live threads and accepted patterns: its row, or `~accepted` where no thread is
   * left.
   */
  #intern(kind: number): number {
    const { operation, patternOf } = this.#program;
    let count = 0;
    let isWaiting = false;
    for (let i = 0; i < this.#liveCount; i++) {
      const thread = this.#live[i];
      const pattern = patternOf[thread];
      // A pattern may have been accepted after this thread was added.
      if (this.#isAccepted[pattern] === 1 || pattern >= this.#cutoff) continue;
      if (operation[thread] === ASSERT) isWaiting = true;
      this.#live[count++] = thread;
    }
    if (count === 0) return ~this.#internAccepted();
    const threads = this.#live.slice(0, count).sort();
    const accepted = this.#internAccepted();
    const previousKind = isWaiting ? kind : OTHER;
    const hash = hashOf(threads, accepted, previousKind);
    for (const row of this.#stateIndex.get(hash) ?? []) {
      const state = row / this.#stride;
      if (
        this.#acceptedBy[state] === accepted && this.#previousKind[state] === previousKind &&
        equalItems(this.#threads[state], threads)
      ) return row;
    }
    return this.#addState(threads, accepted, previousKind, hash);
  }

  #addState(threads: Int32Array, accepted: number, previousKind: number, hash: number): number {
    const cost = this.#stride + threads.length + STATE_OVERHEAD;
    if (this.#cached + cost > this.#budget && this.#rowEnd > this.#stride) {
      this.#forget();
      // Interned again under its new number; the rest of the state does not depend on numbers.
      const renumbered = this.#internAccepted();
      return this.#addState(
        threads,
        renumbered,
        previousKind,
        hashOf(threads, renumbered, previousKind),
      );
    }
    this.#cached += cost;
    const row = this.#rowEnd;
    this.#rowEnd += this.#stride;
    if (this.#rowEnd > this.#transitions.length) {
      const grown = new Int32Array(2 * this.#transitions.length);
      grown.set(this.#transitions);
      this.#transitions = grown;
    }
    const state = this.#threads.push(threads) - 1;
    assert(state * this.#stride === row, "states and rows are numbered alike");
    this.#previousKind.push(previousKind);
    this.#acceptedBy.push(accepted);
    const rows = this.#stateIndex.get(hash);
    if (rows === undefined) this.#stateIndex.set(hash, [row]);
    else rows.push(row);
    return row;
  }

  #internAccepted(): number {
    const patterns = Int32Array.from(this.#accepted)
      .filter((pattern) => pattern < this.#cutoff)
      .sort();
    const key = patterns.join();
    let set = this.#acceptedIndex.get(key);
    if (set === undefined) {
      if (this.#cached + patterns.length + STATE_OVERHEAD > this.#budget && this.#cached > 0) {
        this.#forget();
        return this.#internAccepted();
      }
      this.#cached += patterns.length + STATE_OVERHEAD;
      set = this.#acceptedSets.push(patterns) - 1;
      this.#acceptedIndex.set(key, set);
    }
    return set;
  }
}

function kindOf(byte: number): number {
  if (byte === NEWLINE) return LINE_FEED;
  return hasByte(WORDS, byte) ? WORD : OTHER;
}

/** Null: that depends on what comes next. */
function assertionHolds(assertion: number, previous: number, next: number): boolean | null {
  switch (ASSERTIONS[assertion]) {
    case "text-start":
      return previous === EDGE;
    case "line-start":
      return previous === EDGE || previous === LINE_FEED;
    case "text-end":
      return next === UNKNOWN ? null : next === EDGE;
    case "line-end":
      return next === UNKNOWN ? null : next === EDGE || next === LINE_FEED;
    case "word-boundary":
      return next === UNKNOWN ? null : (previous === WORD) !== (next === WORD);
    case "not-word-boundary":
      return next === UNKNOWN ? null : (previous === WORD) === (next === WORD);
  }
}

function hashOf(threads: Int32Array, accepted: number, previousKind: number): number {
  let hash = Math.imul(accepted, 0x9e3779b1) ^ previousKind;
  for (const thread of threads) hash = Math.imul(hash ^ thread, 0x85ebca6b) ^ (hash >>> 13);
  return hash;
}

function equalItems(some: Int32Array, others: Int32Array): boolean {
  if (some.length !== others.length) return false;
  for (let i = 0; i < some.length; i++) if (some[i] !== others[i]) return false;
  return true;
}
