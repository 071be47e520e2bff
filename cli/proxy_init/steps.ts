/** The calls of iptables that put rules in force or take them away, in order, and the same calls as a shell script. */
import { captureDocument, cleanDocument, JUMPS } from "./rules.ts";
import type { IpVersion } from "../../base/capture_lists.ts";
import type { CaptureSettings, IptablesBackend } from "./settings.ts";
import { LOCK_WAIT_SECONDS } from "../limits.ts";

/** One thing to do. */
export type Step =
  /** Runs a program with the text as its input. */
  | { readonly kind: "restore"; readonly command: readonly string[]; readonly input: string }
  /** Runs `command` where `check` fails: what is there already is left alone. */
  | {
    readonly kind: "ensure";
    readonly check: readonly string[];
    readonly command: readonly string[];
  }
  /** Runs `command` as often as `check` succeeds: takes away every copy. */
  | {
    readonly kind: "remove";
    readonly check: readonly string[];
    readonly command: readonly string[];
  };

/** Chains first and the jumps to them last, so that nothing is ever half captured. */
export function captureSteps(
  settings: CaptureSettings,
  version: IpVersion,
  backend: IptablesBackend,
): Step[] {
  return [
    restoreStep(version, backend, captureDocument(settings, version)),
    ...JUMPS.map((jump): Step => ({
      kind: "ensure",
      check: iptables(version, backend, "-C", jump),
      command: iptables(version, backend, "-A", jump),
    })),
  ];
}

/** The other way round: the jumps first. */
export function cleanSteps(version: IpVersion, backend: IptablesBackend): Step[] {
  return [
    ...JUMPS.map((jump): Step => ({
      kind: "remove",
      check: iptables(version, backend, "-C", jump),
      command: iptables(version, backend, "-D", jump),
    })),
    restoreStep(version, backend, cleanDocument()),
  ];
}

/** The steps as a script for `sh -e`. */
export function renderScript(steps: readonly Step[]): string {
  return steps.map((step) => {
    const command = step.command.join(" ");
    switch (step.kind) {
      case "restore":
        return `${command} <<'END'\n${step.input}END\n`;
      case "ensure":
        return `${step.check.join(" ")} 2>/dev/null || ${command}\n`;
      case "remove":
        return `while ${step.check.join(" ")} 2>/dev/null; do ${command}; done\n`;
    }
  }).join("");
}

function restoreStep(version: IpVersion, backend: IptablesBackend, input: string): Step {
  const program = `${programOf(version, backend)}-restore`;
  return { kind: "restore", command: [program, "--noflush", "-w", `${LOCK_WAIT_SECONDS}`], input };
}

function iptables(
  version: IpVersion,
  backend: IptablesBackend,
  action: "-A" | "-C" | "-D",
  rule: readonly string[],
): string[] {
  const program = programOf(version, backend);
  return [program, "-w", `${LOCK_WAIT_SECONDS}`, "-t", "nat", action, ...rule];
}

/** The program of one IP version. */
export function programOf(version: IpVersion, backend: IptablesBackend): string {
  const program = version === 4 ? "iptables" : "ip6tables";
  return backend === "default" ? program : `${program}-${backend}`;
}
