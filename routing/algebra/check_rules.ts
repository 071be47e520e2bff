/**
 * What takes the whole of a Service's rules to see: rules that several before them cover together, and requests that none takes.
 * Each with a request that shows it. For the offline commands: too much work for every change of a cluster.
 */
import { type Finding, FINDING_CODES, type FindingCode } from "../../base/finding.ts";
import { ALGEBRA_CHECK_STATES_MAX, ALGEBRA_CHECK_UNDECIDED_MAX } from "../limits.ts";
import { carriesHttp, type Plan, type PlanPort, type PlanRule, type PlanService } from "../plan.ts";
import { PathPattern } from "../match/pattern.ts";
import { examineRules, overlapOf } from "./rule_facts.ts";
import type { SpaceOptions } from "./request_space.ts";
import { authoritiesOf } from "./service_names.ts";
import { type Witness, witnessText } from "./witness.ts";

/** @param known what compiling has found: nothing is said twice */
export function checkRules(plan: Plan, known: readonly Finding[]): Finding[] {
  let undecided = 0;
  return plan.services.flatMap((service) => {
    if (undecided === ALGEBRA_CHECK_UNDECIDED_MAX) return [];
    // All ports of a Service have the same rules.
    const port = service.ports.find(({ protocol, rules }) =>
      carriesHttp(protocol) && rules.length > 0
    );
    if (port === undefined) return [];
    const { findings, isComplete } = checkPort(plan, service, port, known);
    if (!isComplete) undecided++;
    return findings;
  });
}

function checkPort(
  plan: Plan,
  service: PlanService,
  port: PlanPort,
  known: readonly Finding[],
): { readonly findings: readonly Finding[]; readonly isComplete: boolean } {
  const options: SpaceOptions = {
    authorities: authoritiesOf(service, port.port, plan.clusterDomain),
    statesMax: ALGEBRA_CHECK_STATES_MAX,
  };
  const { taken, uncovered, isComplete } = examineRules(
    port.rules.map(({ match }) => match),
    options,
  );
  const dead = isComplete ? port.rules.filter((_, index) => taken[index] === null) : [];
  const findings = dead.filter((rule) => !isReported(rule, known))
    .map((rule) => deadFinding(rule, options));
  const isHole = uncovered !== null && port.fallback.split === null &&
    port.fallback.answer === undefined &&
    !isHoleReported(port.rules, known);
  if (isHole) findings.push(holeFinding(plan, service, port, uncovered));
  return { findings, isComplete };
}

function isReported({ match: { path, position } }: PlanRule, known: readonly Finding[]): boolean {
  const isShadowed = known.some((finding) =>
    finding.code === "rule-shadowed" && position !== null &&
    finding.position?.file === position.file && finding.position.line === position.line &&
    finding.position.column === position.column
  );
  return isShadowed || path !== null && new PathPattern(path).isNever();
}

function isHoleReported(rules: readonly PlanRule[], known: readonly Finding[]): boolean {
  return known.some(({ code, resource }) =>
    code === "unmatched-reaches-backends" &&
    rules.some(({ route: { split } }) =>
      split?.namespace === resource?.namespace && split?.name === resource?.name
    )
  );
}

function deadFinding({ match, route: { split } }: PlanRule, options: SpaceOptions): Finding {
  const isPossible = overlapOf(match, match, options).answer !== "no";
  const of = split === null ? "" : ` of split ${JSON.stringify(split.name)}`;
  const subject = `Match ${JSON.stringify(match.name)}${of} takes nothing`;
  return {
    ...headOf("rule-shadowed"),
    message: isPossible
      ? `${subject}: the rules before it together take every request it could`
      : `${subject}: no request has all that it asks for`,
    hint: isPossible
      ? "Delete this match, or make those before it narrower"
      : "Correct its conditions: all of them must hold at once",
    resource: match.group,
    ...(match.position === null ? {} : { position: match.position }),
  };
}

function holeFinding(
  { groups }: Plan,
  { namespace, name }: PlanService,
  port: PlanPort,
  uncovered: Witness,
): Finding {
  // The last rule is the widest: the one that was meant to take the rest.
  const { route: { split, position } } = port.rules[port.rules.length - 1];
  const own = groups[`${namespace}/${name}:${port.port}`] ?? [];
  const end = own.length > 0
    ? "go to its own endpoints"
    : "are answered 503, as it has no endpoints";
  return {
    ...headOf("requests-uncovered"),
    message: `No rule of ${JSON.stringify(name)} takes ${
      witnessText(uncovered)
    }: such requests ${end}`,
    hint: `If that is not meant, add a TrafficSplit for ${JSON.stringify(name)} without matches`,
    ...(split === null ? {} : { resource: split }),
    ...(position === null ? {} : { position }),
  };
}

function headOf<Code extends FindingCode>(code: Code) {
  return { code, severity: FINDING_CODES[code][0] };
}
