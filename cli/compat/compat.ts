/** The work of `weft compat`: manifests as another mesh treats them, against what Weft does with them. */
import { formatPosition } from "../../base/finding.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { renderFindings } from "../../console/findings.ts";
import type { Output } from "../../console/output.ts";
import { foldText, printable } from "../../console/text.ts";
import { type MeshId, viewAs } from "../../offline/compat/meshes.ts";
import { comparePlans } from "../../routing/algebra/compare_plans.ts";
import { compileInput } from "../../sidecar/compile_input.ts";
import { errorsWithoutPods } from "../assume_endpoints.ts";
import { renderDiffText } from "../diff/render_text.ts";
import { buildDiffReport, type ChangedRequests, type DiffReport } from "../diff/report.ts";

interface CompatOptions {
  readonly as: MeshId;
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
  readonly enforceAccess: boolean;
  readonly output: "text" | "json";
}

/** What a move changes: `before` is the other mesh. */
interface CompatReport extends Omit<DiffReport, "kind"> {
  readonly kind: "Compat";
  /** What differs beside routes, or cannot be said of single requests. */
  readonly remarks: ReturnType<typeof viewAs>["remarks"];
}

/** Ends with 0 where all requests are answered alike, 1 where some are not, 3 where that cannot be told. */
export async function compatManifests(
  words: readonly string[],
  options: CompatOptions,
  environment: Environment,
): Promise<ExitCode> {
  const paths = [...options.filename, ...words];
  if (paths.length === 0) {
    throw usageFailure(
      "weft compat takes manifests: files, directories, or - for standard input",
      `For example: weft compat --as ${options.as} manifests/`,
    );
  }
  const { recursive, namespace, enforceAccess } = options;
  const permissive = !enforceAccess;
  const { stdout, stderr } = environment;
  const { plan, snapshot, findings } = await compileInput(
    { paths, recursive, namespace, permissive },
    environment,
  );
  const errors = errorsWithoutPods(findings, plan);
  stderr.write(renderFindings(stderr, errors));
  if (errors.length > 0) {
    throw new CommandFailure("What has errors is not compared", {
      hint: "Mend the manifests first: what the other mesh makes of a mistake is not known.",
      exitCode: EXIT.undecided,
    });
  }
  const view = viewAs(options.as, snapshot, permissive);
  const names = { before: view.name, after: "Weft" };
  // One that reads no targets allows every call: there is nothing to compare with.
  const before = view.readsTargets ? view.plan : { ...view.plan, targets: plan.targets };
  const compared = buildDiffReport(names, comparePlans(before, plan), null);
  const diff = { ...compared, requests: compared.requests.map((each) => withStatus(each, view)) };
  const report: CompatReport = { ...diff, kind: "Compat", remarks: view.remarks };
  if (options.output === "json") stdout.line(JSON.stringify(report, null, 2));
  else {
    stdout.write(renderDiffText(stdout, diff, [view.name.toUpperCase(), "WEFT"]));
    stdout.write(renderRemarks(stdout, report));
  }
  return { alike: EXIT.ok, different: EXIT.failed, undecided: EXIT.undecided }[diff.verdict];
}

/** The other mesh refuses in its own way. */
function withStatus(
  changed: ChangedRequests,
  { noRuleStatus }: ReturnType<typeof viewAs>,
): ChangedRequests {
  if (changed.before.answered !== "no-rule") return changed;
  const backends = changed.backends.map((each) =>
    each.before > 0 ? { ...each, backend: `the proxy: ${noRuleStatus}` } : each
  );
  return { ...changed, backends };
}

const REMARK_INDENT = 4;

function renderRemarks(output: Output, { remarks, before }: CompatReport): string {
  if (remarks.length === 0) return "";
  const width = (output.columns ?? Infinity) - REMARK_INDENT;
  const lines = remarks.flatMap(({ code, text, position }) => [
    `  ${output.style("strong", code)}${
      position === null ? "" : ` ${printable(formatPosition(position))}`
    }`,
    ...foldText(printable(text), width).map((line) => `${" ".repeat(REMARK_INDENT)}${line}`),
  ]);
  return `\n${output.style("strong", `What else ${before} does otherwise`)}\n${lines.join("\n")}\n`;
}
