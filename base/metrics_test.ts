// Tests of metrics.ts: what several threads counted comes out as prom-client says it that counted all of it.
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import prometheus from "prom-client";
import { readPrometheus } from "../tests/support/prometheus_text.ts";
import {
  counter,
  counterByPlace,
  counterOf,
  type Counts,
  countsOf,
  gauge,
  histogram,
  labelKey,
  metricGroup,
  metricsFormat,
  openCounter,
  renderMetrics,
  samplesOf,
} from "./metrics.ts";

const BOUNDS = [1, 5, 250];
const HELP = 'What "it" is:\nC:\\';
const GROUP = metricGroup(["where", "what"], {
  plain: counter("plain_total", HELP),
  level: gauge("level", HELP),
  kinds: counterOf("kinds_total", HELP, "kind", ["http", "tcp"]),
  places: counterByPlace("places_total", HELP, "code", ["1xx", "2xx"]),
  open: openCounter("open_total", HELP, ["by", "reason"]),
  statuses: openCounter<number>("statuses_total", HELP, ["status"]),
  durations: histogram("duration_seconds", HELP, BOUNDS, 1_000),
});

/** What is counted, once here and once by the oracle. */
type Action =
  | { readonly on: "plain" }
  | { readonly on: "level" }
  | { readonly on: "kinds"; readonly kind: "http" | "tcp" }
  | { readonly on: "places"; readonly place: number }
  | { readonly on: "open"; readonly by: string; readonly reason: string }
  | { readonly on: "statuses"; readonly status: number }
  | { readonly on: "durations"; readonly value: number };

function count(counts: Counts<typeof GROUP>, action: Action): void {
  if (action.on === "plain" || action.on === "level") counts[action.on]++;
  else if (action.on === "kinds") counts.kinds[action.kind]++;
  else if (action.on === "places") counts.places[action.place]++;
  else if (action.on === "open") counts.open.add(labelKey(action.by, action.reason));
  else if (action.on === "statuses") counts.statuses.add(action.status);
  else counts.durations.observe(action.value);
}

class Oracle {
  readonly #registry = new prometheus.Registry();
  readonly #started = new Set<string>();
  readonly #plain = this.#counter("plain_total", []);
  readonly #level = new prometheus.Gauge({
    name: "level",
    help: HELP,
    labelNames: GROUP.labels,
    registers: [this.#registry],
  });
  readonly #kinds = this.#counter("kinds_total", ["kind"]);
  readonly #places = this.#counter("places_total", ["code"]);
  readonly #open = this.#counter("open_total", ["by", "reason"]);
  readonly #statuses = this.#counter("statuses_total", ["status"]);
  readonly #durations = new prometheus.Histogram({
    name: "duration_seconds",
    help: HELP,
    labelNames: GROUP.labels,
    buckets: BOUNDS.map((bound) => bound / 1_000),
    registers: [this.#registry],
  });

  #counter(name: string, labels: string[]) {
    const labelNames = [...GROUP.labels, ...labels];
    return new prometheus.Counter({ name, help: HELP, labelNames, registers: [this.#registry] });
  }

  /** What is there before anything is counted. */
  start(labels: Readonly<Record<string, string>>): void {
    this.#plain.inc(labels, 0);
    this.#level.inc(labels, 0);
    for (const kind of ["http", "tcp"]) this.#kinds.inc({ ...labels, kind }, 0);
    for (const code of ["1xx", "2xx"]) this.#places.inc({ ...labels, code }, 0);
    const key = JSON.stringify(labels);
    // It would also forget what another thread has counted.
    if (!this.#started.has(key)) this.#durations.zero(labels);
    this.#started.add(key);
  }

  count(labels: Readonly<Record<string, string>>, action: Action): void {
    if (action.on === "plain") this.#plain.inc(labels);
    else if (action.on === "level") this.#level.inc(labels);
    else if (action.on === "kinds") this.#kinds.inc({ ...labels, kind: action.kind });
    else if (action.on === "places") {
      this.#places.inc({ ...labels, code: ["1xx", "2xx"][action.place] });
    } else if (action.on === "open") {
      this.#open.inc({ ...labels, by: action.by, reason: action.reason });
    } else if (action.on === "statuses") this.#statuses.inc({ ...labels, status: action.status });
    else this.#durations.observe(labels, action.value / 1_000);
  }

  text(): Promise<string> {
    return this.#registry.metrics();
  }
}

/** Lines with labels in one order, so that the order of neither side counts. */
function seriesOf(text: string): string[] {
  // prom-client leaves a line empty if there is nothing to say.
  return readPrometheus(`${text.replaceAll(/\n+/g, "\n").trim()}\n`)
    // Sums of binary fractions depend on who adds first.
    .map(({ name, labels, value }) =>
      `${name} ${JSON.stringify(Object.entries(labels).sort())} ${value.toPrecision(12)}`
    )
    .sort();
}

const ACTION: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ on: fc.constant("plain" as const) }),
  fc.record({ on: fc.constant("level" as const) }),
  fc.record({ on: fc.constant("kinds" as const), kind: fc.constantFrom("http", "tcp") }),
  fc.record({ on: fc.constant("places" as const), place: fc.constantFrom(0, 1) }),
  fc.record({
    on: fc.constant("open" as const),
    by: fc.constantFrom("peer", "proxy", "__proto__"),
    reason: fc.constantFrom("a b", 'c"\\\n', ""),
  }),
  fc.record({ on: fc.constant("statuses" as const), status: fc.integer({ min: 100, max: 103 }) }),
  fc.record({
    on: fc.constant("durations" as const),
    value: fc.constantFrom(0, 0.5, 1, 1.01, 5, 250, 251, 1e9),
  }),
);

