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
  const whoCan = policy.command("who-can")
    .summary("which callers may call a Service, and what they may ask of it")
    .description(
      "Lists, for each port of a Service, the ServiceAccounts that traffic targets let in where calls of it lead, what each may do, and by " +
        "which target; and whom IngressBackends let in from outside the mesh. It reads the cluster, or with -f manifests, and says what would be so if targets were enforced where they are not. Why a " +
        "single request is refused says weft explain --enforce-access --from NAMESPACE/SERVICEACCOUNT METHOD URL.\n\n" +
        "Exit code: 0 some caller may, 1 none may, 2 usage.",
    )
    .argument("<service>", "[NAMESPACE/]NAME of the Service")
    .option(
      "-f, --filename <path...>",
      "manifests in place of the cluster: files or directories",
      [],
    )
    .option("-R, --recursive", "go into the directories of a directory", false)
    .addOption(
      program.createOption("-o, --output <format>", "how it is printed")
        .choices(["text", "json"] as const).default("text" as const),
    );
  addClusterOptions(whoCan, { namespace: "of a Service that names none" })
    .action(async (service, options) => {
      const { whoCan } = await import("../policy/who_can.ts");
      context.exitCode = await whoCan(service, options, context.environment);
    });
}
