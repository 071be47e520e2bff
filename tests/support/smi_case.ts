/**
 * A behaviour case as a row: manifests, requests in the one-line notation, and who answers how often. Owns the
 * notation of expectations and the runner; the rows are in tests/smi_cases_*_test.ts.
 */
import { deepEqual, equal } from "node:assert/strict";
import type { CompileOptions } from "../../routing/compile/compiler.ts";
import { parseCaseRequest } from "./request_line.ts";
import { type MeshAnswer, SimulatedMesh } from "./simulated_mesh.ts";
import { fileOf, type Manifest } from "./smi_fixtures.ts";

/**
 * A request line, and who answers: `b` (all of them), `a 3, b 1`, `a:8081 5` where the container port counts,
 * `pod web-a-0 2` where the pod does, or `503 no-endpoints`. Workloads go without the prefix `web-` or `httpbin-`.
 */
export type CaseExchange = readonly [request: string, expected: string];

interface Step {
  readonly given: readonly Manifest[];
  readonly send: readonly CaseExchange[];
  /** Codes of all error and warning Findings; none where omitted. */
  readonly findings?: readonly string[];
}

export interface SmiCase {
  /** As in the list of cases, or `x-` and a rule where it was derived from one. */
  readonly id: string;
  readonly title: string;
  /** Where the client is that a line does not name; default `client`. */
  readonly from?: string;
  readonly options?: CompileOptions;
  readonly steps: readonly Step[];
}

export function testCases(cases: readonly SmiCase[]): void {
  for (const smiCase of cases) {
    Deno.test(`${smiCase.id} ${smiCase.title}`, () => runCase(smiCase));
  }
}

function runCase({ from = "client", options = {}, steps }: SmiCase): void {
  let mesh: SimulatedMesh | undefined;
  for (const [index, { given, send, findings = [] }] of steps.entries()) {
    const files = [fileOf(given)];
    if (mesh === undefined) mesh = new SimulatedMesh(files, options);
    else mesh.apply(files);
    const codes = mesh.findings.filter(({ severity }) => severity !== "info").map(({ code }) =>
      code
    );
    deepEqual([...new Set(codes)].sort(), [...findings].sort(), `Findings of step ${index + 1}`);
    for (const [request, expected] of send) {
      const line = parseCaseRequest(request, from);
      const answers = line.method === "TCP" ? mesh.connect(line) : mesh.send(line);
      const found = tallyText(answers, expected);
      equal(found, isShare(expected) ? expected : `${expected} ${line.count}`, request);
    }
  }
}

/** Whether counts are written: `b` stands for all, `503 no-endpoints` is a refusal of all. */
function isShare(expected: string): boolean {
  return /[a-z0-9] \d+$/.test(expected);
}

/** By first appearance in `expected`, then by name. */
function tallyText(answers: readonly MeshAnswer[], expected: string): string {
  const counts = new Map<string, number>();
  for (const answer of answers) {
    const name = answerName(answer, expected);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const rank = (name: string) => {
    const place = expected.split(", ").findIndex((part) =>
      part === name || part.startsWith(`${name} `)
    );
    return place < 0 ? Infinity : place;
  };
  return [...counts].sort(([a], [b]) => rank(a) === rank(b) ? (a < b ? -1 : 1) : rank(a) - rank(b))
    .map(([name, count]) => `${name} ${count}`).join(", ");
}

function answerName({ endpoint, refusal }: MeshAnswer, expected: string): string {
  if (endpoint === null) return refusal;
  const { pod, port, workload } = endpoint.plan;
  if (expected.startsWith("pod ")) return `pod ${pod}`;
  const name = workload.replace(/^[^/]*\//, "").replace(/^(web|httpbin)-/, "");
  return /:\d+/.test(expected) ? `${name}:${port}` : name;
}
