/** The work of `weft proxy-init`: prints the steps, or takes them one after another. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../../console/exit.ts";
import { isOwnNamespace } from "./namespace.ts";
import { captureSettings, type IpVersion, type ProxyInitOptions } from "./settings.ts";
import { captureSteps, cleanSteps, renderScript, type Step } from "./steps.ts";

export async function runProxyInit(
  options: ProxyInitOptions,
  environment: Environment,
): Promise<ExitCode> {
  const { stdout } = environment;
  const settings = captureSettings(options);
  const versions: IpVersion[] = [];
  if (options.ipVersion !== "6") versions.push(4);
  if (options.ipVersion !== "4") versions.push(6);
  const steps = options.clean
    ? cleanSteps(versions, options.backend)
    : captureSteps(settings, versions, options.backend);
  if (options.dryRun) {
    stdout.write(renderScript(steps));
    return EXIT.ok;
  }
  const isAsked = options.yes || options.clean;
  if (!isAsked && !(await isOwnNamespace(environment))) {
    throw usageFailure(
      "This is no container: every TCP connection of the machine would be captured",
      `Add --yes where that is wanted; to undo it: ${
        undoOf(options)
      }. --dry-run shows what is done.`,
    );
  }
  for (const step of steps) await take(step);
  const of = versions.map((version) => `IPv${version}`).join(" and ");
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
