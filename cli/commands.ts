/**
 * The list of commands. A command's file is imported only when the command is named, or when all are needed for
 * help or completion.
 */
import type { CommandModule } from "./program.ts";

/** In the order of `weft help`. */
export const COMMANDS = {
  "demo": () => import("./commands/demo.ts"),
  "up": () => import("./commands/up.ts"),
  "request": () => import("./commands/request.ts"),
  "dry-run": () => import("./commands/dry_run.ts"),
  "explain": () => import("./commands/explain.ts"),
  "playground": () => import("./commands/playground.ts"),
  "diff": () => import("./commands/diff.ts"),
  "compat": () => import("./commands/compat.ts"),
  "convert": () => import("./commands/convert.ts"),
  "replay": () => import("./commands/replay.ts"),
  "tap": () => import("./commands/tap.ts"),
  "proxy": () => import("./commands/proxy.ts"),
  "proxy-init": () => import("./commands/proxy_init.ts"),
  "proxy-wait": () => import("./commands/proxy_wait.ts"),
  "controller": () => import("./commands/controller.ts"),
  "install": () => import("./commands/install.ts"),
  "upgrade": () => import("./commands/upgrade.ts"),
  "uninstall": () => import("./commands/uninstall.ts"),
  "mesh": () => import("./commands/mesh.ts"),
  "namespace": () => import("./commands/namespace.ts"),
  "inject": () => import("./commands/inject.ts"),
  "certificate": () => import("./commands/certificate.ts"),
  "check": () => import("./commands/check.ts"),
  "metrics": () => import("./commands/metrics.ts"),
  "policy": () => import("./commands/policy.ts"),
  "support": () => import("./commands/support.ts"),
  "status": () => import("./commands/status.ts"),
  "top": () => import("./commands/top.ts"),
  "edges": () => import("./commands/edges.ts"),
  "completion": () => import("./commands/completion.ts"),
  "version": () => import("./commands/version.ts"),
} as const satisfies Record<string, () => Promise<CommandModule>>;

type CommandName = keyof typeof COMMANDS;

/** True if `text` names a command. */
function isCommandName(text: string): text is CommandName {
  return Object.hasOwn(COMMANDS, text);
}

/** The modules that a command line needs: the one it names, or all of them for help and suggestions. */
export function modulesFor(argv: readonly string[]): Promise<CommandModule[]> {
  // What a completion script calls; it is not offered to people.
  const name = argv[0] === "complete" ? "completion" : argv[0];
  const loaders: readonly (() => Promise<CommandModule>)[] =
    name !== undefined && isCommandName(name) ? [COMMANDS[name]] : Object.values(COMMANDS);
  return Promise.all(loaders.map((load) => load()));
}
