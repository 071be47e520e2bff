/** The work of `weft dry-run`: input to report, report to one of its forms, Findings to an exit code. */
import { stringify } from "yaml";
import { checkRules } from "../../routing/algebra/check_rules.ts";
import { encodePlan } from "../../routing/plan_codec.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { type CompiledInput, compileInput } from "../../sidecar/compile_input.ts";
import { hasErrors, renderFindings } from "../../console/findings.ts";
import { parseAsked, parseHeaders, parseSender, parseWhole } from "../../console/values.ts";
import { renderReport } from "./render.ts";
import { buildReport } from "./report.ts";
import { simulate, type SimulatedRequest } from "../../offline/simulate.ts";
import { REQUEST_COUNT_MAX } from "../limits.ts";

interface DryRunOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
  readonly output: "table" | "json" | "yaml" | "plan";
  readonly request?: string | undefined;
  readonly header: readonly string[];
  readonly count: string;
  readonly from?: string | undefined;
  readonly enforceAccess: boolean;
  readonly egress: "on" | "off";
}

/** Ends with 1 where the manifests have errors, and where the proxy refuses a request that is asked about. */
export async function dryRun(
  paths: readonly string[],
  options: DryRunOptions,
  environment: Environment,
): Promise<ExitCode> {
  const filename = [...options.filename, ...paths];
  if (filename.length === 0) {
    throw usageFailure(
      "weft dry-run takes manifests: files, directories, or - for standard input",
      "For example: weft dry-run manifests/",
    );
  }
  const request = requestOf(options);
  const compiled = await compileInput({
    paths: filename,
    recursive: options.recursive,
    namespace: options.namespace,
    permissive: !options.enforceAccess,
    egress: options.egress === "on",
    // A plan is for `weft proxy` on this machine, so it is the one that `weft proxy -f` would make.
    isForProxy: options.output === "plan",
  }, environment);
  const { plan, findings } = compiled;
  const input = { ...compiled, findings: [...findings, ...checkRules(plan, findings)] };
  const { stdout, stderr } = environment;
  let isRefused = false;
  if (options.output === "plan") {
    stderr.write(renderFindings(stderr, input.findings));
    const flaw = flawOf(input);
    // A proxy would serve it, and answer 404 to whatever is not in it.
    if (flaw !== null) throw new CommandFailure(`No plan is printed: ${flaw}`);
    stdout.line(encodePlan(input.plan));
  } else {
    const simulation = request === undefined ? undefined : simulate(input.plan, request);
    isRefused = simulation !== undefined && simulation.refusals.length > 0;
    const report = buildReport(input, simulation);
    if (options.output === "json") stdout.line(JSON.stringify(report, null, 2));
    else if (options.output === "yaml") {
      stdout.write(stringify(report, { aliasDuplicateObjects: false }));
    } else stdout.write(renderReport(stdout, report));
  }
  return isRefused || hasErrors(input.findings) ? EXIT.failed : EXIT.ok;
}

/** Why the input comes to no plan that a proxy should have; null: it does. */
function flawOf({ findings, plan }: CompiledInput): string | null {
  if (hasErrors(findings)) return "the input has errors";
  return plan.services.length === 0 ? "the input has no Service" : null;
}

function requestOf(options: DryRunOptions): SimulatedRequest | undefined {
  const count = parseWhole(options.count, 1, REQUEST_COUNT_MAX);
  const from = parseSender(options.from ?? options.namespace);
  if (options.request === undefined) {
    if (options.header.length === 0 && options.from === undefined && count === 1) return undefined;
    throw usageFailure(
      "--header, --from and --count are about a request",
      "Add --request 'METHOD URL'.",
    );
  }
  if (options.output === "plan") throw usageFailure("-o plan takes no --request");
  const request = parseAsked(options.request);
  return { ...request, headers: parseHeaders(options.header, request), from, count };
}