const LABELS = fc.record({
  where: fc.constantFrom("here", 'th"e\\re\n', ""),
  what: fc.constantFrom("x", "y"),
});

Deno.test("metrics: several threads added up are what prom-client counts for all of them", async () => {
  const counted = fc.array(fc.record({ labels: LABELS, actions: fc.array(ACTION) }));
  await fc.assert(fc.asyncProperty(counted, async (threads) => {
    const oracle = new Oracle();
    const samples = threads.flatMap(({ labels, actions }) => {
      const counts = countsOf(GROUP, labels);
      oracle.start(labels);
      for (const action of actions) {
        count(counts, action);
        oracle.count(labels, action);
      }
      // As it comes from another thread.
      return structuredClone(samplesOf(counts));
    });
    deepEqual(seriesOf(renderMetrics([GROUP], samples)), seriesOf(await oracle.text()));
  }));
});

Deno.test("metrics: name, kind and help are said once, in order, whether or not anything is counted", () => {
  const group = metricGroup([], {
    some: counter("some_total", "It\nis \\"),
    level: gauge("l", "L"),
  });
  const text = "# HELP some_total It\\nis \\\\\n# TYPE some_total counter\n";
  equal(renderMetrics([group], []), `${text}# HELP l L\n# TYPE l gauge\n`);
  const given = samplesOf(countsOf(group, {}, { some: 2 }));
  equal(
    renderMetrics([group], [...given, ...given]),
    `${text}some_total 4\n# HELP l L\n# TYPE l gauge\nl 0\n`,
  );
});

Deno.test("metrics: OpenMetrics has exemplars, the newest of all threads, and its own names of families", () => {
  const labels = { where: "a", what: "b" };
  const [one, other] = [countsOf(GROUP, labels), countsOf(GROUP, labels)];
  for (const [counts, trace, atMs] of [[one, "old", 1_000], [other, "new", 2_500]] as const) {
    counts.plain++;
    counts.durations.observe(4);
    counts.durations.exemplify(4, trace, atMs);
  }
  const samples = [...samplesOf(one), ...samplesOf(other)];
  const format = metricsFormat("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2");
  const lines = renderMetrics([GROUP], samples, format).trimEnd().split("\n");
  equal(lines.at(-1), "# EOF");
  deepEqual(lines.filter((line) => line.includes("plain")), [
    '# HELP plain What \\"it\\" is:\\nC:\\\\',
    "# TYPE plain counter",
    'plain_total{where="a",what="b"} 2',
  ]);
  deepEqual(lines.filter((line) => line.includes("_bucket")), [
    'duration_seconds_bucket{where="a",what="b",le="0.001"} 0',
    'duration_seconds_bucket{where="a",what="b",le="0.005"} 2 # {trace_id="new"} 0.004 2.5',
    'duration_seconds_bucket{where="a",what="b",le="0.25"} 2',
    'duration_seconds_bucket{where="a",what="b",le="+Inf"} 2',
  ]);
  const plain = renderMetrics([GROUP], samples, metricsFormat(""));
  equal(plain.includes("trace_id") || plain.includes("EOF"), false);
});
