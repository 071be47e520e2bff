/**
 * HTTPRouteGroups as the matches of a plan, each group once however many splits and targets name it. Patterns
 * outside the subset are reported here and their match is left out.
 */
import type { FieldPath } from "../../base/finding.ts";
import type { ParsedMatch } from "../match/condition.ts";
import { checkPattern, PathPattern } from "../match/pattern.ts";
import type { PlanMatch } from "../plan.ts";
import { METHODS } from "../request.ts";
import type { HttpRouteGroup, HttpRouteMatch, Meta } from "../../schemas/resources.ts";
import { type Findings, positionOf, quoted, refOf } from "./findings.ts";
import { compareText } from "../../base/order.ts";
import { surelyMatchesSome, surelyMissesSome } from "./path_text.ts";

export interface CompiledGroup {
  readonly meta: Meta;
  /** In written order, without those that were left out. */
  readonly matches: readonly CompiledMatch[];
  /** Names of all matches as written, also of those left out. */
  readonly names: ReadonlySet<string>;
  /** It has no matches because it cannot be read, which has been reported. */
  readonly isRefused: boolean;
}

export interface CompiledMatch extends ParsedMatch {
  /** Unique in the group: its name, with its place where the name alone is not. */
  readonly id: string;
  /** Place in the group as written. */
  readonly index: number;
  readonly at: FieldPath;
  readonly meta: Meta;
}

/** Groups by `namespace/name`. */
export interface GroupLookup {
  get(key: string): CompiledGroup | undefined;
}

export function compileGroup(group: HttpRouteGroup, findings: Findings): CompiledGroup {
  const { meta, unreadable = [], isRefused = false } = group;
  if (group.matches.length === 0 && unreadable.length === 0 && !isRefused) {
    findings.add({
      code: "route-group-empty",
      meta,
      path: ["spec", "matches"],
      message: `Route group ${quoted(meta.name)} has no matches, so it matches nothing`,
      hint: "Add a match, or delete the group; a match with only a name takes every request",
    });
  }
  const names = new Set<string>();
  const matches: CompiledMatch[] = [];
  for (const [index, match] of group.matches.entries()) {
    const isRepeated = names.has(match.name);
    if (isRepeated) reportRepeatedName(meta, match, findings);
    names.add(match.name);
    const plan = planMatch(meta, match, findings);
    if (plan === undefined) continue;
    const path = plan.path === null ? null : new PathPattern(plan.path);
    if (path !== null && !surelyMatchesSome(path.text) && path.isNever()) {
      reportNever(meta, match, path.text, findings);
    }
    matches.push({
      plan,
      path,
      id: isRepeated || match.name.includes("#") ? `${match.name}#${index}` : match.name,
      index,
      isCatchAll: path === null || (!surelyMissesSome(path.text) && path.isCatchAll()),
      at: match.at,
      meta,
    });
  }
  return { meta, matches, names: new Set([...names, ...unreadable]), isRefused };
}

/** `test` for `/test`, a space that is sent as `%20`, a query. */
function reportNever(
  meta: Meta,
  match: HttpRouteMatch,
  pattern: string,
  findings: Findings,
): void {
  findings.add({
    code: "pattern-never-matches",
    meta,
    path: [...match.at, "pathRegex"],
    message: `No path can match ${quoted(shownPattern(pattern))}: a path begins with "/", has no ` +
      "space and no query, and is matched from its beginning",
    hint: /^[A-Za-z0-9]/.test(pattern)
      ? `Write ${quoted(`/${shownPattern(pattern)}`)}, or put ".*" in front for any beginning`
      : 'Write the path as it is sent: a space is "%20", and what follows "?" is no part of it',
  });
}

function reportRepeatedName(meta: Meta, match: HttpRouteMatch, findings: Findings): void {
  findings.add({
    code: "match-name-duplicate",
    meta,
    path: [...match.at, "name"],
    message: `Route group ${quoted(meta.name)} has two matches named ${quoted(match.name)}`,
    hint: "Give each match its own name; a TrafficTarget that names it gets all of them",
  });
}

/** Undefined: it can never match, and there is a Finding that says so. */
function planMatch(meta: Meta, match: HttpRouteMatch, findings: Findings): PlanMatch | undefined {
  const isPathGood = match.pathRegex === undefined ||
    isGoodPattern(meta, match.pathRegex, [...match.at, "pathRegex"], findings);
  // All of them, so that every bad pattern is reported at once.
  const areHeadersGood = match.headers.map((header) =>
    isGoodPattern(meta, header.pattern, header.at, findings)
  ).every(Boolean);
  const methods = planMethods(match.methods);
  if (!isPathGood || !areHeadersGood || methods?.length === 0) return undefined;
  return {
    group: refOf(meta),
    name: match.name,
    path: match.pathRegex ?? null,
    methods,
    headers: planHeaders(match),
    position: positionOf(meta, match.at),
  };
}

/** In METHODS' order. A name that is no method of SMI was refused when read, and adds nothing. */
function planMethods(methods: readonly string[] | undefined): PlanMatch["methods"] {
  if (methods === undefined || methods.length === 0 || methods.includes("*")) return null;
  const wanted = new Set(methods.map((method) => method.toUpperCase()));
  return METHODS.filter((method) => wanted.has(method));
}

/** `:authority` is HTTP/2's name for what HTTP/1.1 calls Host (RFC 9113 8.3.1). */
function planHeaders({ headers }: HttpRouteMatch): PlanMatch["headers"] {
  const byText = new Map<string, PlanMatch["headers"][number]>();
  for (const { name, pattern } of headers) {
    const lower = name.toLowerCase();
    const header = { name: lower === ":authority" ? "host" : lower, pattern };
    byText.set(JSON.stringify([header.name, pattern]), header);
  }
  return [...byText].sort(([a], [b]) => compareText(a, b)).map(([, header]) => header);
}

function isGoodPattern(
  meta: Meta,
  pattern: string,
  path: FieldPath,
  findings: Findings,
): boolean {
  const checked = checkPattern(pattern);
  if (checked.ok) return true;
  findings.add({
    code: checked.code,
    meta,
    path,
    message:
      `Pattern ${quoted(shownPattern(pattern))} is refused at character ${
        checked.offset + 1
      }, and its match ` +
      `is left out: ${checked.message}`,
    hint: checked.hint,
  });
  return false;
}

/** As much of a pattern as a message has room for. */
function shownPattern(pattern: string): string {
  return pattern.length > 80 ? `${pattern.slice(0, 80)}…` : pattern;
}
