/** What Weft is to reach, as ratios within one run, and whether it does. Pure: rows in, a table out. */
import { renderMarkdownTable, type Row } from "./report.ts";
import { NO_PROXY } from "./workloads/load_workload.ts";

/** Rows by workload. */
export type Measured = ReadonlyMap<string, readonly Row[]>;

/** Number of one contender; null if it was not measured. */
type Look = (workload: string, contender: string, key: string, variant?: string) => number | null;

interface Target {
  readonly text: string;
  readonly limit: number;
  /** Whether `limit` is the most or the least. */
  readonly is: "at most" | "at least";
  readonly unit: "×" | "MB" | "KB";
  readonly measure: (look: Look) => number | null;
  /** A machine with fewer cores cannot tell. */
  readonly coresMin?: number;
}

const WEFT = "Weft";

/** CPU of Weft for one unit of work as a multiple of another's. */
function cpu(text: string, workload: string, key: string, other: string, limit: number): Target {
  return {
    text: `CPU, ${text}: Weft to ${other}`,
    limit,
    is: "at most",
    unit: "×",
    measure: (look) => ratio(look(workload, WEFT, key), look(workload, other, key)),
  };
}

function ratio(value: number | null, base: number | null): number | null {
  return value === null || base === null || base === 0 ? null : value / base;
}

/** What a proxy adds to the median time of one request at a time. */
function addedLatency(look: Look, contender: string): number | null {
  const [through, direct] = [look("http1", contender, "p50@1"), look("http1", NO_PROXY, "p50@1")];
  return through === null || direct === null ? null : through - direct;
}

function memory(text: string, unit: "MB" | "KB", key: string, limit: number): Target {
  return { text, limit, is: "at most", unit, measure: (look) => look("idle", WEFT, key) };
}

const TARGETS: readonly Target[] = [
  cpu("HTTP/1.1 small", "http1", "cpu@64", "HAProxy", 0.95),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "nginx", 0.85),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "Pipy", 0.6),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "Envoy", 0.5),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "raw relay (C)", 1.25),
  cpu("TLS 1.3, kept connections", "tls", "cpu@64", "nginx", 1),
  cpu("TLS 1.3, kept connections", "tls", "cpu@64", "HAProxy", 1),
  cpu("HTTP/2", "http2", "cpu", "nghttpx", 1),
  cpu("HTTP/2", "http2", "cpu", "Envoy", 0.6),
  {
    text: "Added p50 at one connection: Weft to HAProxy",
    limit: 1,
    is: "at most",
    unit: "×",
    measure: (look) => ratio(addedLatency(look, WEFT), addedLatency(look, "HAProxy")),
  },
  memory("Anonymous memory at idle", "MB", "startMb", 25),
  memory("Anonymous memory of an idle connection, silent", "KB", "silentKb", 10),
  memory("Anonymous memory of an idle connection, after a request", "KB", "answeredKb", 10),
  {
    text: "CPU, 10 000 routes to one",
    limit: 1.5,
    is: "at most",
    unit: "×",
    measure: (look) =>
      ratio(look("routes", WEFT, "cpu", "10 000 routes"), look("routes", WEFT, "cpu", "1 route")),
  },
  {
    text: "Requests/s, two workers to one",
    limit: 1.7,
    is: "at least",
    unit: "×",
    measure: (look) =>
      ratio(look("workers", WEFT, "rate", "2 workers"), look("workers", WEFT, "rate", "1 worker")),
    coresMin: 4,
  },
];

function verdict({ limit, is, coresMin }: Target, value: number | null, cores: number): string {
  if (value === null) return "not measured";
  if (coresMin !== undefined && cores < coresMin) return `${cores} cores cannot tell`;
  const isMet = is === "at most" ? value <= limit : value >= limit;
  return isMet ? "met" : "**missed**";
}

/** The targets of the workloads that were run, as Markdown. */
export function renderTargets(measured: Measured, cores: number): string {
  let isRun = true;
  const look: Look = (workload, contender, key, variant = "") => {
    isRun &&= measured.has(workload);
    const row = measured.get(workload)?.find((row) =>
      row.contender === contender && row.variant === variant
    );
    return row?.values[key] ?? null;
  };
  const rows = TARGETS.flatMap((target) => {
    isRun = true;
    const value = target.measure(look);
    return !isRun ? [] : [[
      target.text,
      `${target.is} ${target.limit} ${target.unit}`,
      value === null ? "–" : `${value.toFixed(2)} ${target.unit}`,
      verdict(target, value, cores),
    ]];
  });
  return renderMarkdownTable(["target", "wanted", "measured", ""], rows);
}
