/**
 * RequestSpace: every request that one or more ordered lists of matches can tell apart, in finitely many cells. All requests of a
 * cell get the same answer from each list: the first match that they satisfy. What holds of every cell holds of every request,
 * and each cell has a shortest request to show for it.
 */
import { ALGEBRA_CELLS_MAX } from "../limits.ts";
import type { MatchConditions } from "../plan.ts";
import { METHOD_OTHER, METHODS } from "../request.ts";
import {
  AUTHORITIES,
  headerLanguage,
  PARAMETERS,
  PATHS,
  PatternSet,
  type TextClass,
  type TextClasses,
  type TextLanguage,
} from "./texts.ts";
import { type Witness, witnessOf } from "./witness.ts";

/** What a client writes when no rule cares, likeliest first; the last stands for every method that no rule can name. */
const METHODS_BY_LOOKS = [
  ...["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"],
  "PURGE",
  "CONNECT",
];

/** Names that are one header: the authority of the request, wherever it is written. */
const AUTHORITY = "host";

export interface SpaceOptions {
  /**
   * How clients name the Service, the usual way first, and with its port among them. Any other host can come to it too, where the address of a
   * connection has decided.
   */
  readonly authorities: readonly [string, ...string[]];
  /** Bounds of the walk; for tests. */
  readonly statesMax?: number;
  readonly cellsMax?: number;
}

export interface RequestCell {
  /** By list: the index of the first match that its requests satisfy, -1 for none. */
  readonly firsts: readonly number[];
  /** The smaller, the better its witness: shorter, and more usual. */
  readonly size: number;
  witness(): Witness;
}

/** The value of one header or one parameter of the query, or that it is not there. */
interface HeaderClass {
  readonly accepted: ReadonlySet<number>;
  /** Null: it is missing. */
  readonly text: Uint8Array | null;
  readonly size: number;
  readonly isForeignHost: boolean;
}

interface Slot {
  readonly name: string;
  readonly isQuery: boolean;
  readonly patterns: readonly string[];
  readonly classes: readonly HeaderClass[];
}

interface SpaceMatch {
  readonly methods: readonly string[] | null;
  readonly conditions: readonly { readonly slot: number; readonly pattern: number }[];
}

/** A foreign host is the last that anyone wants to see, and a tunnel nearly. */
const UNUSUAL = 1 << 24;
const SIZE_STEP = METHODS_BY_LOOKS.length;

export class RequestSpace {
  readonly #lists: readonly (readonly SpaceMatch[])[];
  /** By list, then by pattern of the path: the matches that have it, ascending. */
  readonly #byPath: readonly (readonly (readonly number[])[])[];
  readonly #paths: PatternSet;
  readonly #slots: readonly Slot[];
  #connectHosts: readonly HeaderClass[] = [];
  readonly #options: SpaceOptions;
  #isComplete = true;
  #cells = 0;

