/** Runs the load of relayed TCP, `stream.c`, and reads what it prints. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";

const MEGABYTE = 1_000_000;

/** Parses what `stream load` prints. Throws where it is not that. */
export function parseStream(output: string): LoadResult {
  const [, bytes, seconds, lost] = /^bytes (\d+) seconds ([\d.]+) lost (\d+)$/m.exec(output) ?? [];
  if (lost === undefined) throw new Error(`stream printed: ${output.trim()}`);
  const units = Number(bytes) / MEGABYTE;
  return { units, unitsPerSecond: units / Number(seconds), latency: {}, errors: Number(lost) };
}

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
