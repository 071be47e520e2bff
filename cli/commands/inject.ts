/** `weft inject`: manifests with the sidecars that the webhook would give their pods. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  addClusterOptions(
    program.command("inject")
      .summary("add sidecars to manifests, as the cluster would")
      .description(
        "Prints manifests with a sidecar in each pod and pod template: Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, " +
          "Rollout, and Lists of them. The sidecars are those that the webhook gives to pods, and the webhook leaves alone what has one. Everything " +
          "else is printed as it is, with comments; what was injected before is not injected again.\n\n" +
          "What a mesh says of its sidecars comes from the cluster, or with --settings from a file, without a cluster:\n" +
          "  kubectl -n weft-system get configmap weft-injection -o 'jsonpath={.data.settings\\.json}'\n\n" +
          "Exit code: 0 done, 1 a pod would be refused or a manifest cannot be read (nothing is printed then), 2 usage.",
      )
      .usage("[options] PATH…")
      .argument("[path...]", "as -f")
      .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
      .option("-R, --recursive", "go into the directories of a directory", false)
      .option("--settings <file>", "what the mesh says of its sidecars, in place of the cluster")
      .addOption(
        program.createOption(
          "--native-sidecar <when>",
          "sidecars are init containers that restart always (default: as the mesh says)",
        ).choices(["auto", "always", "never"] as const),
      )
      .option("--uninject", "take the sidecars away again", false),
    { namespace: "of objects that name none" },
  )
    .action(async (paths, options) => {
      const { runInject } = await import("../inject/run.ts");
      context.exitCode = await runInject(paths, options, context.environment);
    });
}
