/**
 * Questions about all the paths that a pattern matches at once, answered by walking its automaton
 * instead of trying paths. A path here starts with `/` and goes on with any bytes that a request
 * line can hold in a path.
 */
import type { Automaton } from "./automaton.ts";
import { BYTES } from "./byte_set.ts";
import type { PatternNode } from "./pattern_syntax.ts";
import { EXPLORED_STATES_MAX } from "../limits.ts";

const SLASH = 0x2f;
const QUESTION_MARK = 0x3f;

/** Whether one pattern's paths are all among another's. */
export type Subsumption =
  | { readonly answer: "yes" }
  /** `witness` is a shortest path that tells them apart; null if none was worked out. */
  | { readonly answer: "no"; readonly witness: string | null }
  /** Too many states to tell. */
  | { readonly answer: "undecided" };

/**
 * Bytes that can stand in a path: no space or control (RFC 9112 section 3.2), no start of a query.
 */
const PATH_BYTES = Array.from({ length: BYTES }, (_, byte) => byte)
  .filter((byte) => byte > 0x20 && byte !== 0x7f && byte !== QUESTION_MARK);

/** Plain letters first, so that witnesses read well. */
const PATH_BYTES_BY_LOOKS = PATH_BYTES.toSorted((some, other) => looks(other) - looks(some));

function looks(byte: number): number {
  const character = String.fromCharCode(byte);
  return /[a-z]/.test(character) ? 3 : /[A-Z0-9/]/.test(character) ? 2 : byte < 0x7f ? 1 : 0;
}

/**
 * True if the automaton's one pattern matches every path; false also where that is not decided.
 */
export function isEveryPath(automaton: Automaton): boolean {
  return isEveryEnd(automaton, true);
}

/** True if the automaton's one pattern matches no path; false also where that is not decided. */
export function isNoPath(automaton: Automaton): boolean {
  return isEveryEnd(automaton, false);
}

/** True if all paths, wherever they end, are accepted (or all not). */
function isEveryEnd(automaton: Automaton, isAccepted: boolean): boolean {
  const generation = automaton.generation;
  const seen = new Set<number>();
  const start = automaton.startState();
  const pending = [start < 0 ? start : automaton.stateAfter(start, SLASH)];
  for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
    if (seen.has(state)) continue;
    if (automaton.generation !== generation || seen.size === EXPLORED_STATES_MAX) return false;
    seen.add(state);
    if (acceptsAt(automaton, state) !== isAccepted) return false;
    if (state < 0) continue;
    for (const byte of PATH_BYTES) pending.push(automaton.stateAfter(state, byte));
  }
  return true;
}

/** Whether every path that `some` accepts is accepted by `other`. */
export function comparePathLanguages(some: Automaton, other: Automaton): Subsumption {
  const generations = some.generation + other.generation;
  const step = (automaton: Automaton, state: number, byte: number) =>
    state < 0 ? state : automaton.stateAfter(state, byte);
  const seen = new Set<string>();
  let frontier = [{
    someState: step(some, some.startState(), SLASH),
    otherState: step(other, other.startState(), SLASH),
    path: "/",
  }];
  // Breadth first, so that the witness is a shortest one.
  while (frontier.length > 0) {
    const following: typeof frontier = [];
    for (const { someState, otherState, path } of frontier) {
      const isOtherAccepted = acceptsAt(other, otherState);
      if (acceptsAt(some, someState) && !isOtherAccepted) return { answer: "no", witness: path };
      if (isSettledAs(some, someState, false) || isSettledAs(other, otherState, true)) continue;
      for (const byte of PATH_BYTES_BY_LOOKS) {
        const nextSome = step(some, someState, byte);
        const nextOther = step(other, otherState, byte);
        const key = `${nextSome} ${nextOther}`;
        if (seen.has(key)) continue;
        seen.add(key);
        if (seen.size > EXPLORED_STATES_MAX) return { answer: "undecided" };
        if (some.generation + other.generation !== generations) return { answer: "undecided" };
        const shown = byte < 0x7f
          ? String.fromCharCode(byte)
          : `%${byte.toString(16).toUpperCase()}`;
        following.push({ someState: nextSome, otherState: nextOther, path: path + shown });
      }
    }
    frontier = following;
  }
  return { answer: "yes" };
}

/** True if a text that ends in this state is matched. */
function acceptsAt(automaton: Automaton, state: number): boolean {
  return automaton.accepts(state < 0 ? ~state : automaton.acceptedAtEnd(state), 0);
}

function isSettledAs(automaton: Automaton, state: number, isAccepted: boolean): boolean {
  return state < 0 && automaton.accepts(~state, 0) === isAccepted;
}

/**
 * Text that every match starts with, as far as it is easy to see; each byte is one UTF-16 code
 * unit. Empty if there is none.
 */
export function literalPrefix(node: PatternNode): string {
  const parts = node.kind === "concatenation" ? node.parts : [node];
  let prefix = "";
  for (const part of parts) {
    if (part.kind === "assertion" && part.assertion === "text-start" && prefix === "") continue;
    if (part.kind !== "character") break;
    const bytes = part.bytes.map(onlyByte);
    if (bytes.includes(-1)) break;
    prefix += String.fromCharCode(...bytes);
  }
  return prefix;
}

/** The one byte of a set, or -1. */
function onlyByte(set: Uint32Array): number {
  let found = -1;
  for (let word = 0; word < set.length; word++) {
    if (set[word] === 0) continue;
    const bit = 31 - Math.clz32(set[word]);
    if (found !== -1 || set[word] !== (1 << bit) >>> 0) return -1;
    found = 32 * word + bit;
  }
  return found;
}
