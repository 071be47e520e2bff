/** `weft namespace`: which namespaces of a cluster are in the mesh. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const namespace = program.command("namespace")
    .summary("put namespaces of a cluster into the mesh, or take them out")
    .description(
      "A namespace is in a mesh if its label weft.dev/monitored-by has the mesh's name. Pods that are made in it from then on get a " +
        "sidecar, unless its annotation weft.dev/sidecar-injection is `disabled`.",
    );
  namespace.command("add")
    .summary("put namespaces into the mesh")
    .argument("<namespace...>", "names")
    .option("--mesh-name <name>", "which mesh", "weft")
    .option("--disable-sidecar-injection", "its pods get no sidecars", false)
    .option("--kubeconfig <file>", "how to reach the API server")
    .option("--context <name>", "of the kubeconfig (default: its current one)")
    .action(async (names, options) => {
      const { addNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await addNamespaces(names, options, context.environment);
    });
  namespace.command("remove")
    .summary("take namespaces out of the mesh")
    .argument("<namespace...>", "names")
    .option("--mesh-name <name>", "which mesh", "weft")
    .option("--kubeconfig <file>", "how to reach the API server")
    .option("--context <name>", "of the kubeconfig (default: its current one)")
    .action(async (names, options) => {
      const { removeNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await removeNamespaces(names, options, context.environment);
    });
  namespace.command("list")
    .summary("the namespaces of a mesh, or of all")
    .argument("[mesh]", "name of the mesh")
    .option("--kubeconfig <file>", "how to reach the API server")
    .option("--context <name>", "of the kubeconfig (default: its current one)")
    .action(async (mesh, options) => {
      const { listNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await listNamespaces(mesh, options, context.environment);
    });
}
