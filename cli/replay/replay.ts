/** The work of `weft replay`: a log through the plan of manifests, to what would become of its requests. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { renderFindings } from "../../console/findings.ts";
import { parseSender } from "../../console/values.ts";
import { compileInput } from "../../sidecar/compile_input.ts";
import { assumeEndpoints, errorsWithoutPods } from "../assume_endpoints.ts";
import { LogRouter } from "./log_router.ts";
import { readLog } from "./read_log.ts";
import { renderReplay } from "./render.ts";
import { buildReplayReport, isDifferent } from "./report.ts";
import { ReplayTally } from "./tally.ts";

interface ReplayOptions {
  readonly log?: string | undefined;
  readonly host?: string | undefined;
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
  readonly from?: string | undefined;
  readonly enforceAccess: boolean;
  readonly output: "text" | "json";
}

/** Ends with 0 where all requests go where they went, 1 where some do not, 3 where that cannot be told. */
export async function replayLog(
  paths: readonly string[],
  options: ReplayOptions,
  environment: Environment,
): Promise<ExitCode> {
  const filename = [...options.filename, ...paths];
  const { log } = options;
  if (log === undefined || filename.length === 0) {
    throw usageFailure(
      "weft replay takes a log and manifests",
      "For example: weft replay --log access.log -f manifests/",
    );
  }
  if (log === "-" && filename.includes("-")) {
    throw usageFailure("Standard input can be the log or manifests, not both");
  }
  const sender = parseSender(options.from ?? options.namespace);
  const { stdout, stderr } = environment;
  const { plan, findings } = await compileInput({
    paths: filename,
    recursive: options.recursive,
    namespace: options.namespace,
    permissive: !options.enforceAccess,
  }, environment);
  const errors = errorsWithoutPods(findings, plan);
  stderr.write(renderFindings(stderr, errors));
  const served = assumeEndpoints(plan);
  const tally = new ReplayTally();
  const counts = await readLog(log, options.host ?? null, (format) => {
    const router = new LogRouter(served, sender, format);
    return (request) => tally.take(request, router);
  }, environment).catch(undecided);
  tally.finish();
  const report = buildReplayReport(counts, tally);
  if (options.output === "json") stdout.line(JSON.stringify(report, null, 2));
  else stdout.write(renderReplay(stdout, report));
  if (counts.format === null) {
    throw new CommandFailure(`No line of "${log}" is of a format that is known`, {
      hint: "Known are weft's json and common, Envoy's default, nginx's combined, and FSM's.",
      exitCode: EXIT.undecided,
    });
  }
  if (errors.length > 0) return EXIT.undecided;
  return isDifferent(report) ? EXIT.failed : EXIT.ok;
}

/** For scripts 1 means that something differs. */
function undecided(error: unknown): never {
  if (!(error instanceof CommandFailure)) throw error;
  throw new CommandFailure(error.message, { hint: error.hint, exitCode: EXIT.undecided });
}
