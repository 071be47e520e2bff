/** The work of `weft proxy-init`: prints the steps, or takes them one after another. */
import type { IpVersion } from "../../base/capture_lists.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { isOwnNamespace } from "./namespace.ts";
import { captureSettings, type ProxyInitOptions } from "./settings.ts";
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
  const stepsOf = (version: IpVersion) =>
    options.clean
      ? cleanSteps(version, options.backend)
      : captureSteps(settings, version, options.backend);
  if (options.dryRun) {
    stdout.write(renderScript(versions.flatMap(stepsOf)));
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
  for (const version of versions) {
    if (await takeAll(stepsOf(version), options.ipVersion === "both" && version === 6)) {
      done.push(version);
    }
  }
  const of = done.map((version) => `IPv${version}`).join(" and ");
  stdout.line(
    options.clean
      ? `Capture of ${of} removed`
      : `Capture of ${of}: outbound to ${settings.outbound.listenerPort}, ` +
        `inbound to ${settings.inbound.listenerPort}, except of uid ${settings.proxyUid}`,
  );
  if (!options.clean) stdout.line(`To undo it: ${undoOf(options)}`);
  return EXIT.ok;
}

/** The command that takes the same rules away. */
function undoOf({ ipVersion, backend }: ProxyInitOptions): string {
  const version = ipVersion === "both" ? "" : ` --ip-version ${ipVersion}`;
  const program = backend === "default" ? "" : ` --backend ${backend}`;
  return `weft proxy-init --clean${version}${program}`;
}

/** False: they failed, and `mayFail` where nothing here has IPv6, so nothing is missed. */
async function takeAll(steps: readonly Step[], mayFail: boolean): Promise<boolean> {
  try {
    for (const step of steps) await take(step);
    return true;
  } catch (error) {
    if (mayFail && error instanceof CommandFailure && !hasIpv6()) return false;
    throw error;
  }
}

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
    return "Try --backend legacy or --backend nft, or --ip-version 4 where the kernel has no IPv6.";
  }
  return "";
}
