/** The work of `weft up`: options to a local mesh, and from there to the first stop signal. */
import type { DriverChoice } from "../proxy/config.ts";
import { causeText } from "../base/text.ts";
import type { Environment } from "../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../console/exit.ts";
import { hasErrors, renderFindings } from "../console/findings.ts";
import { tracingOf } from "../sidecar/tracing.ts";
import { parseHostPort, parseWhole } from "../console/values.ts";
import { LocalMesh, ManifestError } from "./mesh.ts";
import { UpReport } from "./report.ts";
import { answerPage } from "./page.ts";
import { leaveNote } from "./running.ts";
import {
  type LocalSettings,
  mergeSettings,
  NO_SETTINGS,
  parseSettings,
  SETTINGS_FILE,
  settingsOfFlags,
  unusedNames,
} from "./settings.ts";
import { resolveEndpoints } from "./workloads.ts";

/** What a shell says of a process that SIGHUP ended. */
const HANG_UP_EXIT_CODE = 129;

/** As written on the command line. */
interface UpOptions {
  readonly filename: readonly string[];
  readonly recursive: boolean;
  readonly namespace: string;
  readonly run: readonly string[];
  readonly endpoint: readonly string[];
  readonly port: string;
  readonly admin: string;
  readonly driver: DriverChoice;
  readonly egress: boolean;
  readonly enforceAccess: boolean;
  readonly quiet: boolean;
}

/** Runs until a stop signal. */
export async function runUp(
  paths: readonly string[],
  given: UpOptions,
  environment: Environment,
): Promise<ExitCode> {
  const options = { ...given, filename: [...given.filename, ...paths] };
  if (options.filename.length === 0) {
    throw usageFailure(
      "weft up takes manifests: files, directories, or - for standard input",
      "For example: weft up manifests/",
    );
  }
  const settings = await readSettings(options, environment);
  const port = parseWhole(options.port, 0, 65_000);
  const admin = options.admin === "off" ? null : parseHostPort(options.admin);
  const endpoints = await resolveEndpoints(settings.endpoints);
  const { startProxy } = await import("../proxy/run/start_proxy.ts");
  let stdin: Promise<string> | undefined;

  const report = new UpReport(environment.stdout, Date.now);
  const stopped = Promise.withResolvers<void>();
  let code: ExitCode = EXIT.ok;
  let takeNoteBack = () => {};
  const mesh: LocalMesh = new LocalMesh({
    source: {
      paths: options.filename,
      recursive: options.recursive,
      namespace: options.namespace,
      stdin: () => stdin ??= environment.readStdin(),
    },
    isEnforced: options.enforceAccess,
    runs: settings.runs,
    endpoints,
    startProxy,
    driver: options.driver,
    egress: options.egress,
    port,
    admin,
    reportRequests: !options.quiet,
    tracing: tracingOf({ sample: undefined, service: "weft" }, environment),
    onAdminRequest: (request) => answerPage(request, mesh, options.enforceAccess),
    onEvent(event) {
      report.onEvent(event);
      if (event.type === "clients-added") takeNoteBack = leaveNote(mesh.sidecars, environment);
      if (event.type !== "proxy-failed") return;
      code = EXIT.failed;
      stopped.resolve();
    },
  });
  const stopGuarding = killChildrenAtTheEnd(mesh, environment);
  let signals = 0;
  const stopListening = environment.onStopSignal(() => {
    // A second one does not wait for commands that take long to end.
    if (++signals > 1) mesh.kill();
    stopped.resolve();
    // Starting may be waiting for a command that never accepts.
    void mesh.stop();
  });
  try {
    await mesh.start();
    if (mesh.isStopped) return EXIT.ok;
    mesh.watch();
    noteUnusedNames(mesh, report, settings);
    report.banner(mesh);
    takeNoteBack = leaveNote(mesh.sidecars, environment);
    await stopped.promise;
    return code;
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    environment.stderr.write(renderFindings(environment.stderr, error.findings));
    return EXIT.failed;
  } finally {
    takeNoteBack();
    report.stop();
    await mesh.stop();
    stopListening();
    stopGuarding();
  }
}

/**
 * Whatever ends the process, no child is left behind: children have process groups of their own, which a terminal
 * that is closed does not reach. Without a terminal a hang-up is ignored here (nohup).
 */
function killChildrenAtTheEnd(mesh: LocalMesh, { stdout }: Environment): () => void {
  const kill = () => mesh.kill();
  const hangUp = () => {
    kill();
    // Nothing can be printed any more, so there is no orderly end.
    Deno.exit(HANG_UP_EXIT_CODE);
  };
  const hasHangUp = stdout.isTerminal && Deno.build.os !== "windows";
  globalThis.addEventListener("unload", kill);
  if (hasHangUp) Deno.addSignalListener("SIGHUP", hangUp);
  return () => {
    globalThis.removeEventListener("unload", kill);
    if (hasHangUp) Deno.removeSignalListener("SIGHUP", hangUp);
  };
}

function noteUnusedNames(mesh: LocalMesh, report: UpReport, settings: LocalSettings): void {
  const pods = mesh.pods.map(({ pod }) => ({ ...pod, pod: pod.name }));
  const workloads = [...new Set(pods.map(({ workload }) => workload))].sort().join(", ");
  for (const name of unusedNames(settings, pods)) {
    report.note(`No workload or pod is named "${name}" (there are: ${workloads})`);
  }
}

/**
 * The flags, and the settings files of the working directory and of the directories with manifests; the former count
 * before the latter.
 */
async function readSettings(options: UpOptions, environment: Environment): Promise<LocalSettings> {
  let settings = settingsOfFlags(options);
  const candidates = new Set([SETTINGS_FILE]);
  for (const path of options.filename) {
    candidates.add(`${path.replace(/[/\\]+$/, "")}/${SETTINGS_FILE}`.replace(/^\.\//, ""));
  }
  for (const file of candidates) {
    const parsed = await readSettingsFile(file);
    environment.stderr.write(renderFindings(environment.stderr, parsed.findings));
    if (hasErrors(parsed.findings)) throw new CommandFailure(`${file} has errors`);
    settings = mergeSettings(parsed.settings, settings);
  }
  return settings;
}

async function readSettingsFile(file: string): Promise<ReturnType<typeof parseSettings>> {
  try {
    return parseSettings(await Deno.readTextFile(file), file);
  } catch (error) {
    const isAbsent = error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory;
    if (isAbsent) return { settings: NO_SETTINGS, findings: [] };
    throw new CommandFailure(`Cannot read ${file}: ${causeText(error)}`);
  }
}
