/**
 * Runs one command line: finds the command, imports its file, parses, and turns every way to end into an exit code.
 * The only file that makes a commander program.
 */
import { modulesFor } from "./commands.ts";
import { causeText, withoutFlagAdvice } from "../base/text.ts";
import type { Environment } from "../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../console/exit.ts";
import type { CommandContext, Program } from "./program.ts";

/** Runs `argv`, the arguments after the program's name. Never throws for anything a user can cause. */
export async function run(argv: readonly string[], environment: Environment): Promise<ExitCode> {
  const context: CommandContext = {
    environment,
    exitCode: EXIT.ok,
    async registerAll(program) {
      for (const module of await modulesFor([])) module.register(program, context);
    },
  };
  try {
    const quickCode = await runQuickly(argv, environment);
    if (quickCode !== null) return quickCode;
    const program = await createProgram(environment);
    for (const module of await modulesFor(argv)) module.register(program, context);
    await program.parseAsync([...argv], { from: "user" });
    return context.exitCode;
  } catch (error) {
    return report(error, environment);
  }
}

/**
 * The two commands that must start fast and stay small, without loading the parser: `version`, half of whose time that
 * would be, and `proxy`, which runs beside every application. Null if the command line is not one of the plain ones.
 */
async function runQuickly(
  [name, ...words]: readonly string[],
  environment: Environment,
): Promise<ExitCode | null> {
  if (["version", "--version", "-V"].includes(name) && words.length === 0) {
    const { printVersion } = await import("./commands/version.ts");
    printVersion(environment.stdout, "text");
    return EXIT.ok;
  }
  if (name === "proxy") {
    const { completeOptions, parseQuickly } = await import("../sidecar/options.ts");
    const given = parseQuickly(words);
    if (given === null) return null;
    const { runSidecar } = await import("../sidecar/sidecar.ts");
    return await runSidecar(completeOptions(given, environment), environment);
  }
  return null;
}

async function createProgram(environment: Environment): Promise<Program> {
  const { Command } = await import("@commander-js/extra-typings");
  const { stdout, stderr } = environment;
  return new Command("weft")
    .description(
      "A service mesh for SMI resources: sidecar proxy, local mesh and offline checks in one executable.",
    )
    // What stands after a command within a command is its own, also where the outer one has the same option.
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .showHelpAfterError("Run 'weft help' for the commands and their options.")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error:/, stderr.style("error", "weft:"))),
      // Commander would read the process's variables, which may not be allowed.
      getOutHasColors: () => stdout.hasColour,
      getErrHasColors: () => stderr.hasColour,
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
    });
}

function report(error: unknown, environment: Environment): ExitCode {
  if (isParserExit(error)) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const { message, hint, exitCode } = failureOf(error);
  const { stderr } = environment;
  stderr.line(`${stderr.style("error", "weft:")} ${withoutFlagAdvice(message)}`);
  if (hint !== "") stderr.line(`  ${hint}`);
  return exitCode;
}

/** What the system refuses is a failure like others, wherever it was asked. Anything else is a defect, and is thrown. */
function failureOf(error: unknown): CommandFailure {
  if (error instanceof CommandFailure) return error;
  const isOfSystem = error instanceof Error &&
    (Object.hasOwn(Deno.errors, error.name) || /\(os error \d+\)/.test(error.message));
  if (isOfSystem) return new CommandFailure(causeText(error));
  throw error;
}

/** Commander has already printed what it had to say (help, or what was wrong) when it throws this. */
function isParserExit(error: unknown): error is Error & { exitCode: number } {
  return error instanceof Error && "code" in error && typeof error.code === "string" &&
    error.code.startsWith("commander.") && "exitCode" in error;
}
