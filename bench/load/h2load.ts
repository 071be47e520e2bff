/** Runs h2load, the load generator for HTTP/2. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, runLoad } from "./load.ts";
import { parseH2load } from "./outputs.ts";

interface H2Load {
  readonly connections: number;
  /** Requests under way on each connection. */
  readonly streams: number;
  readonly path: string;
  readonly headers?: readonly string[];
  /** Path of a file that is the body of every request, which then is a POST. */
  readonly body?: string;
}

/** Loads the target with one thread, HTTP/2 by prior knowledge. */
export async function runH2load(target: LoadTarget, load: H2Load): Promise<LoadResult> {
  const args = ["-t", "1", "-D", String(target.seconds)];
  args.push("-c", String(load.connections), "-m", String(load.streams));
  for (const header of [`:authority: ${PROXY_AUTHORITY}`, ...(load.headers ?? [])]) {
    args.push("-H", header);
  }
  if (load.body !== undefined) args.push("-d", load.body);
  const url = `http://127.0.0.1:${target.port}${load.path}`;
  return parseH2load(await runLoad(target.cores, ["h2load", ...args, url]));
}
