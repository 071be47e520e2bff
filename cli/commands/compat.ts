/** `weft compat`: which requests another mesh answers otherwise, by what is documented of it. */
import type { CommandContext, Program } from "../program.ts";
import { MESHES_KNOWN } from "../compat/known.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("compat")
    .summary("say which requests change when manifests move here from another mesh")
    .description(
      "Compares what FSM, Open Service Mesh, Linkerd (with linkerd-smi) or Traefik Mesh does with manifests and what Weft does: which " +
        "requests go to other backends, in which shares, each kind with a shortest request; and what else is known to differ.\n\n" +
        "What those meshes do is read from their sources and documents, and not from running ones: docs/compat.md says where. " +
        "It decides over all requests, not over examples: what it does not name is routed alike. `weft explain --as-mesh MESH` and " +
        "`weft diff --as-mesh MESH` take the same profiles.\n\n" +
        "Examples:\n" +
        "  weft compat --as fsm manifests/\n" +
        "  kubectl get svc,pods,trafficsplits,httproutegroups -A -o yaml | weft compat --as osm -f -\n\n" +
        "Exit code: 0 all requests are answered alike, 1 some are not, 2 usage, 3 no answer: the manifests have errors or cannot be " +
        "read, or there is too much to decide.",
    )
    .usage("--as MESH [options] PATH…")
    .argument("[path...]", "as -f")
    .addOption(
      program.createOption("--as <mesh>", "the mesh that they come from").choices(MESHES_KNOWN)
        .makeOptionMandatory(),
    )
    .option("-f, --filename <path...>", "manifests: files, directories, or - for stdin", [])
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .option("--enforce-access", "permissive mode is off: compare who may call whom", false)
    .addOption(
      program.createOption("-o, --output <format>", "text or json")
        .choices(["text", "json"] as const).default("text" as const),
    )
    .action(async (paths, options) => {
      const { compatManifests } = await import("../compat/compat.ts");
      context.exitCode = await compatManifests(paths, options, context.environment);
    });
}
