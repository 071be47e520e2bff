/** `weft policy`: who may call whom. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const policy = program.command("policy").summary("who may call whom in a cluster");
  addClusterOptions(
    policy.command("check-pods")
      .summary("whether one pod may call another")
      .description(
        "Asks the sidecar of the second pod by what it goes: whether traffic targets are enforced, and which let the ServiceAccount of the first " +
          "one in. For a single request: weft explain --pod DESTINATION --from NAMESPACE/SERVICEACCOUNT METHOD URL.\n\n" +
          "Exit code: 0 it may, 1 it may not, 2 usage.",
      )
      .argument("<source>", "[NAMESPACE/]NAME of the pod that calls")
      .argument("<destination>", "[NAMESPACE/]NAME of the pod that is called"),
    { namespace: "of pods that name none" },
  ).action(async (source, destination, options) => {
    const { checkPods } = await import("../pod/check_pods.ts");
    context.exitCode = await checkPods(source, destination, options, context.environment);
  });
}