  /** @throws {PatternError} where a pattern is not accepted */
  constructor(lists: readonly (readonly MatchConditions[])[], options: SpaceOptions) {
    this.#options = options;
    const all = lists.flat();
    const paths = [...new Set(all.map(({ path }) => path ?? ""))];
    this.#paths = new PatternSet(paths, "anchored");
    this.#byPath = lists.map((list) => {
      const byPath: number[][] = paths.map(() => []);
      list.forEach(({ path }, index) => byPath[paths.indexOf(path ?? "")].push(index));
      return byPath;
    });
    this.#slots = this.#slotsOf(all);
    this.#lists = lists.map((list) =>
      list.map((match) => ({ methods: match.methods, conditions: this.#conditionsOf(match) }))
    );
  }

  /**
   * Shows every cell. False: there may be more, because there are too many to tell: what was seen is true of its requests, but
   * nothing can be said of all.
   */
  walk(visit: (cell: RequestCell) => void): boolean {
    const methods = this.#methodClasses();
    const { classes, isComplete } = this.#paths.classesOf(PATHS, this.#options.statesMax);
    if (!isComplete) this.#isComplete = false;
    this.#cells = 0;
    for (const path of classes) {
      for (const method of methods) {
        if (method !== "CONNECT") this.#walkHeaders(path, method, visit);
      }
    }
    const encoder = new TextEncoder();
    const [none, asterisk] = ["", "*"].map((path) => this.#paths.classOf(encoder.encode(path)));
    this.#walkHeaders(none, "CONNECT", visit);
    // Of a whole server: as `http://host` without a path, or to the server itself.
    this.#walkHeaders(none, "OPTIONS", visit);
    this.#walkHeaders(asterisk, "OPTIONS", visit);
    return this.#isComplete;
  }

  /** One method of each class that no match tells apart. */
  #methodClasses(): readonly string[] {
    const known = new Map<string, string>();
    for (const method of METHODS_BY_LOOKS) {
      const key = method === "CONNECT" ? method : this.#lists.flat()
        .map(({ methods }) => takes(methods, method) ? "1" : "0").join("");
      if (!known.has(key)) known.set(key, method);
    }
    return [...known.values()];
  }

  #walkHeaders(path: TextClass, method: string, visit: (cell: RequestCell) => void): void {
    const candidates = this.#lists.map((list, index) =>
      [...path.accepted].flatMap((pattern) => this.#byPath[index][pattern])
        .filter((match) => takes(list[match].methods, method))
        .sort((some, other) => some - other)
    );
    const chosen: (HeaderClass | undefined)[] = this.#slots.map(() => undefined);
    const decide = () => {
      if (this.#cells >= (this.#options.cellsMax ?? ALGEBRA_CELLS_MAX)) {
        this.#isComplete = false;
        return;
      }
      const firsts: number[] = [];
      for (const [index, list] of candidates.entries()) {
        const first = this.#firstOf(index, list, chosen);
        if (typeof first === "object") {
          // What the list comes to depends on this header.
          for (const each of this.#classesOf(first.open, path, method)) {
            chosen[first.open] = each;
            decide();
          }
          chosen[first.open] = undefined;
          return;
        }
        firsts.push(first);
      }
      this.#cells++;
      visit(this.#cellOf(firsts, path, method, [...chosen]));
    };
    decide();
  }

  /** The first match of a list that holds; or the slot that has to be known first. */
  #firstOf(
    list: number,
    candidates: readonly number[],
    chosen: readonly (HeaderClass | undefined)[],
  ): number | { readonly open: number } {
    for (const index of candidates) {
      let open = -1;
      let fails = false;
      for (const { slot, pattern } of this.#lists[list][index].conditions) {
        const value = chosen[slot];
        if (value === undefined) open = slot;
        else if (!value.accepted.has(pattern)) fails = true;
      }
      if (fails) continue;
      return open === -1 ? index : { open };
    }
    return -1;
  }

  #cellOf(
    firsts: readonly number[],
    path: TextClass,
    method: string,
    chosen: readonly (HeaderClass | undefined)[],
  ): RequestCell {
    const length = path.text.length +
      chosen.reduce((sum, header) => sum + (header?.size ?? 0), 0);
    const isUnusual = path.text[0] !== SLASH;
    const size = SIZE_STEP * (length + (isUnusual ? UNUSUAL : 0)) +
      METHODS_BY_LOOKS.indexOf(method);
    return {
      firsts,
      size,
      witness: () =>
        witnessOf({
          method,
          path: path.text,
          authority: this.#usualHost(method),
          headers: this.#textsOf(chosen, false),
          queries: this.#textsOf(chosen, true),
          isForeignHost: chosen.some((header) => header?.isForeignHost === true),
        }),
    };
  }

  #textsOf(chosen: readonly (HeaderClass | undefined)[], isQuery: boolean) {
    return chosen.flatMap((value, index) => {
      const slot = this.#slots[index];
      const isThere = value !== undefined && value.text !== null && slot.isQuery === isQuery;
      return isThere ? [{ name: slot.name, value: value.text }] : [];
    });
  }

  #usualHost(method: string): string {
    const { authorities } = this.#options;
    return method === "CONNECT" ? authorities.find(hasPort) ?? authorities[0] : authorities[0];
  }

  /** A CONNECT names its host with a port, and is the Service's by that name alone. */
  #classesOf(slot: number, path: TextClass, method: string): readonly HeaderClass[] {
    const { name, isQuery, classes } = this.#slots[slot];
    // What has no path has no query either.
    if (isQuery && path.text[0] !== SLASH) return classes.filter(({ text }) => text === null);
    return name === AUTHORITY && !isQuery && method === "CONNECT" ? this.#connectHosts : classes;
  }

  #slotsOf(matches: readonly MatchConditions[]): Slot[] {
    const headers = matches.flatMap(({ headers }) =>
      headers.map(({ name, pattern }) => [slotName(name), pattern] as const)
    );
    const queries = matches.flatMap(({ queries = [] }) =>
      queries.map(({ name, pattern }) => [name, pattern] as const)
    );
    return [
      ...patternsByName(headers).map(([name, patterns]) => this.#headerSlot(name, patterns)),
      ...patternsByName(queries).map(([name, patterns]) => {
        const classes = this.#valueClasses(name, new PatternSet(patterns, "search"), PARAMETERS);
        return { name, isQuery: true, patterns, classes };
      }),
    ];
  }

  #headerSlot(name: string, patterns: readonly string[]): Slot {
    const set = new PatternSet(patterns, "search");
    const isHost = name === AUTHORITY;
    if (isHost) this.#connectHosts = hostClasses(set, this.#options.authorities.filter(hasPort));
    const classes = isHost
      ? this.#hostClasses(set)
      : this.#valueClasses(name, set, headerLanguage(name));
    return { name, isQuery: false, patterns, classes };
  }

  #conditionsOf(
    { path: _path, methods: _methods, headers, queries = [], ...others }: MatchConditions,
  ): SpaceMatch["conditions"] {
    noOthers(others);
    const conditionOf = (isQuery: boolean, name: string, pattern: string) => {
      const slot = this.#slots.findIndex((each) => each.isQuery === isQuery && each.name === name);
      return { slot, pattern: this.#slots[slot].patterns.indexOf(pattern) };
    };
    return [
      ...headers.map(({ name, pattern }) => conditionOf(false, slotName(name), pattern)),
      ...queries.map(({ name, pattern }) => conditionOf(true, name, pattern)),
    ];
  }

  /** What is missing matches nothing, as do the values that match nothing. */
  #valueClasses(name: string, set: PatternSet, language: TextLanguage): HeaderClass[] {
    const missing = { accepted: new Set<number>(), text: null, size: 0, isForeignHost: false };
    const present = this.#known(set.classesOf(language, this.#options.statesMax))
      .filter(({ accepted }) => accepted.size > 0)
      .map((each) => ({
        ...each,
        size: name.length + each.text.length + HEADER_OVERHEAD,
        isForeignHost: false,
      }));
    return [missing, ...present];
  }

  #hostClasses(set: PatternSet): HeaderClass[] {
    const named = hostClasses(set, this.#options.authorities);
    const known = new Set(named.map(({ accepted }) => [...accepted].join()));
    const foreign = this.#known(set.classesOf(AUTHORITIES, this.#options.statesMax))
      .filter(({ accepted }) => !known.has([...accepted].join()))
      .map((each) => ({ ...each, size: UNUSUAL + each.text.length, isForeignHost: true }));
    return [...named, ...foreign];
  }

  #known({ classes, isComplete }: TextClasses): readonly TextClass[] {
    if (!isComplete) this.#isComplete = false;
    return classes;
  }
}

