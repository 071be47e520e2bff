/** `weft completion`: prints a shell's completion script. `weft complete`, hidden: what that script calls. */
import type { CommandContext, Program } from "../program.ts";

export function register(program: Program, context: CommandContext): void {
  const { stdout } = context.environment;
  program.command("completion")
    .summary("print the completion script for a shell")
    .description(
      `Prints the completion script for a shell. Names of namespaces, pods, splits and contexts are those of the cluster that kubectl
would speak to, where it answers within two seconds.

  bash         eval "$(weft completion bash)"                                in ~/.bashrc
  zsh          weft completion zsh > "\${fpath[1]}/_weft"
  fish         weft completion fish > ~/.config/fish/completions/weft.fish
  powershell   weft completion powershell | Out-String | Invoke-Expression   in $PROFILE`,
    )
    .addArgument(
      program.createArgument("<shell>", "the shell").choices(
        [
          "bash",
          "zsh",
          "fish",
          "powershell",
        ] as const,
      ),
    )
    .action(async (shell) => {
      const { completionScript } = await import("../completion.ts");
      stdout.write(completionScript(await wholeGrammar(program, context), shell));
    });

  program.command("complete", { hidden: true })
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (words) => {
      const { clusterNameAt, completeNames, completeWords } = await import("../completion.ts");
      const grammar = await wholeGrammar(program, context);
      const wanted = clusterNameAt(grammar, words);
      if (wanted === null) return stdout.write(completeWords(grammar, words));
      const { namesInCluster } = await import("../cluster/names.ts");
      stdout.write(completeNames(await namesInCluster(wanted, words, context.environment), words));
    });
}

/** A program of its own with every command: the one under way has only those it needed. */
async function wholeGrammar(program: Program, context: CommandContext): Promise<Program> {
  const whole = program.createCommand(program.name());
  await context.registerAll(whole);
  return whole;
}
