/** What Weft is to reach, as ratios within one run, and whether it does. Pure: rows in, a table out. */
import { renderMarkdownTable, type Row } from "./report.ts";
import { NO_PROXY } from "./workloads/load_workload.ts";
import { CLUSTER, CONTROLLER_MEASURES } from "./workloads/controller.ts";
import { METRICS_MEASURES } from "./workloads/metrics.ts";
import { PLAN_MEASURES } from "./workloads/plans.ts";

/** Rows by workload. */
export type Measured = ReadonlyMap<string, readonly Row[]>;

/** Number of one contender; null if it was not measured. */
type Look = (workload: string, contender: string, key: string, variant?: string) => number | null;

interface Target {
  readonly text: string;
  readonly limit: number;
  /** Whether `limit` is the most or the least. */
  readonly is: "at most" | "at least";
  readonly unit: "×" | "cores" | "MB" | "KB" | "ms" | "bytes" | "series" | "requests";
  readonly measure: (look: Look) => number | null;
  /** A machine with fewer cores cannot tell. */
  readonly coresMin?: number;
}

const WHOLE_UNITS: readonly Target["unit"][] = ["bytes", "series", "requests"];

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

/** Median times that proxies add to a request, of Weft as a multiple of another's. */
function added(text: string, workload: string, key: string, other: string): Target {
  const beyond = (look: Look, contender: string) => {
    const [through, direct] = [look(workload, contender, key), look(workload, NO_PROXY, key)];
    return through === null || direct === null ? null : through - direct;
  };
  return {
    text: `Added p50${text}: Weft to ${other}`,
    limit: 1,
    is: "at most",
    unit: "×",
    measure: (look) => ratio(beyond(look, WEFT), beyond(look, other)),
  };
}

function memory(text: string, unit: "MB" | "KB", key: string, limit: number): Target {
  return { text, limit, is: "at most", unit, measure: (look) => look("idle", WEFT, key) };
}

function plan(
  text: string,
  limit: number,
  unit: Target["unit"],
  measure: string,
  key: string,
): Target {
  return { text, limit, is: "at most", unit, measure: (look) => look("plans", measure, key) };
}

/** What one measure of plans has more than another. */
function planDifference(text: string, limit: number, key: string, [more, less]: string[]): Target {
  return {
    text,
    limit,
    is: "at most",
    unit: "ms",
    measure(look) {
      const [value, base] = [look("plans", more, key), look("plans", less, key)];
      return value === null || base === null ? null : value - base;
    },
  };
}

const PLAN_TARGETS: readonly Target[] = [
  plan("An address changes: compile and text", 2, "ms", PLAN_MEASURES.address, "ms"),
  {
    text: "The same to that with 1 000 Services",
    limit: 1.3,
    is: "at most",
    unit: "×",
    measure: (look) =>
      ratio(
        look("plans", PLAN_MEASURES.address, "ms"),
        look("plans", PLAN_MEASURES.addressSmall, "ms"),
      ),
  },
  plan("Told to a sidecar that uses the Service", 2_048, "bytes", PLAN_MEASURES.address, "bytes"),
  plan("Told to one that does not", 0, "bytes", PLAN_MEASURES.unused, "bytes"),
  plan("A weight changes: compile and text", 2, "ms", PLAN_MEASURES.weight, "ms"),
  plan("Told of it", 2_048, "bytes", PLAN_MEASURES.weight, "bytes"),
  plan("All is compiled", 3_000, "ms", PLAN_MEASURES.compiled, "ms"),
  plan("Memory of the source that compiled it", 250, "MB", PLAN_MEASURES.compiled, "mb"),
  ...([[0, 22], [20, 24], [1_000, 60]] as const).map(([inUse, limit]) =>
    plan(`Sidecar, ${inUse} Services in use`, limit, "MB", PLAN_MEASURES.memory(inUse), "mb")
  ),
  plan("Sidecar with a plan file", 35, "MB", PLAN_MEASURES.memoryOfFile, "mb"),
  plan("Its metrics while it is idle", 99, "series", PLAN_MEASURES.metrics, "series"),
  plan("Their text", 20_000, "bytes", PLAN_MEASURES.metrics, "bytes"),
  planDifference("Longest time without service for a change", 1, "ms", [
    PLAN_MEASURES.changing,
    PLAN_MEASURES.quiet,
  ]),
  planDifference("Added to a first request, p50", 1, "ms", [
    PLAN_MEASURES.asked,
    PLAN_MEASURES.held,
  ]),
  planDifference("Added to a first request, p99", 5, "p99", [
    PLAN_MEASURES.asked,
    PLAN_MEASURES.held,
  ]),
  {
    text: "p99 with a change every 100 ms to that without",
    limit: 1.2,
    is: "at most",
    unit: "×",
    measure: (look) =>
      ratio(
        look("plans", PLAN_MEASURES.changingLoad, "p99"),
        look("plans", PLAN_MEASURES.load, "p99"),
      ),
  },
  plan("Failed meanwhile", 0, "requests", PLAN_MEASURES.changingLoad, "failed"),
];

