/**
 * Texts: all that a client can send in one place of a request (a path, the value of a header, a host), sorted by which patterns
 * they match. Each class has a shortest text that a person can read. Found by walking an automaton, never by trying texts.
 */
import { ALGEBRA_STATES_MAX, AUTOMATON_CACHE_MAX } from "../limits.ts";
import { Automaton } from "../match/automaton.ts";
import { parsePattern } from "../match/pattern_parse.ts";
import { compileProgram, type ProgramMode } from "../match/pattern_program.ts";

/** Which texts there are. */
export interface TextLanguage {
  /** Every text begins so. */
  readonly start: string;
  /** What may follow, the most readable first: with these alone a text is looked for before `others` are taken too. */
  readonly bytes: readonly number[];
  readonly others: readonly number[];
  /** Of those, what a text neither begins nor ends with. */
  readonly isBlank: (byte: number) => boolean;
  readonly mayBeEmpty: boolean;
}

/** Texts that match the same patterns. */
export interface TextClass {
  /** Indexes of the patterns, ascending. */
  readonly accepted: ReadonlySet<number>;
  /** A shortest one of them. */
  readonly text: Uint8Array;
}

export interface TextClasses {
  readonly classes: readonly TextClass[];
  /** False: there may be more, because the walk had too many states. */
  readonly isComplete: boolean;
}

function bytesWhere(matches: RegExp, from = 0, to = 0x7f): number[] {
  const bytes = Array.from({ length: to - from + 1 }, (_, index) => from + index)
    .filter((byte) => matches.test(String.fromCharCode(byte)));
  return bytes.sort((some, other) => looks(other) - looks(some) || some - other);
}

/** Plain letters first, so that witnesses read well. */
function looks(byte: number): number {
  const character = String.fromCharCode(byte);
  return /[a-z]/.test(character)
    ? 4
    : /[A-Z0-9]/.test(character)
    ? 3
    : /[/_-]/.test(character)
    ? 2
    : 1;
}

const never = () => false;

