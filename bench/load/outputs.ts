/** What the load generators print, as results. */
import { type LoadResult, microseconds } from "./load.ts";

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

/** Parses what `steady`, and other loads of ours, print. Throws where it is not that. */
export function parseSteady(output: string): LoadResult {
  const found = /^answered (\d+) seconds ([\d.]+) errors (\d+) p50 (\d+) p99 (\d+) p99\.9 (\d+)$/m
    .exec(output);
  if (found === null) throw new Error(`steady printed: ${output.trim()}`);
  const [units, seconds, errors, p50, p99, rarest] = found.slice(1).map(Number);
  const latency = { p50, p99, "p99.9": rarest };
  return { units, unitsPerSecond: units / seconds, latency, errors };
}

const MEGABYTE = 1_000_000;

/** Parses what `stream load` prints. Throws where it is not that. */
export function parseStream(output: string): LoadResult {
  const [, bytes, seconds, lost] = /^bytes (\d+) seconds ([\d.]+) lost (\d+)$/m.exec(output) ?? [];
  if (lost === undefined) throw new Error(`stream printed: ${output.trim()}`);
  const units = Number(bytes) / MEGABYTE;
  return { units, unitsPerSecond: units / Number(seconds), latency: {}, errors: Number(lost) };
}
