/**
 * Finds rules that can never match because one rule before them takes every request they could. What it reports
 * is certain; what it misses is a rule that several others cover together, a pair of patterns that
 * `PathPattern.isSubsumedBy` cannot decide, and what lies beyond the limits below.
 */
import { coversBesidePath, takesEveryRequest } from "../match/match.ts";
import { PATH } from "../match/path.ts";
import { carriesHttp, type PlanMatch } from "../plan.ts";
import { type Findings, quoted } from "./findings.ts";
import { textPrefix } from "./path_text.ts";
import { formatPosition, formatRef } from "../../base/finding.ts";
import type { TrafficSplit } from "../../schemas/resources.ts";
import type { ServicePorts } from "./endpoints.ts";
import { portProtocol } from "./port_protocol.ts";
import type { RootRouting } from "./ports.ts";
import type { RootRule } from "./rules.ts";
import {
  SHADOW_COMPARISONS_MAX,
  SHADOW_COMPARISONS_PER_RULE_MAX,
  SHADOW_LOOKS_PER_RULE_MAX,
} from "../limits.ts";

export function checkShadowed(
  { ports }: ServicePorts,
  { rules, plain }: RootRouting,
  findings: Findings,
): void {
  const httpPorts = ports.filter(({ port }) => carriesHttp(portProtocol(port)));
  if (httpPorts.length === 0) return;
  const takesAll = rules.find(({ match }) => takesEveryRequest(match));
  // On a port that does not carry HTTP there are no rules, and the plain split counts.
  if (takesAll !== undefined && plain !== undefined && httpPorts.length === ports.length) {
    reportPlainShadowed(plain, takesAll, findings);
  }
  const earlier = new EarlierRules();
  for (const rule of rules) {
    const cover = earlier.coverOf(rule);
    if (cover === undefined) earlier.add(rule);
    else reportShadowed(rule, cover, findings);
  }
}

/**
 * The rules so far, by how their paths begin and by one of their headers. Only a rule that begins as another does, or with less,
 * can cover it, and only if it asks for one of its headers or for none.
 */
class EarlierRules {
  readonly #byKey = new Map<string, RootRule[]>();
  #prefixLengthMax = 0;
  #comparisons = 0;

  add(rule: RootRule): void {
    const prefix = prefixOf(rule);
    const key = keyOf(prefix, rule.match.plan.headers[0]);
    const list = this.#byKey.get(key);
    if (list === undefined) this.#byKey.set(key, [rule]);
    else list.push(rule);
    this.#prefixLengthMax = Math.max(this.#prefixLengthMax, prefix.length);
  }

  /** Looks at the nearest rules first: rules that stand together are the most alike. */
  coverOf(rule: RootRule): RootRule | undefined {
    const prefix = prefixOf(rule);
    const headers = [undefined, ...rule.match.plan.headers];
    let looks = 0;
    let comparisons = 0;
    for (let length = Math.min(prefix.length, this.#prefixLengthMax); length >= 0; length--) {
      for (const header of headers) {
        const list = this.#byKey.get(keyOf(prefix.slice(0, length), header)) ?? [];
        for (let i = list.length - 1; i >= 0; i--) {
          const earlier = list[i];
          if (++looks > SHADOW_LOOKS_PER_RULE_MAX) return undefined;
          if (!coversBesidePath(earlier.match, rule.match)) continue;
          if (PATH.covers(earlier.match, rule.match)) return earlier;
          if (++comparisons > SHADOW_COMPARISONS_PER_RULE_MAX) return undefined;
          if (++this.#comparisons > SHADOW_COMPARISONS_MAX) return undefined;
          if (coversPath(earlier, rule)) return earlier;
        }
      }
    }
    return undefined;
  }
}

function prefixOf({ match }: RootRule): string {
  return match.isCatchAll || match.plan.path === null ? "" : textPrefix(match.plan.path);
}

function keyOf(prefix: string, header: PlanMatch["headers"][number] | undefined): string {
  return header === undefined ? prefix : JSON.stringify([prefix, header.name, header.pattern]);
}

function coversPath(earlier: RootRule, rule: RootRule): boolean {
  const wide = earlier.match.path;
  const narrow = rule.match.path;
  return wide !== null && narrow !== null && narrow.isSubsumedBy(wide).answer === "yes";
}

function reportPlainShadowed(plain: TrafficSplit, cover: RootRule, findings: Findings): void {
  findings.add({
    code: "rule-shadowed",
    meta: plain.meta,
    path: ["spec", "service"],
    message: `Split ${quoted(plain.meta.name)} has no matches and takes nothing: ` +
      `${coverText(cover)} takes every request`,
    hint: "Delete this split, or make that match narrower",
  });
}

/** `match "all" of HTTPRouteGroup app/all in split "all" (routes.yaml:12:7)` */
function coverText({ match: { plan }, split }: RootRule): string {
  const place = plan.position === null ? "" : ` (${formatPosition(plan.position)})`;
  return `match ${quoted(plan.name)} of ${formatRef(plan.group)} in split ` +
    `${quoted(split.meta.name)}${place}`;
}

function reportShadowed(rule: RootRule, cover: RootRule, findings: Findings): void {
  const { plan, meta, at } = rule.match;
  findings.add({
    code: "rule-shadowed",
    meta,
    path: at,
    message: `Match ${quoted(plan.name)} of split ${quoted(rule.split.meta.name)} takes nothing: ` +
      `${coverText(cover)} comes before it and takes every request it could`,
    hint: "Delete this match, or make the one before it narrower",
  });
}
