/** Runs wrk, the load generator for HTTP/1.1, and reads what it prints. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, microseconds, runLoad } from "./load.ts";

export interface WrkLoad {
  readonly connections: number;
  readonly scheme: "http" | "https";
  readonly path: string;
  readonly headers?: readonly string[];
  /** Path of a Lua script that makes the requests. */
  readonly script?: string;
}

/** Parses what `wrk --latency` prints. Throws where it is not that. */
export function parseWrk(output: string): LoadResult {
  const find = (pattern: RegExp): string => {
    const found = pattern.exec(output)?.[1];
    if (found === undefined) throw new Error(`wrk printed: ${output.trim()}`);
    return found;
  };
  const sockets = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(
    output,
  );
  const statuses = /Non-2xx or 3xx responses: (\d+)/.exec(output);
  const errors = [...(sockets?.slice(1) ?? []), ...(statuses?.slice(1) ?? [])];
  return {
    units: Number(find(/(\d+) requests in /)),
    unitsPerSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    latency: {
      p50: microseconds(find(/\n\s+50%\s+(\S+)/)),
      p99: microseconds(find(/\n\s+99%\s+(\S+)/)),
    },
    errors: errors.reduce((sum, text) => sum + Number(text), 0),
  };
}

/** Loads the target with one thread. */
export async function runWrk(target: LoadTarget, load: WrkLoad): Promise<LoadResult> {
  const args = ["--latency", "-t", "1", "-c", String(load.connections), "-d", `${target.seconds}s`];
  for (const header of [`Host: ${PROXY_AUTHORITY}`, ...(load.headers ?? [])]) {
    args.push("-H", header);
  }
  if (load.script !== undefined) args.push("-s", load.script);
  const url = `${load.scheme}://127.0.0.1:${target.port}${load.path}`;
  return parseWrk(await runLoad(target.cores, ["wrk", ...args, url]));
}
