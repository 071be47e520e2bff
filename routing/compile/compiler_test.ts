/**
 * The compiler after any changes has what `compile` makes of the same resources at once: the same parts, the same Findings, and it says
 * exactly what became different.
 */
import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import type { Finding } from "../../base/finding.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { encodePlan } from "../plan_codec.ts";
import { compile, wholePlan } from "./compile.ts";
import { Compiler } from "./compiler.ts";
import { anySnapshot } from "./snapshot_for_test.ts";

type ResourceKind = keyof Snapshot;

const KINDS: readonly ResourceKind[] = [
  "namespaces",
  "services",
  "endpointSlices",
  "pods",
  "workloads",
  "trafficSplits",
  "httpRouteGroups",
  "tcpRoutes",
  "trafficTargets",
  "trafficPolicies",
  "egresses",
  "ingressBackends",
  "gatewayRoutes",
  "referenceGrants",
];

type Resource = Snapshot[ResourceKind][number];
/** One step: of which kind, and which two of its resources are, or are not, there afterwards. */
type Step = readonly [kind: number, one: number, other: number];

const anySteps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.tuple(fc.nat(KINDS.length - 1), fc.nat(11), fc.nat(11)),
  { minLength: 1, maxLength: 12 },
);

function textsOf(parts: Compiler["parts"]): Map<string, string> {
  return new Map([...parts].map(([key, part]) => [key, JSON.stringify(part)]));
}

function textsOfFindings(findings: readonly Finding[]): Set<string> {
  return new Set(findings.map((finding) => JSON.stringify(finding)));
}

function without<T>(some: Iterable<T>, others: ReadonlySet<T>): T[] {
  return [...some].filter((each) => !others.has(each)).sort();
}

/** Takes a compiler through the steps, and checks it after each. */
function follow(pool: Snapshot, steps: readonly Step[], compiler: Compiler): void {
  const present = new Map<ResourceKind, Set<Resource>>(KINDS.map((kind) => [kind, new Set()]));
  let texts = new Map<string, string>();
  let findings = new Set<string>();
  let tried: ReturnType<Compiler["tryChange"]> | null = null;
  const check = () => {
    const changes = compiler.refresh();
    if (tried !== null) {
      deepEqual(textsOfFindings(tried.came), textsOfFindings(changes.findings.came));
      deepEqual(textsOfFindings(tried.went), textsOfFindings(changes.findings.went));
    }
    const snapshot = { ...pool, ...Object.fromEntries([...present].map(([k, v]) => [k, [...v]])) };
    const whole = compile(snapshot as unknown as Snapshot, compiler);
    equal(encodePlan(wholePlan(compiler)), encodePlan(whole.plan));
    deepEqual(compiler.findings, whole.findings);
    const now = textsOf(compiler.parts);
    const different = [...new Set([...texts.keys(), ...now.keys()])]
      .filter((key) => texts.get(key) !== now.get(key)).sort();
    // A part that came and went, or went and came, may be told of.
    const told: ReadonlySet<string> = changes.parts;
    deepEqual(different.filter((key) => !told.has(key)), []);
    const nowFindings = textsOfFindings(whole.findings);
    deepEqual([...textsOfFindings(changes.findings.came)].sort(), without(nowFindings, findings));
    deepEqual([...textsOfFindings(changes.findings.went)].sort(), without(findings, nowFindings));
    texts = now;
    findings = nowFindings;
  };
  const move = (kind: ResourceKind, before: Resource | null, after: Resource | null) => {
    // What is tried leaves no trace, and says what will be so.
    tried = compiler.tryChange(kind, before as never, after as never);
    if (before !== null) present.get(kind)?.delete(before);
    if (after !== null) present.get(kind)?.add(after);
    compiler.change(kind, before as never, after as never);
  };
  // Half of all is there from the start.
  for (const kind of KINDS) {
    for (const [i, resource] of pool[kind].entries()) if (i % 2 === 0) move(kind, null, resource);
  }
  // The last alone was tried.
  tried = null;
  check();
  for (const [kindIndex, one, other] of steps) {
    const kind = KINDS[kindIndex];
    const all: readonly Resource[] = pool[kind];
    if (all.length === 0) continue;
    const [first, second] = [all[one % all.length], all[other % all.length]];
    const isThere = (resource: Resource) => present.get(kind)?.has(resource) === true;
    if (first !== second && isThere(first) && !isThere(second)) move(kind, first, second);
    else if (isThere(first)) move(kind, first, null);
    else move(kind, null, first);
    check();
  }
}

function joined(one: Snapshot, other: Snapshot): Snapshot {
  return Object.fromEntries(
    (Object.keys(one) as ResourceKind[]).map((kind) => [kind, [...one[kind], ...other[kind]]]),
  ) as unknown as Snapshot;
}

const anyPool = fc.tuple(anySnapshot, anySnapshot).map(([one, other]) => joined(one, other));

Deno.test("compiler: after any changes it has what the same resources come to at once", () => {
  fc.assert(
    fc.property(
      anyPool,
      anySteps,
      fc.boolean(),
      fc.boolean(),
      (pool, steps, permissive, egress) => {
        follow(pool, steps, new Compiler({ permissive, egress }));
      },
    ),
    { numRuns: 1_000 },
  );
});

/** One that does not notice some changes. */
class Forgetful extends Compiler {
  readonly #kind: ResourceKind;

  constructor(kind: ResourceKind) {
    super({ permissive: false });
    this.#kind = kind;
  }

  override change(...[kind, before, after]: Parameters<Compiler["change"]>): void {
    if (kind !== this.#kind || before === null || after === null) super.change(kind, before, after);
    else super.change(kind, before, before);
  }
}

for (
  const kind of [
    "services",
    "endpointSlices",
    "pods",
    "trafficSplits",
    "httpRouteGroups",
    "egresses",
    "ingressBackends",
  ] as const
) {
  Deno.test(`compiler: a planted bug is seen: what replaces one of the ${kind} is not noticed`, () => {
    throws(() =>
      fc.assert(
        fc.property(anyPool, anySteps, (pool, steps) => {
          follow(pool, steps, new Forgetful(kind));
        }),
        { numRuns: 20_000, endOnFailure: true },
      )
    );
  });
}

Deno.test("compiler: a change that nothing depends on changes no part and no Finding", () => {
  fc.assert(
    fc.property(anyPool, (pool) => {
      const compiler = new Compiler({ permissive: false });
      compiler.add(pool);
      compiler.refresh();
      for (const kind of KINDS) {
        for (const resource of pool[kind]) {
          const copy = { ...resource } as never;
          compiler.change(kind, resource as never, copy);
          compiler.change(kind, copy, resource as never);
        }
      }
      const { parts, findings } = compiler.refresh();
      deepEqual([...parts, ...findings.came, ...findings.went], []);
    }),
    { numRuns: 100 },
  );
});
