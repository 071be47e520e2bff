/**
 * Routes of the Gateway API as matches and ranks, each route once however many Services and ports it speaks for. Patterns outside
 * the subset are reported here, and their match is left out.
 */
import type { FieldPath } from "../../base/finding.ts";
import type {
  GatewayMatch,
  GatewayRoute,
  GatewayRule,
  NamedCondition,
} from "../../schemas/resources.ts";
import type { Rank } from "../match/condition.ts";
import { checkPattern } from "../match/pattern.ts";
import type { PlanMatch } from "../plan.ts";
import { type Findings, positionOf, refOf } from "./findings.ts";

export interface CompiledRoute {
  readonly route: GatewayRoute;
  readonly rules: readonly CompiledRule[];
}

interface CompiledRule {
  readonly rule: GatewayRule;
  /** Its name, or its place in the route: `rules[0]`. */
  readonly name: string;
  /** Without those that were left out. */
  readonly matches: readonly CompiledGatewayMatch[];
}

export interface CompiledGatewayMatch {
  readonly plan: PlanMatch;
  /** The prefix that its path begins with; null: it asks for another kind of path. */
  readonly prefix: string | null;
  /** Among matches of all routes: the smaller, the earlier. */
  readonly rank: Rank;
  /** `rule` or, where that has several, `rule/match`. */
  readonly id: string;
}

export function compileGatewayRoute(route: GatewayRoute, findings: Findings): CompiledRoute {
  const rules = route.rules.map((rule, index) => {
    const name = rule.name ?? `rules[${index}]`;
    const matches = rule.matches.flatMap((match, place) => {
      const suffix = rule.matches.length === 1 ? "" : `.matches[${place}]`;
      return compileMatch(route, match, `${name}${suffix}`, findings) ?? [];
    });
    return { rule, name, matches };
  });
  return { route, rules };
}

function compileMatch(
  { meta }: GatewayRoute,
  match: GatewayMatch,
  name: string,
  findings: Findings,
): CompiledGatewayMatch | undefined {
  const { path, method, headers, queries } = match;
  const isGood = (pattern: string | null, at: FieldPath) => {
    const checked = pattern === null ? { ok: true } as const : checkPattern(pattern);
    if (checked.ok) return true;
    findings.add({
      code: checked.code,
      meta,
      path: at,
      message: `The value is refused, and its match is left out: ${checked.message}`,
      hint: checked.hint,
    });
    return false;
  };
  const pathPattern = pathPatternOf(path);
  const named = headers.map((header) => ({ at: header.at, pattern: headerPattern(header) }));
  const asked = queries.map((query) => ({ at: query.at, pattern: queryPattern(query) }));
  const areGood = [{ at: path?.at ?? match.at, pattern: pathPattern }, ...named, ...asked]
    .map(({ at, pattern }) => isGood(pattern, at)).every(Boolean);
  if (!areGood) return undefined;
  return {
    id: name,
    prefix: path === null ? "/" : path.kind === "prefix" ? path.value : null,
    rank: [
      ...pathRank(path),
      method === null ? 1 : 0,
      -headers.length,
      -queries.length,
    ],
    plan: {
      group: refOf(meta),
      name,
      path: pathPattern,
      methods: method === null ? null : [method],
      headers: headers.map(({ name }, i) => ({
        name: name === ":authority" ? "host" : name,
        pattern: named[i].pattern,
      })),
      ...(queries.length === 0 ? {} : {
        queries: queries.map(({ name }, i) => ({ name, pattern: asked[i].pattern })),
      }),
      position: positionOf(meta, match.at),
    },
  };
}

/** Exact before patterns, which the Gateway API leaves open, before prefixes; the longer, the earlier. */
function pathRank(path: GatewayMatch["path"]): Rank {
  if (path === null) return [2, 0];
  const { kind, value } = path;
  if (kind === "exact") return [0, -value.length];
  return kind === "prefix" ? [2, -trimmed(value).length] : [1, -value.length];
}

function trimmed(prefix: string): string {
  return prefix.replace(/\/+$/, "");
}

/** Null: every path. */
function pathPatternOf(path: GatewayMatch["path"]): string | null {
  if (path === null) return null;
  const { kind, value } = path;
  switch (kind) {
    case "exact":
      return `${literal(value)}$`;
    case "prefix":
      return trimmed(value) === "" ? null : `${literal(trimmed(value))}(?:/|$)`;
    case "regex":
      return `(?:${value})$`;
    case "grpc-method":
      return `/[^/]+/${literal(value)}$`;
  }
}

function headerPattern({ kind, value }: NamedCondition): string {
  return kind === "exact" ? `^${literal(value)}$` : `^(?:${value})$`;
}

/** A value as clients send it: what is not a plain letter, digit or mark may be encoded, a space as `+` too (RFC 3986 2.1). */
function queryPattern({ kind, value }: NamedCondition): string {
  if (kind === "regex") return `^(?:${value})$`;
  const sent = [...value].map((character) => {
    if (/[-.~\w]/.test(character) && character < "\x7f") return literal(character);
    const encoded = [...new TextEncoder().encode(character)]
      .map((byte) => `%${hexDigit(byte >>> 4)}${hexDigit(byte & 15)}`).join("");
    const plain = character === " " ? "\\+" : literal(character);
    return `(?:${plain}|${encoded})`;
  });
  return `^${sent.join("")}$`;
}

function hexDigit(value: number): string {
  const digit = value.toString(16);
  return value < 10 ? digit : `[${digit}${digit.toUpperCase()}]`;
}

/** A pattern that takes this text alone. */
function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
