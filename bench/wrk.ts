/** Runs wrk, the load generator, and reads what it prints. */

export interface LoadResult {
  readonly requests: number;
  readonly requestsPerSecond: number;
  /** Microseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Connections refused, cut or timed out, and answers that are not 2xx or 3xx. */
  readonly errors: number;
}

const MICROSECONDS: Record<string, number> = { us: 1, ms: 1_000, s: 1_000_000, m: 60_000_000 };

function microseconds(text: string): number {
  const [, amount, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`wrk printed the duration "${text}"`);
  return Number(amount) * MICROSECONDS[unit];
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
    requests: Number(find(/(\d+) requests in /)),
    requestsPerSecond: Number(find(/Requests\/sec:\s+([\d.]+)/)),
    p50: microseconds(find(/\n\s+50%\s+(\S+)/)),
    p99: microseconds(find(/\n\s+99%\s+(\S+)/)),
    errors: errors.reduce((sum, text) => sum + Number(text), 0),
  };
}

/** Loads `port` of 127.0.0.1 for `seconds`, from `core`, with one thread. */
export async function runWrk(
  load: {
    port: number;
    connections: number;
    seconds: number;
    core: number;
    host: string;
    path: string;
  },
): Promise<LoadResult> {
  const { stdout, stderr } = await new Deno.Command("taskset", {
    args: [
      ...["-c", String(load.core), "wrk", "--latency", "-t", "1", "-c", String(load.connections)],
      ...["-d", `${load.seconds}s`, "-H", `Host: ${load.host}`],
      `http://127.0.0.1:${load.port}${load.path}`,
    ],
  }).output();
  const decoder = new TextDecoder();
  return parseWrk(decoder.decode(stdout) + decoder.decode(stderr));
}
