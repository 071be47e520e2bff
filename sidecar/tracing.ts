/**
 * Spans as OpenTelemetry's standard variables ask for them. The proxies send their own, by HTTP and as JSON, in the executable
 * as from source; none are made unless a collector is named.
 */
import type { ProxyConfig, SpanExport } from "../proxy/config.ts";
import type { Environment } from "../console/environment.ts";
import { usageFailure } from "../console/exit.ts";
import { parseShare } from "../console/values.ts";
import { SPAN_BATCH_MAX, SPAN_DELAY_MS, SPAN_EXPORT_MS, SPAN_QUEUE_MAX } from "./limits.ts";

type Variable = (name: string) => string | undefined;

/** Share of the traces that begin here, by sampler; null: `OTEL_TRACES_SAMPLER_ARG` says. */
const SAMPLERS: Readonly<Record<string, number | null>> = {
  "always_on": 1,
  "parentbased_always_on": 1,
  "parentbased_always_off": 0,
  "traceidratio": null,
  "parentbased_traceidratio": null,
};

export interface TracingOptions {
  /** `--trace-sample`; undefined: not given. */
  readonly sample: string | undefined;
  /** The name of what is traced, where `OTEL_SERVICE_NAME` gives none. */
  readonly service: string;
  /** Further attributes of the resource. */
  readonly resource?: Readonly<Record<string, string>>;
}

/** What a proxy is to trace. Throws a usage failure for variables that it cannot follow. */
export function tracingOf(
  options: TracingOptions,
  environment: Environment,
): Pick<ProxyConfig, "traceShare" | "spans"> {
  const variable: Variable = (name) => environment.variable(name)?.trim() || undefined;
  const url = collectorUrl(variable);
  const given = options.sample === undefined ? null : parseShare(options.sample);
  if (url === null) return { traceShare: given ?? 0 };
  return {
    traceShare: given ?? shareOf(variable),
    spans: {
      url,
      headers: pairsOf("OTEL_EXPORTER_OTLP_TRACES_HEADERS", variable) ??
        pairsOf("OTEL_EXPORTER_OTLP_HEADERS", variable) ?? [],
      resource: resourceOf(options, variable),
      ...batching(variable),
    },
  };
}

/** Null: no spans are wanted. */
function collectorUrl(variable: Variable): string | null {
  const own = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
  const base = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
  const name = own === undefined
    ? "OTEL_EXPORTER_OTLP_ENDPOINT"
    : "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
  const isOff = variable("OTEL_SDK_DISABLED") === "true" ||
    (variable("OTEL_TRACES_EXPORTER") ?? "otlp") !== "otlp" ||
    variable("OTEL_TRACES_SAMPLER") === "always_off";
  const text = own ?? base;
  if (isOff || text === undefined) return null;
  const protocol = variable("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") ??
    variable("OTEL_EXPORTER_OTLP_PROTOCOL");
  if (protocol === "grpc") {
    throw usageFailure(
      "Spans are not sent by gRPC, as OTEL_EXPORTER_OTLP_PROTOCOL asks",
      "Name the collector's port for HTTP, 4318, and http/json; or OTEL_TRACES_EXPORTER=none.",
    );
  }
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw usageFailure(`${name} is "${text}": want a URL like http://localhost:4318`);
  }
  if (own === undefined) url.pathname = `${url.pathname.replace(/\/$/, "")}/v1/traces`;
  return url.href;
}

function shareOf(variable: Variable): number {
  const sampler = variable("OTEL_TRACES_SAMPLER") ?? "parentbased_always_on";
  const share = SAMPLERS[sampler];
  if (share === undefined) {
    const known = ["always_off", ...Object.keys(SAMPLERS)].join(", ");
    throw usageFailure(`OTEL_TRACES_SAMPLER is "${sampler}": want one of ${known}`);
  }
  return share ?? parseShare(variable("OTEL_TRACES_SAMPLER_ARG") ?? "1");
}

function resourceOf(
  { service, resource = {} }: TracingOptions,
  variable: Variable,
): SpanExport["resource"] {
  const name = variable("OTEL_SERVICE_NAME");
  return {
    "service.name": service,
    ...resource,
    ...Object.fromEntries(pairsOf("OTEL_RESOURCE_ATTRIBUTES", variable) ?? []),
    ...(name === undefined ? {} : { "service.name": name }),
  };
}

function batching(
  variable: Variable,
): Pick<SpanExport, "queueMax" | "batchMax" | "delayMs" | "timeoutMs"> {
  const whole = (name: string, byDefault: number): number => {
    const text = variable(name);
    if (text === undefined) return byDefault;
    if (!/^[1-9]\d{0,8}$/.test(text)) {
      throw usageFailure(`${name} is "${text}": want a whole number above 0`);
    }
    return Number(text);
  };
  const queueMax = whole("OTEL_BSP_MAX_QUEUE_SIZE", SPAN_QUEUE_MAX);
  const timeoutMs = whole("OTEL_EXPORTER_OTLP_TIMEOUT", SPAN_EXPORT_MS);
  return {
    queueMax,
    batchMax: Math.min(queueMax, whole("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", SPAN_BATCH_MAX)),
    delayMs: whole("OTEL_BSP_SCHEDULE_DELAY", SPAN_DELAY_MS),
    timeoutMs: whole("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", timeoutMs),
  };
}

/** `name=value,name=value`, percent-encoded (W3C Baggage); null: the variable is not set. */
function pairsOf(name: string, variable: Variable): [string, string][] | null {
  const text = variable(name);
  if (text === undefined) return null;
  return text.split(",").filter((pair) => pair.trim() !== "").map((pair): [string, string] => {
    const [, key, value] = /^\s*([^=\s]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? [];
    if (key === undefined) {
      throw usageFailure(`${name} holds "${pair.trim()}": want name=value, with commas between`);
    }
    return [decoded(key), decoded(value)];
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
