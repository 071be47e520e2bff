/** The work of `weft proxy-init`: prints the steps, or takes them one after another. */
import type { IpVersion } from "../../base/capture_lists.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { isOwnNamespace } from "./namespace.ts";
import { captureSettings, type IptablesBackend, type ProxyInitOptions } from "./settings.ts";
import { captureSteps, cleanSteps, programOf, renderScript, type Step } from "./steps.ts";

export async function runProxyInit(
  options: ProxyInitOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const settings = captureSettings(options);
  const versions: IpVersion[] = [];
  if (options.ipVersion !== "6") versions.push(4);
  if (options.ipVersion !== "4") versions.push(6);
  const stepsOf = (version: IpVersion, backend: IptablesBackend) =>
    options.clean ? cleanSteps(version, backend) : captureSteps(settings, version, backend);
  if (options.dryRun) {
    const steps = versions.flatMap((version) => stepsOf(version, options.backend));
    stdout.write(renderScript(steps));
    return EXIT.ok;
  }
  const isAsked = options.yes || options.clean;
  const programs = versions.map((version) => programOf(version, options.backend));
  if (!isAsked && !(await isOwnNamespace(environment, programs))) {
    throw usageFailure(
      "This is the network of a machine, or of a pod on its node's: every TCP connection of the machine would be captured",
      `Add --yes where that is wanted; to undo it: ${
        undoOf(options)
      }. --dry-run shows what is done.`,
    );
  }
  const done: IpVersion[] = [];
  const backends = new Set<IptablesBackend>();
  for (const version of versions) {
    const mayFail = options.ipVersion === "both" && version === 6 && !hasIpv6();
    const used = await takeByAny((each) => stepsOf(version, each), options.backend, mayFail);
    if (used === null) continue;
    done.push(version);
    backends.add(used);
  }
  const of = done.map((version) => `IPv${version}`).join(" and ");
  stdout.line(
    options.clean
      ? `Capture of ${of} removed`
      : `Capture of ${of}: outbound to ${settings.outbound.listenerPort}, ` +
        `inbound to ${settings.inbound.listenerPort}, except of uid ${settings.proxyUid}`,
  );
  if (!options.clean) {
    const commands = [...backends].map((backend) => undoOf({ ...options, backend }));
    stdout.line(`To undo it: ${commands.join(" && ")}`);
  }
  return EXIT.ok;
}

/** The command that takes the same rules away. */
function undoOf({ ipVersion, backend }: ProxyInitOptions): string {
  const version = ipVersion === "both" ? "" : ` --ip-version ${ipVersion}`;
  const program = backend === "default" ? "" : ` --backend ${backend}`;
  return `weft proxy-init --clean${version}${program}`;
}

/** What is tried where the system's own choice does not work: a kernel may have the tables of one of them only. */
const OTHER_BACKENDS: readonly IptablesBackend[] = ["legacy", "nft"];

/** By which backend the steps were taken; null: by none, where they `mayFail`. */
async function takeByAny(
  stepsOf: (backend: IptablesBackend) => readonly Step[],
  wanted: IptablesBackend,
  mayFail: boolean,
): Promise<IptablesBackend | null> {
  const failures: unknown[] = [];
  for (const backend of wanted === "default" ? [wanted, ...OTHER_BACKENDS] : [wanted]) {
    try {
      for (const step of stepsOf(backend)) await take(step);
      return backend;
    } catch (error) {
      failures.push(error);
      if (!(error instanceof CommandFailure && error.hint === BACKEND_HINT)) break;
    }
  }
  if (mayFail && failures[0] instanceof CommandFailure) return null;
  throw failures[0];
}

const BACKEND_HINT =
  "Try --backend legacy or --backend nft, or --ip-version 4 where the kernel has no IPv6.";

/** Whether anything in this network namespace can be reached by IPv6. */
function hasIpv6(): boolean {
  return Deno.networkInterfaces().some(({ family, address }) =>
    family === "IPv6" && !/^(::1$|fe80:)/i.test(address)
  );
}

async function take(step: Step): Promise<void> {
  switch (step.kind) {
    case "restore":
      return await insist(step.command, step.input);
    case "ensure":
      if ((await call(step.check)).code !== 0) await insist(step.command);
      return;
    case "remove":
      while ((await call(step.check)).code === 0) await insist(step.command);
  }
}

async function insist(command: readonly string[], input = ""): Promise<void> {
  const { code, complaint } = await call(command, input);
  if (code === 0) return;
  throw new CommandFailure(`Cannot set up capture: ${command[0]}: ${complaint}`, {
    hint: hintFor(complaint),
  });
}

async function call(
  [program, ...args]: readonly string[],
  input = "",
): Promise<{ code: number; complaint: string }> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(program, { args, stdin: "piped", stdout: "null", stderr: "piped" })
      .spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CommandFailure(`Cannot set up capture: ${program} is not installed`, {
      hint: "Install iptables, or see with --dry-run what would be run.",
    });
  }
  const feeding = feed(child, input);
  const { code, stderr } = await child.output();
  await feeding;
  const [complaint] = new TextDecoder().decode(stderr).trim().split("\n");
  return { code, complaint: complaint === "" ? `exit code ${code}` : complaint };
}

async function feed(child: Deno.ChildProcess, input: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(input));
    await writer.close();
  } catch {
    // It ended without reading all of it, and its exit code says why.
  }
}

function hintFor(complaint: string): string {
  if (/permission|not permitted|must be root/i.test(complaint)) {
    return "It takes root and the capability NET_ADMIN.";
  }
  if (/table|protocol|address family|initialize/i.test(complaint)) {
    return BACKEND_HINT;
  }
  return "";
}