function patternsByName(
  conditions: readonly (readonly [name: string, pattern: string])[],
): (readonly [string, readonly string[]])[] {
  const byName = Map.groupBy(conditions, ([name]) => name);
  return [...byName].map(([name, all]) => [name, [...new Set(all.map(([, each]) => each))]]);
}

function hostClasses(set: PatternSet, authorities: readonly string[]): HeaderClass[] {
  const classes = new Map<string, HeaderClass>();
  for (const [place, authority] of authorities.entries()) {
    const each = set.classOf(new TextEncoder().encode(authority));
    const key = [...each.accepted].join();
    if (!classes.has(key)) classes.set(key, { ...each, size: place, isForeignHost: false });
  }
  return [...classes.values()];
}

function hasPort(authority: string): boolean {
  return /:\d+$/.test(authority);
}

const SLASH = 0x2f;
/** `: ` and the end of the line. */
const HEADER_OVERHEAD = 4;

function slotName(name: string): string {
  const lower = name.toLowerCase();
  return lower === ":authority" ? AUTHORITY : lower;
}

function takes(methods: readonly string[] | null, method: string): boolean {
  return methods === null ||
    methods.includes(method) &&
      METHODS.indexOf(method as typeof METHODS[number]) + 1 !== METHOD_OTHER;
}

/** The type checker asks here for every condition that requests are not told apart by. */
function noOthers(_others: Record<string, never>): void {}
