/** Options that `install` and `upgrade` share, and `upgrade` itself, which has two names. Grammar only. */
import type { Command, OptionValues } from "@commander-js/extra-typings";
import { collect } from "../../console/values.ts";
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext } from "../program.ts";

/** What {@link addValueOptions} adds. */
type Given = {
  timeout: string;
  image?: string | undefined;
  meshName?: string | undefined;
  set: readonly string[];
  values: readonly string[];
  atomic: boolean;
  dryRun: boolean;
};

export function addValueOptions<
  A extends unknown[],
  O extends OptionValues,
  G extends OptionValues,
>(
  command: Command<A, O, G>,
): Command<A, O & Given, G> {
  command
    .option("--timeout <time>", "how long to wait until it serves; 0s is no limit", "5m")
    .option("--image <image>", "of the controller and the sidecars")
    .option("--mesh-name <name>", "value of the label weft.dev/monitored-by")
    .option("--set <key=value>", "a value of the installation (repeat, or commas)", collect, [])
    .option("-f, --values <file>", "the same from a file in YAML (repeat)", collect, [])
    .option("--atomic", "if it fails, make all as it was before", false)
    .option("--dry-run", "print the manifests, and change nothing", false);
  // Of a command that is not known the parser cannot add to the types.
  return command as unknown as Command<A, O & Given, G>;
}

export function addUpgradeCommand(
  parent: Command<unknown[], OptionValues, OptionValues>,
  context: CommandContext,
): void {
  addClusterOptions(
    addValueOptions(
      parent.command("upgrade")
        .summary("bring an installation to the version of this executable")
        .description(
          "Applies what this version installs, with the values of the installation that is there; those that are given now count " +
            "before them. Sidecars stay as they are until their pods are made anew, and go on serving meanwhile.",
        )
        .option("--reset-values", "forget the values of the installation", false),
    ),
    { namespace: "of the control plane (default: where it is)" },
  )
    .action(async (options) => {
      const { upgrade } = await import("./install.ts");
      context.exitCode = await upgrade(options, context.environment);
    });
}
