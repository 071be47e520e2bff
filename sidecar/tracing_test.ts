// Tests of the variables for tracing: what they come to, and what cannot be followed.
import assert from "node:assert/strict";
import { CommandFailure, EXIT } from "../console/exit.ts";
import { testEnvironment } from "../console/testing.ts";
import { tracingOf } from "./tracing.ts";

const ENDPOINT = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };

function of(variables: Record<string, string>, sample?: string) {
  return tracingOf({ sample, service: "web" }, testEnvironment({ variables }));
}

Deno.test("tracing: without a collector no spans are made", () => {
  assert.deepEqual(of({}), { traceShare: 0 });
  assert.deepEqual(of({}, "0.5"), { traceShare: 0.5 });
  for (
    const off of [
      { OTEL_SDK_DISABLED: "true" },
      { OTEL_TRACES_EXPORTER: "none" },
      { OTEL_TRACES_SAMPLER: "always_off" },
      { OTEL_EXPORTER_OTLP_ENDPOINT: "" },
    ]
  ) assert.equal(of({ ...ENDPOINT, ...off }).spans, undefined, JSON.stringify(off));
});

Deno.test("tracing: a collector, and the defaults", () => {
  assert.deepEqual(of(ENDPOINT), {
    traceShare: 1,
    spans: {
      url: "http://collector:4318/v1/traces",
      headers: [],
      resource: { "service.name": "web" },
      queueMax: 2_048,
      batchMax: 512,
      delayMs: 5_000,
      timeoutMs: 10_000,
    },
  });
});

Deno.test("tracing: every variable", () => {
  const { traceShare, spans } = of({
    OTEL_EXPORTER_OTLP_ENDPOINT: "http://elsewhere:4318/base/",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://collector/in?x=1",
    OTEL_EXPORTER_OTLP_HEADERS: "authorization=Bearer%20x, x-tenant = a",
    OTEL_SERVICE_NAME: "shop",
    OTEL_RESOURCE_ATTRIBUTES: "service.name=lost,deployment.environment.name=test%2Cing",
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    OTEL_TRACES_SAMPLER_ARG: "0.25",
    OTEL_BSP_MAX_QUEUE_SIZE: "100",
    OTEL_BSP_SCHEDULE_DELAY: "50",
    OTEL_EXPORTER_OTLP_TIMEOUT: "7",
  });
  assert.equal(traceShare, 0.25);
  assert.deepEqual(spans, {
    url: "https://collector/in?x=1",
    headers: [["authorization", "Bearer x"], ["x-tenant", "a"]],
    resource: { "service.name": "shop", "deployment.environment.name": "test,ing" },
    queueMax: 100,
    batchMax: 100,
    delayMs: 50,
    timeoutMs: 7,
  });
  const base = of({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://elsewhere:4318/base/" });
  assert.equal(base.spans?.url, "http://elsewhere:4318/base/v1/traces");
});

Deno.test("tracing: --trace-sample comes before the sampler's variables", () => {
  assert.equal(of({ ...ENDPOINT, OTEL_TRACES_SAMPLER: "always_on" }, "0.1").traceShare, 0.1);
  assert.equal(of({ ...ENDPOINT, OTEL_TRACES_SAMPLER: "parentbased_always_off" }).traceShare, 0);
});

Deno.test("tracing: what cannot be followed is a usage failure that names the variable", () => {
  for (
    const [name, value] of Object.entries({
      OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318",
      OTEL_EXPORTER_OTLP_PROTOCOL: "grpc",
      OTEL_EXPORTER_OTLP_HEADERS: "novalue",
      OTEL_TRACES_SAMPLER: "jaeger_remote",
      OTEL_BSP_SCHEDULE_DELAY: "5s",
    })
  ) {
    assert.throws(() => of({ ...ENDPOINT, [name]: value }), (error) => {
      assert.ok(error instanceof CommandFailure && error.exitCode === EXIT.usage);
      return error.message.includes(name);
    }, name);
  }
});
