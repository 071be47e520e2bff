/** The work of `weft convert`: manifests to their plan, the plan to manifests of the other form, and whether those route alike. */
import { stringify } from "yaml";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import type { Output } from "../../console/output.ts";
import { printable } from "../../console/text.ts";
import { counted } from "../../base/text.ts";
import {
  comparePlans,
  type PlanComparison,
  type PortDifference,
} from "../../routing/algebra/compare_plans.ts";
import type { PortAnswer } from "../../routing/algebra/compare_ports.ts";
import { witnessText } from "../../routing/algebra/witness.ts";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import type { Snapshot } from "../../schemas/resources.ts";
import { compileInput } from "../../sidecar/compile_input.ts";
import { CONVERT_CHANGES_SHOWN } from "../limits.ts";
import type { Conversion } from "./conversion.ts";
import { toGatewayApi } from "./to_gateway_api.ts";
import { toSmi } from "./to_smi.ts";

interface ConvertOptions {
  readonly to?: "gateway-api" | "smi" | undefined;
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
}

export async function convert(
  paths: readonly string[],
  options: ConvertOptions,
  environment: Environment,
): Promise<ExitCode> {
  const filename = [...options.filename, ...paths];
  if (options.to === undefined || filename.length === 0) {
    throw usageFailure(
      "weft convert takes what to write, and manifests",
      "For example: weft convert --to gateway-api -f manifests/",
    );
  }
  const { recursive, namespace } = options;
  const input = { paths: filename, recursive, namespace, permissive: false };
  const { plan, snapshot, findings } = await compileInput(input, environment);
  const { stdout, stderr } = environment;
  if (hasErrors(findings)) {
    stderr.write(renderFindings(stderr, findings.filter((each) => hasErrors([each]))));
    throw new CommandFailure("Nothing is written: the manifests have errors");
  }
  const conversion = options.to === "smi" ? toSmi(plan, snapshot) : toGatewayApi(plan, snapshot);
  if (conversion.manifests.length === 0) {
    const what = options.to === "smi" ? "routes of the Gateway API" : "splits";
    throw new CommandFailure(`Nothing is written: the manifests have no ${what} of a Service`);
  }
  const text = conversion.manifests
    .map((each) => stringify(each, { aliasDuplicateObjects: false })).join("---\n");
  stdout.write(text);
  for (const note of conversion.notes) stderr.line(printable(note));
  const after = snapshotAfter(snapshot, conversion, text);
  return tellProof(stderr, comparePlans(plan, compile(after, { permissive: false }).plan));
}

/** The input with what was written in place of what it was written from. */
function snapshotAfter(before: Snapshot, { replaced }: Conversion, text: string): Snapshot {
  const { snapshot, findings } = parseManifests([{ name: "converted", text }]);
  const wrong = findings.find((each) => hasErrors([each]));
  if (wrong !== undefined) {
    throw new RangeError(`What was written cannot be read: ${wrong.message}`);
  }
  const left = <T>(all: readonly T[]) => all.filter((each) => !replaced.has(each));
  return {
    ...before,
    trafficSplits: [...left(before.trafficSplits), ...snapshot.trafficSplits],
    httpRouteGroups: [...before.httpRouteGroups, ...snapshot.httpRouteGroups],
    gatewayRoutes: [...left(before.gatewayRoutes), ...snapshot.gatewayRoutes],
  };
}

function tellProof(output: Output, { ports, isComplete }: PlanComparison): ExitCode {
  const changed = ports.filter(({ changes }) => changes.length > 0);
  const total = changed.reduce((sum, { changes }) => sum + changes.length, 0);
  if (total === 0 && isComplete) {
    output.line("Proved: every request gets the same backends, in the same shares");
    return EXIT.ok;
  }
  if (total > 0) {
    output.line(`${counted(total, "kind")} of requests answered otherwise; the shortest of each:`);
    const lines = changed.flatMap(linesOf);
    for (const line of lines.slice(0, CONVERT_CHANGES_SHOWN)) output.line(printable(line));
    const more = lines.length - CONVERT_CHANGES_SHOWN;
    if (more > 0) output.line(`  and ${more} more`);
  }
  if (!isComplete) output.line("Not decided for all requests: the rules are too many to compare");
  return EXIT.failed;
}

function linesOf({ host, consumers, changes }: PortDifference): string[] {
  const from = consumers === undefined ? "" : ` from namespace ${consumers}`;
  return changes.map(({ witness, before, after }) => {
    const request = witness === null ? "a connection" : witnessText(witness);
    return `  ${host}${from}: ${request}: ${answerText(before)} -> ${answerText(after)}`;
  });
}

function answerText({ shares, policy }: PortAnswer): string {
  const told = shares.map(({ backend, share }) =>
    shares.length === 1 ? backend : `${backend} ${(100 * share).toFixed(1)}%`
  );
  const sections = Object.keys(policy?.sources ?? {});
  const done = sections.length === 0 ? "" : ` (${sections.join(", ")})`;
  return (told.join(", ") || "503") + done;
}
