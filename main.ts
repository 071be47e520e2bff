/**
 * The executable. Holds no logic: `cli/run.ts` imports the one role asked for. A signal is lost until it
 * is caught, so nothing else is imported before.
 */
import { StopSignals } from "./console/stop_signals.ts";

if (import.meta.main) {
  const stopSignals = new StopSignals();
  stopSignals.catchFor(Deno.args[0]);
  const { processEnvironment } = await import("./console/environment.ts");
  const { run } = await import("./cli/run.ts");
  // Not `Deno.exitCode`: a command that is done is done, whatever handle is still open.
  Deno.exit(await run(Deno.args, processEnvironment(stopSignals)));
}
