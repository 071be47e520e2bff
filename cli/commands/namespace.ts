/** `weft namespace`: which namespaces of a cluster are in the mesh. */
import { addClusterOptions } from "../cluster/options.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const namespace = program.command("namespace")
    .summary("put namespaces of a cluster into the mesh, or take them out")
    .description(
      "A namespace is in a mesh if its label weft.dev/monitored-by has the mesh's name. Pods that are made in it from then on get a " +
        "sidecar, unless its annotation weft.dev/sidecar-injection is `disabled`.",
    );
  addClusterOptions(
    namespace.command("add")
      .summary("put namespaces into the mesh")
      .argument("<namespace...>", "names")
      .option("--mesh-name <name>", "which mesh", "weft")
      .option("--disable-sidecar-injection", "its pods get no sidecars", false),
  )
    .action(async (names, options) => {
      const { addNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await addNamespaces(names, options, context.environment);
    });
  addClusterOptions(
    namespace.command("remove")
      .summary("take namespaces out of the mesh")
      .argument("<namespace...>", "names")
      .option("--mesh-name <name>", "which mesh", "weft"),
  )
    .action(async (names, options) => {
      const { removeNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await removeNamespaces(names, options, context.environment);
    });
  addClusterOptions(
    namespace.command("list")
      .summary("the namespaces of a mesh, or of all")
      .argument("[mesh]", "name of the mesh"),
  )
    .action(async (mesh, options) => {
      const { listNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await listNamespaces(mesh, options, context.environment);
    });
  addClusterOptions(
    namespace.command("ignore")
      .summary("take namespaces out of their mesh, and let none be put into one")
      .argument("<namespace...>", "names"),
  )
    .action(async (names, options) => {
      const { ignoreNamespaces } = await import("../install/namespaces.ts");
      context.exitCode = await ignoreNamespaces(names, options, context.environment);
    });
}
