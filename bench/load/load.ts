/** What a load generator is told and what it finds. Shapes, and how one is run on its cores. */

/** What a load is aimed at. */
export interface LoadTarget {
  /** Of 127.0.0.1. */
  readonly port: number;
  readonly seconds: number;
  /** For `taskset`. */
  readonly cores: string;
  /** For files that the generator needs. */
  readonly folder: string;
  /** The destination has to be asked for by CONNECT (TCP only). */
  readonly takesConnect: boolean;
}

export interface LoadResult {
  /** What costs are divided by: requests that were answered, or megabytes that came through. */
  readonly units: number;
  readonly unitsPerSecond: number;
  /** Microseconds of one request; absent where the generator does not tell. */
  readonly latency: Readonly<Partial<Record<"mean" | "p50" | "p99" | "p99.9", number>>>;
  /** Connections refused, cut or timed out, and answers that are not 2xx or 3xx. */
  readonly errors: number;
}

const MICROSECONDS: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1_000,
  s: 1_000_000,
  m: 60_000_000,
};

/** Microseconds of `1.19ms` and the like. */
export function microseconds(text: string): number {
  const [, amount, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined) throw new Error(`"${text}" is no duration`);
  return Number(amount) * MICROSECONDS[unit];
}

/** Runs a generator to its end on its cores, and gives all that it printed. */
export async function runLoad(cores: string, command: readonly string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("taskset", { args: ["-c", cores, ...command] })
    .output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}
