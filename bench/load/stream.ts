/** Runs the load of relayed TCP, `stream.c`. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";
import { parseStream } from "./outputs.ts";

/** Moves bytes as fast as they go. `program` is `stream.c`, compiled. Units are megabytes. */
export async function runStream(
  program: string,
  target: LoadTarget,
  load: { readonly connections: number; readonly way: "down" | "up" },
): Promise<LoadResult> {
  const command = [program, "load", String(target.port), String(load.connections)];
  command.push(String(target.seconds), load.way === "down" ? "d" : "u");
  if (target.takesConnect) command.push(PROXY_AUTHORITY);
  return parseStream(await runLoad(target.cores, command));
}
