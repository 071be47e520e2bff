/** The work of `weft explain`: one request through manifests or a running proxy, to an explanation. */
import type { Finding } from "../../base/finding.ts";
import { explainRequestOf, findingsFor } from "../../offline/answer.ts";
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import type { Environment } from "../../console/environment.ts";
import { EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import { askedText, parseHeaders, parseSender, type RequestLine } from "../../console/values.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { askAdmin } from "./ask_admin.ts";
import { renderExplanation } from "./render.ts";
import { separateRequest } from "./separate.ts";

interface ExplainOptions extends ClusterOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly pod?: string | undefined;
  readonly admin?: string | undefined;
  readonly header: readonly string[];
  readonly from?: string | undefined;
  readonly enforceAccess: boolean;
  readonly output: "text" | "json";
}

/** Ends with 0 if the request is forwarded, with 1 where it is refused or the manifests have errors. */
export async function explainRequest(
  words: readonly string[],
  options: ExplainOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { filename, pod, admin } = options;
  const { request, paths } = separateRequest(words, filename);
  if ([paths[0], pod, admin].filter((each) => each !== undefined).length !== 1) {
    throw usageFailure(
      "weft explain needs -f PATH… (manifests), --pod POD (in a cluster), or --admin HOST:PORT (a running proxy)",
      `For example: weft explain ${askedText(request)} -f manifests/`,
    );
  }
  const { stdout, stderr } = environment;
  const answer = paths.length > 0
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

async function explainManifests(
  request: RequestLine,
  options: ExplainOptions,
  environment: Environment,
): Promise<{ explanation: Explanation; findings: readonly Finding[] }> {
  const namespace = options.namespace ?? "default";
  const sender = parseSender(options.from ?? namespace);
  const headers = parseHeaders(options.header, request);
  // YAML is not needed to ask a proxy.
  const { compileInput } = await import("../../sidecar/compile_input.ts");
  const { plan, findings } = await compileInput({
    paths: options.filename,
    recursive: options.recursive,
    namespace,
    permissive: !options.enforceAccess,
  }, environment);
  return {
    explanation: explainRequestOf(plan, { ...request, headers, from: sender }),
    findings: findingsFor(findings, sender),
  };
}

function askProxy(
  admin: string,
  request: RequestLine,
  { header, from, enforceAccess }: ExplainOptions,
): Promise<Explanation | CallExplanation> {
  if (enforceAccess) {
    throw usageFailure("A running proxy knows what it enforces: leave out --enforce-access");
  }
  // What cannot be a header is refused here, where the user sees it.
  const headers = parseHeaders(header, request).map((header) => header.join(": "));
  return askAdmin(admin, request, headers, from === undefined ? null : parseSender(from).identity);
}
