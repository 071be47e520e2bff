/** `weft version`: what this program is. Imports no parser: `cli/run.ts` calls it directly. */
import { buildCommit, VERSION } from "../../base/version.ts";
import type { CommandContext, Program } from "../program.ts";
import type { Output } from "../../console/output.ts";

export function register(program: Program, context: CommandContext): void {
  program.command("version")
    .summary("print the version of Weft, its commit, and the runtime in it")
    .description("Prints the version of Weft, the commit it was built from, and the runtime in it.")
    .option("-o, --output <format>", "text or json", "text")
    .action((options) => printVersion(context.environment.stdout, options.output));
}

/** Prints one line, or with `json` one object with the keys version, commit, deno, v8 and platform. */
export function printVersion(output: Output, format: string): void {
  const version = {
    version: VERSION,
    commit: buildCommit(),
    deno: Deno.version.deno,
    v8: Deno.version.v8,
    platform: Deno.build.target,
  };
  if (format === "json") return output.line(JSON.stringify(version));
  output.line(
    `weft ${version.version} (commit ${version.commit}, Deno ${version.deno}, V8 ${version.v8}, ` +
      `${version.platform})`,
  );
}
