/** Runs h2load, the load generator for HTTP/2, and reads what it prints. */
import { PROXY_AUTHORITY } from "../contenders/mesh.ts";
import { type LoadResult, type LoadTarget, microseconds, runLoad } from "./load.ts";

export interface H2Load {
  readonly connections: number;
  /** Requests under way on each connection. */
  readonly streams: number;
  readonly path: string;
  readonly headers?: readonly string[];
  /** Path of a file that is the body of every request, which then is a POST. */
  readonly body?: string;
}

/** Parses what `h2load -D` prints. Throws where it is not that. */
export function parseH2load(output: string): LoadResult {
  const find = (pattern: RegExp): string[] => {
    const found = pattern.exec(output);
    if (found === null) throw new Error(`h2load printed: ${output.trim()}`);
    return found.slice(1);
  };
  const [ok, ...bad] = find(/status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/);
  const lost = find(/(\d+) errored, (\d+) timeout/);
  const [rate] = find(/finished in \S+ ([\d.]+) req\/s/);
  const [mean] = find(/time for request:\s+\S+\s+\S+\s+(\S+)/);
  return {
    units: Number(ok),
    unitsPerSecond: Number(rate),
    latency: { mean: microseconds(mean) },
    errors: [...bad, ...lost].reduce((sum, text) => sum + Number(text), 0),
  };
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
