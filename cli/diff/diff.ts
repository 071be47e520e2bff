/** The work of `weft diff`: two inputs to plans, plans to what differs, and that to one of its forms. */
import { errorsWithoutPods } from "../assume_endpoints.ts";
import type { Finding } from "../../base/finding.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { renderFindings } from "../../console/findings.ts";
import { parseSender } from "../../console/values.ts";
import type { MeshId } from "../../offline/compat/meshes.ts";
import type { Plan } from "../../routing/plan.ts";
import { comparePlans } from "../../routing/algebra/compare_plans.ts";
import { type CompiledInput, compileInput } from "../../sidecar/compile_input.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { CLUSTER_PREFIX } from "../cluster/cluster_tree.ts";
import { type DiffSide, diffSides, liveSides } from "./inputs.ts";
import { renderDiffMarkdown } from "./render_markdown.ts";
import { renderDiffText } from "./render_text.ts";
import { buildDiffReport } from "./report.ts";
import { type Traffic, weighTraffic } from "./traffic.ts";
import { renderSarif } from "./sarif.ts";

interface DiffOptions extends ClusterOptions {
  readonly live: boolean;
  readonly git?: string | undefined;
  readonly log?: string | undefined;
  readonly host?: string | undefined;
  readonly from?: string | undefined;
  readonly asMesh?: MeshId | undefined;
  readonly recursive: boolean;
  readonly namespace: string;
  readonly output: "text" | "json" | "markdown" | "sarif";
}

/** Ends with 0 where all requests are answered alike, 1 where some are not, 3 where that cannot be told. */
export async function diffManifests(
  words: readonly string[],
  options: DiffOptions,
  environment: Environment,
): Promise<ExitCode> {
  try {
    return await diff(words, options, environment);
  } catch (error) {
    // For scripts 1 means that something differs.
    if (!(error instanceof CommandFailure) || error.exitCode === EXIT.usage) throw error;
    throw new CommandFailure(error.message, { hint: error.hint, exitCode: EXIT.undecided });
  }
}

async function diff(
  words: readonly string[],
  options: DiffOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout, stderr } = environment;
  if (options.live && options.git !== undefined) {
    throw usageFailure("--live and --git exclude each other");
  }
  const [old, now] = options.live
    ? await liveSides(words, options, environment)
    : await diffSides(words, options.git);
  const before = await read(old, options, environment);
  const after = await read(now, options, environment);
  // What is wrong with the old side was so before; it counts as a mesh would take it.
  const oldErrors = errorsWithoutPods(before.findings, before.plan).filter((finding) =>
    !isAbsent(finding, old)
  );
  if (oldErrors.length > 0 && !options.live) {
    stderr.line(`weft: ${old.name} has errors; what they leave out is compared as left out`);
  }
  // What the cluster has is not what is being changed.
  const errors = errorsWithoutPods(after.findings, after.plan)
    .filter(({ position }) => position?.file.startsWith(CLUSTER_PREFIX) !== true);
  stderr.write(renderFindings(stderr, errors));
  const names = { before: old.name, after: now.name };
  const traffic = await trafficOf([before.plan, after.plan], options, environment);
  const report = buildDiffReport(names, comparePlans(before.plan, after.plan), traffic);
  if (options.output === "json") stdout.line(JSON.stringify(report, null, 2));
  else if (options.output === "sarif") stdout.line(renderSarif(report, errors));
  else if (options.output === "markdown") stdout.write(renderDiffMarkdown(report, errors));
  else stdout.write(renderDiffText(stdout, report));
  if (errors.length > 0) return EXIT.undecided;
  return { alike: EXIT.ok, different: EXIT.failed, undecided: EXIT.undecided }[report.verdict];
}

async function read(
  { paths, tree }: DiffSide,
  { recursive, namespace, asMesh }: DiffOptions,
  environment: Environment,
): Promise<CompiledInput> {
  // Targets count as enforced, so that they can be compared.
  const options = { paths, recursive, namespace, permissive: false };
  const input = await compileInput(
    tree === undefined ? options : { ...options, tree },
    environment,
  );
  if (asMesh === undefined) return input;
  const { viewAs } = await import("../../offline/compat/meshes.ts");
  return { ...input, plan: viewAs(asMesh, input.snapshot, false).plan };
}

async function trafficOf(
  plans: readonly [Plan, Plan],
  { log, host, from, namespace }: DiffOptions,
  environment: Environment,
): Promise<Traffic | null> {
  if (log === undefined) {
    if (host === undefined && from === undefined) return null;
    throw usageFailure("--host and --from are about a log", "Add --log FILE.");
  }
  const sender = parseSender(from ?? namespace);
  const traffic = await weighTraffic(plans, { log, host: host ?? null, sender }, environment);
  if (traffic.format !== null) return traffic;
  throw new CommandFailure(`No line of "${log}" is of a format that is known`, {
    hint: "`weft help replay` lists the formats.",
  });
}

/** A revision without the path: all of it is new. */
function isAbsent({ code, message }: Finding, { tree }: DiffSide): boolean {
  return tree !== undefined && code === "source-unreadable" &&
    message.startsWith("There is no such file");
}
