/** What manifests say of one request. Text in, answers out: the same for `weft explain` and for the page in a browser. */
import type { Finding } from "../base/finding.ts";
import { DEFAULT_TRUST_DOMAIN } from "../base/spiffe.ts";
import { hasErrors } from "../console/findings.ts";
import type { RequestLine, RequestSender } from "../console/values.ts";
import { readAsked } from "../proxy/run/read_asked.ts";
import { compile } from "../routing/compile/compile.ts";
import type { Plan } from "../routing/plan.ts";
import { DEFAULT_PORT } from "../routing/request.ts";
import { buildTable } from "../routing/table/build.ts";
import { explainAsked } from "../routing/table/explain.ts";
import { explainCall } from "../routing/table/explain_call.ts";
import type { CallExplanation, CallOrigin, Explanation } from "../routing/table/explanation.ts";
import { SplitState } from "../routing/table/split.ts";
import { type ManifestFile, parseManifests } from "../schemas/manifests.ts";
import type { ReadMemory } from "../schemas/read_memory.ts";
import type { Snapshot } from "../schemas/resources.ts";
import { expandWorkloads } from "../schemas/workloads.ts";

/** A request and who sends it. */
interface SentRequest extends RequestLine {
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly from: RequestSender;
}

/**
 * The plan of the text of manifests, with the pods that workloads would make.
 * @param memory of earlier readings with the same namespace
 */
export function compileText(
  files: readonly ManifestFile[],
  options: { readonly namespace: string; readonly permissive: boolean },
  memory: ReadMemory,
): { readonly plan: Plan; readonly snapshot: Snapshot; readonly findings: readonly Finding[] } {
  const read = parseManifests(files, { defaultNamespace: options.namespace }, memory);
  const snapshot = expandWorkloads(read.snapshot);
  const { plan, findings } = compile(snapshot, { permissive: options.permissive });
  return { plan, snapshot, findings: [...read.findings, ...findings] };
}

/** Where the first request of its kind goes, and why. */
export function explainRequestOf(plan: Plan, request: SentRequest): Explanation {
  const table = buildTable(plan, { ...request.from, seed: null });
  return explainAsked(table, readAsked(request), DEFAULT_PORT, new SplitState(table));
}

/**
 * What becomes of a request from outside the mesh to a Service of it, at the sidecars of the Service's own pods, where callers must come by
 * mutual TLS. Null: it comes to no pod.
 *
 * @param trustDomain of the mesh
 */
export function explainOutsideOf(
  plan: Plan,
  request: SentRequest,
  origin: CallOrigin,
  trustDomain = DEFAULT_TRUST_DOMAIN,
): CallExplanation | null {
  const { host, port } = explainRequestOf(plan, request);
  const id = `${host.service}:${port?.number}`;
  const endpoints = Object.hasOwn(plan.groups, id) ? plan.groups[id] : [];
  const explained = endpoints.map(({ identity, address, port, targetPort = port }) =>
    explainCall(
      plan,
      { caller: request.from.identity, destination: identity, port: targetPort },
      readAsked(request),
      { ...origin, pod: address || null, isStrict: true, trustDomain },
    )
  );
  // One that is refused says more than one that is not.
  return explained.find(({ outcome }) => outcome === "refuse") ?? explained[0] ?? null;
}

/** What of the Findings bears on a sender's request. */
export function findingsFor(findings: readonly Finding[], { namespace }: RequestSender): Finding[] {
  return findings.filter((finding) => hasErrors([finding]) || isPastMesh(finding, namespace));
}

/** A sender whose requests no sidecar sees gets nothing of what is explained. */
function isPastMesh({ code, resource }: Finding, namespace: string): boolean {
  return resource?.namespace === namespace &&
    (code === "workload-bypasses-mesh" || code === "workload-host-network");
}
