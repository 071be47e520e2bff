/** The executable. Holds no logic: `cli/run.ts` imports the one role asked for. */
import { processEnvironment } from "./console/environment.ts";
import { run } from "./cli/run.ts";

if (import.meta.main) {
  // Not `Deno.exitCode`: a command that is done is done, whatever handle is still open.
  Deno.exit(await run(Deno.args, processEnvironment()));
}
