/** The work of `weft explain`: one request through manifests or a running proxy, to an explanation. */
import type { Finding } from "../../base/finding.ts";
import { parseIp } from "../../base/ip.ts";
import { explainOutsideOf, explainRequestOf, findingsFor } from "../../offline/answer.ts";
import type { CallExplanation, CallOrigin, Explanation } from "../../routing/table/explanation.ts";
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import type { MeshId } from "../../offline/compat/meshes.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import { askedText, parseHeaders, parseSender, type RequestLine } from "../../console/values.ts";
import type { InputOptions } from "../../sidecar/compile_input.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { askAdmin } from "./ask_admin.ts";
import { renderExplanation } from "./render.ts";
import { separateRequest } from "./separate.ts";

interface ExplainOptions extends ClusterOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly live: boolean;
  readonly pod?: string | undefined;
  readonly admin?: string | undefined;
  readonly header: readonly string[];
  readonly from?: string | undefined;
  readonly fromIp?: string | undefined;
  readonly serverName?: string | undefined;
  readonly enforceAccess: boolean;
  readonly egress: "on" | "off";
  readonly asMesh?: MeshId | undefined;
  readonly output: "text" | "json";
}

/** Ends with 0 if the request is forwarded, with 1 where it is refused or the manifests have errors. */
export async function explainRequest(
  words: readonly string[],
  options: ExplainOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { filename, live, pod, admin } = options;
  const { request, paths } = separateRequest(words, filename);
  if (
    [paths.length > 0, live, pod !== undefined, admin !== undefined].filter(Boolean).length !== 1
  ) {
    throw usageFailure(
      "weft explain needs -f PATH… (manifests), --live (a cluster), --pod POD (of a cluster), or --admin HOST:PORT (a running proxy)",
      `For example: weft explain ${askedText(request)} -f manifests/`,
    );
  }
  if (options.asMesh !== undefined && paths.length === 0) {
    throw usageFailure("--as-mesh is about manifests: name them with -f");
  }
  const { stdout, stderr } = environment;
  const answer = live
    ? await explainCluster(request, options, environment)
    : paths.length > 0
    ? await explainManifests(request, { ...options, filename: paths }, environment)
    : { explanation: await askRunning(request, options, environment), findings: [] };
  stderr.write(renderFindings(stderr, answer.findings));
  stdout.write(
    options.output === "json"
      ? `${JSON.stringify(answer.explanation, null, 2)}\n`
      : renderExplanation(stdout, request, answer.explanation),
  );
  const isGood = answer.explanation.outcome === "forward" && !hasErrors(answer.findings);
  return isGood ? EXIT.ok : EXIT.failed;
}

async function askRunning(
  request: RequestLine,
  options: ExplainOptions,
  environment: Environment,
): Promise<Explanation | CallExplanation> {
  const { pod, admin = "" } = options;
  if (pod === undefined) return await askProxy(admin, request, options);
  // Without a cluster nothing of its client is needed.
  const { withPodAdmin } = await import("../pod/with_pod.ts");
  return await withPodAdmin(pod, options, environment, (at) => askProxy(at, request, options));
}

/** What a person is told of a request that nothing has sent. */
interface Told {
  readonly explanation: Explanation | CallExplanation;
  readonly findings: readonly Finding[];
}

/** By what the cluster has at this moment, read from the API server. */
async function explainCluster(
  request: RequestLine,
  options: ExplainOptions,
  environment: Environment,
): Promise<Told> {
  const { withCluster } = await import("../cluster/with_cluster.ts");
  const { readClusterMesh } = await import("../cluster/cluster_mesh.ts");
  const { mesh, namespace } = await withCluster(options, environment, async (client) => ({
    mesh: await readClusterMesh(client),
    namespace: options.namespace ?? await client.namespace(),
  }));
  const permissive = mesh.permissive && !options.enforceAccess;
  const input = { ...mesh, paths: mesh.tree.paths, recursive: false, namespace, permissive };
  const { explanation, findings } = await explainInput(request, input, options, environment);
  // A cluster may have much that is wrong and has nothing to do with this request.
  const namespaces = "client" in explanation
    ? [explanation.client.namespace, explanation.host.service?.split("/")[0]]
    : [explanation.destination.split("/")[0]];
  const near = findings.filter(({ resource }) => namespaces.includes(resource?.namespace));
  return { explanation, findings: near };
}

async function explainManifests(
  request: RequestLine,
  options: ExplainOptions,
  environment: Environment,
): Promise<Told> {
  const { filename: paths, recursive, namespace = "default", enforceAccess } = options;
  const egress = options.egress === "on";
  const input = { paths, recursive, namespace, permissive: !enforceAccess, egress };
  return await explainInput(request, input, options, environment);
}

async function explainInput(
  request: RequestLine,
  input: InputOptions,
  options: ExplainOptions,
  environment: Environment,
): Promise<Told> {
  const sender = parseSender(options.from ?? input.namespace);
  const headers = parseHeaders(options.header, request);
  // YAML is not needed to ask a proxy.
  const { compileInput } = await import("../../sidecar/compile_input.ts");
  const { plan, snapshot, findings } = await compileInput(input, environment);
  const asked = { ...request, headers, from: sender };
  const origin = originOf(options);
  if (origin !== null) {
    const shown = options.from === undefined ? { ...sender, identity: "" } : sender;
    const explanation = explainOutsideOf(plan, { ...asked, from: shown }, origin);
    if (explanation !== null) return { explanation, findings: findingsFor(findings, sender) };
  }
  return {
    explanation: options.asMesh === undefined
      ? explainRequestOf(plan, asked)
      : await explainAs(options.asMesh, snapshot, input.permissive, asked),
    findings: findingsFor(findings, sender),
  };
}

/** Where outside the mesh it comes from; null: from within. */
function originOf({ fromIp, serverName, asMesh }: ExplainOptions): CallOrigin | null {
  if (fromIp === undefined) {
    if (serverName === undefined) return null;
    throw usageFailure("--server-name is of a caller outside the mesh: add --from-ip ADDRESS");
  }
  if (parseIp(fromIp) === null) throw usageFailure(`"${fromIp}" is not an IP address`);
  if (asMesh !== undefined) throw usageFailure("--as-mesh and --from-ip exclude each other");
  return { peer: fromIp, serverName: serverName?.toLowerCase() ?? null };
}

/** As another mesh would answer. */
async function explainAs(
  mesh: MeshId,
  snapshot: Snapshot,
  permissive: boolean,
  asked: Parameters<typeof explainRequestOf>[1],
): Promise<Explanation> {
  const { inStatusOf, viewAs } = await import("../../offline/compat/meshes.ts");
  const view = viewAs(mesh, snapshot, permissive);
  return inStatusOf(view, explainRequestOf(view.plan, asked));
}

function askProxy(
  admin: string,
  request: RequestLine,
  options: ExplainOptions,
): Promise<Explanation | CallExplanation> {
  const { header, from, enforceAccess } = options;
  if (enforceAccess) {
    throw usageFailure("A running proxy knows what it enforces: leave out --enforce-access");
  }
  // What cannot be a header is refused here, where the user sees it.
  const headers = parseHeaders(header, request).map((header) => header.join(": "));
  const caller = from === undefined ? null : parseSender(from).identity;
  return askAdmin(admin, request, headers, { caller, origin: originOf(options) });
}
