/** Runs wrk, the load generator for HTTP/1.1. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";
import { parseWrk } from "./outputs.ts";

export interface WrkLoad {
  readonly connections: number;
  readonly scheme: "http" | "https";
  readonly path: string;
  /** Left out: that of the contenders' job. */
  readonly host?: string;
  readonly headers?: readonly string[];
  /** After how many seconds without an answer a request counts as lost; left out: wrk's own 2. */
  readonly timeoutSeconds?: number;
  /** Path of a Lua script that makes the requests. */
  readonly script?: string;
}

/** Loads the target with one thread. */
export async function runWrk(target: LoadTarget, load: WrkLoad): Promise<LoadResult> {
  const args = ["--latency", "-t", "1", "-c", String(load.connections), "-d", `${target.seconds}s`];
  for (const header of [`Host: ${load.host ?? PROXY_AUTHORITY}`, ...(load.headers ?? [])]) {
    args.push("-H", header);
  }
  if (load.timeoutSeconds !== undefined) args.push("--timeout", `${load.timeoutSeconds}s`);
  if (load.script !== undefined) args.push("-s", load.script);
  const url = `${load.scheme}://127.0.0.1:${target.port}${load.path}`;
  return parseWrk(await runLoad(target.cores, ["wrk", ...args, url]));
}