/** What HTTP/1.1 takes in a target, without a query (RFC 9112 3.2); HTTP/2 takes the other visible bytes too. */
export const PATHS: TextLanguage = {
  start: "/",
  bytes: bytesWhere(/[A-Za-z0-9\-._~%!$&'()*+,;=:@/[\]]/),
  others: bytesWhere(/["<>\\^`{|}]/),
  isBlank: never,
  mayBeEmpty: true,
};

/** Values of headers (RFC 9110 5.5), as they are without blanks around them. */
const VALUES: TextLanguage = {
  start: "",
  bytes: bytesWhere(/[ -~]/),
  others: [0x09, ...bytesWhere(/[^]/, 0x80, 0xff)],
  isBlank: (byte) => byte === 0x20 || byte === 0x09,
  mayBeEmpty: true,
};

/** Values of headers that proxies read themselves, and refuse where they hold anything else, by name. */
const READ_VALUES: ReadonlyMap<string, TextLanguage> = new Map([
  ["content-length", { ...VALUES, bytes: bytesWhere(/[0-9]/), others: [], mayBeEmpty: false }],
  ["expect", { ...VALUES, start: "100-continue", bytes: [], others: [] }],
]);

/** What the header of a name, in lower case, can hold. */
export function headerLanguage(name: string): TextLanguage {
  return READ_VALUES.get(name) ?? VALUES;
}

/** Values of a query's parameters, as they are sent (RFC 3986 3.4). */
export const PARAMETERS: TextLanguage = {
  start: "",
  bytes: bytesWhere(/[A-Za-z0-9\-._~%!$'()*+,;=:@/?[\]]/),
  others: bytesWhere(/["<>\\^`{|}]/),
  isBlank: never,
  mayBeEmpty: true,
};

/** `host[:port]` (RFC 3986 3.2.2), as far as single bytes tell. */
export const AUTHORITIES: TextLanguage = {
  start: "",
  bytes: bytesWhere(/[A-Za-z0-9\-.:]/),
  others: bytesWhere(/[_~!$&'()*+,;=%[\]]/),
  isBlank: never,
  mayBeEmpty: false,
};

/** Patterns that are matched together, and the texts that are told apart by them. */
export class PatternSet {
  readonly #automaton: Automaton;

  /** @throws {PatternError} where a pattern is not accepted */
  constructor(patterns: readonly string[], mode: ProgramMode) {
    const program = compileProgram(patterns.map(parsePattern), mode);
    // The numbers that it gives to states hold only until it forgets them.
    this.#automaton = new Automaton(program, { budget: AUTOMATON_CACHE_MAX });
  }

  classOf(text: Uint8Array): TextClass {
    const set = this.#automaton.scan(text, 0, text.length);
    return { accepted: new Set(this.#automaton.accepted(set)), text };
  }

  classesOf(language: TextLanguage, statesMax = ALGEBRA_STATES_MAX): TextClasses {
    const { bytes, others } = language;
    const all = new Walk(this.#automaton, language, [...bytes, ...others]);
    const isComplete = all.run(statesMax);
    const unusual = new Set(others);
    if ([...all.found.values()].some(({ text }) => text.some((byte) => unusual.has(byte)))) {
      // A longer text reads better than one that few clients can send.
      const usual = new Walk(this.#automaton, language, bytes);
      usual.run(statesMax);
      for (const [key, each] of usual.found) all.found.set(key, each);
    }
    return { classes: [...all.found.values()], isComplete };
  }
}

/** Breadth first, so that the first text of a class is a shortest one. */
class Walk {
  readonly #automaton: Automaton;
  readonly #language: TextLanguage;
  readonly #bytes: readonly number[];
  readonly found = new Map<string, TextClass>();
  // The texts so far, each as the one before and a byte.
  readonly #states: number[] = [];
  readonly #before: number[] = [];
  readonly #byte: number[] = [];
  readonly #seen = new Set<string>();
  readonly #ended = new Set<number>();

  constructor(
    automaton: Automaton,
    language: TextLanguage,
    bytes: readonly number[],
  ) {
    this.#automaton = automaton;
    this.#language = language;
    this.#bytes = automaton.distinctBytes(bytes, language.isBlank);
  }

  /** False: it gave up. */
  run(statesMax: number): boolean {
    const { start, isBlank, mayBeEmpty } = this.#language;
    const { generation } = this.#automaton;
    let state = this.#automaton.startState();
    for (const character of start) state = this.#step(state, character.charCodeAt(0));
    this.#reach(state, -1, -1);
    for (let at = 0; at < this.#states.length; at++) {
      const endsBlank = at > 0 && isBlank(this.#byte[at]);
      if (!endsBlank && (at > 0 || mayBeEmpty)) this.#end(at);
      // Nothing that follows changes what has matched.
      if (this.#states[at] < 0 && !endsBlank && (at > 0 || mayBeEmpty)) continue;
      for (const byte of this.#bytes) {
        if (at === 0 && isBlank(byte)) continue;
        this.#reach(this.#step(this.#states[at], byte), at, byte);
        if (this.#states.length > statesMax || this.#automaton.generation !== generation) {
          return false;
        }
      }
    }
    return true;
  }

  #step(state: number, byte: number): number {
    return state < 0 ? state : this.#automaton.stateAfter(state, byte);
  }

  #reach(state: number, before: number, byte: number): void {
    const key = `${state} ${before === -1 ? 0 : this.#language.isBlank(byte) ? 1 : 2}`;
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    this.#states.push(state);
    this.#before.push(before);
    this.#byte.push(byte);
  }

  #end(at: number): void {
    const state = this.#states[at];
    const set = state < 0 ? ~state : this.#automaton.acceptedAtEnd(state);
    if (this.#ended.has(set)) return;
    this.#ended.add(set);
    const accepted = this.#automaton.accepted(set);
    const key = accepted.join();
    if (!this.found.has(key)) {
      this.found.set(key, { accepted: new Set(accepted), text: this.#textAt(at) });
    }
  }

  #textAt(at: number): Uint8Array {
    const bytes: number[] = [];
    for (let node = at; this.#before[node] !== -1; node = this.#before[node]) {
      bytes.push(this.#byte[node]);
    }
    const { start } = this.#language;
    return Uint8Array.from(
      [...start].map((character) => character.charCodeAt(0)).concat(bytes.reverse()),
    );
  }
}
