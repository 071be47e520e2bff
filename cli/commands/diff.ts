/** `weft diff`: which requests two versions of manifests answer otherwise. Runs git where a revision is named. */
import { addClusterOptions } from "../cluster/options.ts";
import { MESHES_KNOWN } from "../compat/known.ts";
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const command = program.command("diff")
    .summary("say which requests a change of manifests sends elsewhere")
    .description(
      "Compares what two versions of manifests do with requests: which go to other backends, in which shares, each kind with a " +
        "shortest request; which no rule takes any more; rules that nothing comes to; who may call whom that could not, and what may leave or enter the mesh. It decides " +
        "over all requests, not over examples: what it does not name is answered alike.\n\n" +
        "A side is a file, a directory, - for standard input, or REV:PATH, what a git revision has of a path. With --git, paths are " +
        "compared with what a revision has of them; with --live, what a cluster has with what it would have if they were applied.\n\n" +
        "Examples:\n" +
        "  weft diff old/ new/\n" +
        "  weft diff main:manifests manifests\n" +
        "  weft diff --git origin/main manifests/ -o markdown\n" +
        "  weft diff old/ new/ --log access.log\n" +
        "  weft diff --live manifests/\n\n" +
        "Exit code: 0 all requests are answered alike, 1 some are not, 2 usage, 3 no answer: the new side has errors, a side cannot " +
        "be read, or there is too much to decide.",
    )
    .usage("[options] OLD NEW | --git REV PATH… | --live PATH…")
    .argument("[path...]", "OLD and NEW; with --git or --live, the new side")
    .option("--git <revision>", "compare with what this git revision has of the paths")
    .option("--live", "compare with the cluster that kubectl would speak to", false)
    .option(
      "--log <file>",
      "say how many requests of this access log each change is about; formats as `weft replay`",
    )
    .option("--host <host>", "HOST[:PORT] of requests of the log whose line does not name it")
    .option("--from <sender>", "who sends what names no caller: NAMESPACE[/SERVICEACCOUNT]")
    .option("-R, --recursive", "go into the directories of a directory", false)
    .option("-n, --namespace <name>", "namespace of resources that name none", "default")
    .addOption(
      program.createOption(
        "--as-mesh <mesh>",
        "what another mesh would do with both sides (see weft compat)",
      )
        .choices(MESHES_KNOWN),
    )
    .addOption(
      program.createOption("-o, --output <format>", "markdown: a comment for a pull request")
        .choices(["text", "json", "markdown", "sarif"] as const).default("text" as const),
    );
  addClusterOptions(command)
    .action(async (paths, options) => {
      const { diffManifests } = await import("../diff/diff.ts");
      context.exitCode = await diffManifests(paths, options, context.environment);
    });
}