function controller(
  text: string,
  limit: number,
  unit: Target["unit"],
  measure: string,
  key: string,
  variant: string = CLUSTER.whole,
): Target {
  const look = (look: Look) => look("controller", measure, key, variant);
  return { text, limit, is: "at most", unit, measure: look };
}

/** CPU with all Services and proxies to that with a tenth of them: it grows as they do, and not faster. */
function growth(text: string, measure: string): Target {
  const of = (look: Look, variant: string) => look("controller", measure, "cpuMs", variant);
  return {
    text: `CPU, ${text}: all to a tenth`,
    limit: 12,
    is: "at most",
    unit: "×",
    measure: (look) => ratio(of(look, CLUSTER.whole), of(look, CLUSTER.tenth)),
  };
}

const CONTROLLER_TARGETS: readonly Target[] = [
  controller("Cold start until all are served", 15_000, "ms", CONTROLLER_MEASURES.cold, "ms"),
  controller(
    "Cold start until all have a certificate",
    10_000,
    "ms",
    CONTROLLER_MEASURES.certified,
    "ms",
  ),
  controller("A weight for 1 000 proxies, p99", 300, "ms", CONTROLLER_MEASURES.weight, "p99"),
  controller("An endpoint that goes, p99", 200, "ms", CONTROLLER_MEASURES.removal, "p99"),
  ...([["A weight", "weight"], ["An endpoint that goes", "removal"]] as const).map(
    ([text, key]) =>
      controller(
        `${text}, for 5 000 proxies, p99`,
        1_000,
        "ms",
        CONTROLLER_MEASURES[key],
        "p99",
        CLUSTER.crowd,
      ),
  ),
  controller("Resident at rest", 250, "MB", CONTROLLER_MEASURES.rest, "mb"),
  controller("And while pods change", 250, "MB", CONTROLLER_MEASURES.churn, "mb"),
  controller("CPU while pods change", 0.5, "cores", CONTROLLER_MEASURES.churn, "cores"),
  controller("A pod's injection, 1 000 at once, p99", 10, "ms", CONTROLLER_MEASURES.pods, "p99"),
  growth("a cold start", CONTROLLER_MEASURES.cold),
  growth("a weight", CONTROLLER_MEASURES.weight),
];

const METRICS_TARGETS: readonly Target[] = [
  {
    text: "A controller that reads 1 000 sidecars every 15 s",
    limit: 0.05,
    is: "at most",
    unit: "cores",
    measure: (look) => look("metrics", METRICS_MEASURES.reading, "cores"),
  },
  {
    text: "Wrong answers while Flagger promotes in ten steps",
    limit: 0,
    is: "at most",
    unit: "requests",
    measure: (look) => look("metrics", METRICS_MEASURES.promotion, "failed"),
  },
];

const TARGETS: readonly Target[] = [
  ...PLAN_TARGETS,
  ...CONTROLLER_TARGETS,
  ...METRICS_TARGETS,
  cpu("HTTP/1.1 small", "http1", "cpu@64", "HAProxy", 0.95),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "nginx", 0.85),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "Pipy", 0.6),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "Envoy", 0.5),
  cpu("HTTP/1.1 small", "http1", "cpu@64", "raw relay (C)", 1.25),
  cpu("TLS 1.3, kept connections", "tls", "cpu@64", "nginx", 1),
  cpu("TLS 1.3, kept connections", "tls", "cpu@64", "HAProxy", 1),
  cpu("two sidecars, mutual TLS", "pair", "cpu@64", "HAProxy", 0.9),
  cpu("two sidecars, mutual TLS", "pair", "cpu@64", "Envoy", 0.5),
  ...["HAProxy", "Envoy"].flatMap((other) => [
    added(" of two sidecars at one connection", "pair", "p50@1", other),
    added(" of two sidecars at 1 000 requests a second", "pair", "p50@steady", other),
  ]),
  {
    text: "CPU, HTTP/1.1 small: with everything on to without",
    limit: 1.15,
    is: "at most",
    unit: "×",
    measure: (look) =>
      ratio(look("extras", WEFT, "cpu", "everything on"), look("extras", WEFT, "cpu", "plain")),
  },
  cpu("answers of 64 KiB", "body-down", "cpu", "HAProxy", 0.9),
  cpu("requests of 64 KiB", "body-up", "cpu", "HAProxy", 0.9),
  cpu("requests of 64 KiB", "body-up", "cpu", "raw relay (C)", 1.15),
  ...([["1m-down", "1 MiB down"], ["1m-up", "1 MiB up"], ["1m-chunked", "1 MiB in chunks"], [
    "100m-down",
    "100 MiB down",
  ]] as const).flatMap(([key, text]) => [
    cpu(text, "bodies", `cpu@${key}`, "HAProxy", 0.9),
    cpu(text, "bodies", `cpu@${key}`, "nginx", 0.9),
  ]),
  ...([
    ["bodies-up", "1m-up-chunked", "1 MiB up in chunks"],
    ["bodies-up", "100m-up", "100 MiB up"],
    ["bodies-tls", "1m-down", "1 MiB down over TLS"],
    ["bodies-tls", "1m-up", "1 MiB up over TLS"],
    ["bodies-http2", "1m-down", "1 MiB down over HTTP/2"],
    ["bodies-http2", "1m-up", "1 MiB up over HTTP/2"],
  ] as const).flatMap(([workload, key, text]) => [
    cpu(text, workload, `cpu@${key}`, "HAProxy", 0.9),
    cpu(text, workload, `cpu@${key}`, "nginx", 0.9),
  ]),
  cpu("full handshakes", "handshakes", "cpu@full", "nginx", 1),
  cpu("resumed handshakes", "handshakes", "cpu@resumed", "nginx", 1),
  ...([["down", "1 to 1 000"], ["both", "1 000 both ways"]] as const).flatMap(([key, text]) => [
    cpu(`gRPC streams, ${text}`, "grpc-streams", `cpu@${key}`, "nghttpx", 1),
    cpu(`gRPC streams, ${text}`, "grpc-streams", `cpu@${key}`, "Envoy", 1),
  ]),
  cpu("WebSocket messages", "websocket", "cpu", "nginx", 1),
  cpu("relayed TCP, down", "tcp", "cpu@down", "Envoy", 1),
  cpu("relayed TCP, up", "tcp", "cpu@up", "Envoy", 1),
  cpu("a new connection for each request", "new-connections", "cpu", "nginx", 0.95),
  cpu("a new connection for each request", "new-connections", "cpu", "HAProxy", 0.9),
  cpu("gRPC, unary", "grpc", "cpu", "nghttpx", 1),
  cpu("HTTP/2", "http2", "cpu", "HAProxy", 0.9),
  cpu("HTTP/2", "http2", "cpu", "nghttpx", 1),
  cpu("HTTP/2", "http2", "cpu", "Envoy", 0.6),
  added(" at one connection", "http1", "p50@1", "HAProxy"),
  {
    text: "p99.9 at 10 000 requests a second: Weft to HAProxy",
    limit: 1,
    is: "at most",
    unit: "×",
    measure: (look) =>
      ratio(look("steady", WEFT, "p99.9@steady"), look("steady", "HAProxy", "p99.9@steady")),
  },
  memory("Anonymous memory at idle", "MB", "startMb", 14),
  memory("Anonymous memory of an idle connection, silent", "KB", "silentKb", 1.2),
  memory("Anonymous memory of an idle connection, after a request", "KB", "answeredKb", 1.5),
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

/** The targets that are about a workload, where all was run that they need, as Markdown; empty: there are none. */
export function renderTargets(of: string, measured: Measured, cores: number): string {
  let isRun = true;
  let isAbout = false;
  const look: Look = (workload, contender, key, variant = "") => {
    isRun &&= measured.has(workload);
    isAbout ||= workload === of;
    const row = measured.get(workload)?.find((row) =>
      row.contender === contender && row.variant === variant
    );
    return row?.values[key] ?? null;
  };
  const rows = TARGETS.flatMap((target) => {
    [isRun, isAbout] = [true, false];
    const value = target.measure(look);
    return !isRun || !isAbout ? [] : [[
      target.text,
      `${target.is} ${target.limit} ${target.unit}`,
      value === null
        ? "–"
        : `${value.toFixed(WHOLE_UNITS.includes(target.unit) ? 0 : 2)} ${target.unit}`,
      verdict(target, value, cores),
    ]];
  });
  return rows.length === 0 ? "" : renderMarkdownTable(["target", "wanted", "measured", ""], rows);
}
