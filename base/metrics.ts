/**
 * Metrics: what a process counts. Each metric is declared once, with its name, kind, help and labels. From the declaration
 * come the numbers that code adds to, their sums over several threads, and the text that Prometheus reads (exposition
 * format 0.0.4, or OpenMetrics 1.0, which has exemplars).
 */
/** Numbers as plain data, by the values of a metric's own labels (`labelKey`); of a histogram by bucket, with `sum`. */
type Parts = readonly (readonly [key: string, value: number])[];

/** The declaration of a metric. `Numbers` is what code adds to. */
export interface Metric<Numbers> {
  readonly name: string;
  readonly kind: "counter" | "gauge" | "histogram";
  readonly help: string;
  /** Besides those of its group. */
  readonly labels: readonly string[];
  /** Upper bounds of a histogram's buckets, as they are shown. */
  readonly bounds?: readonly number[];
  /** Nothing is counted yet. */
  start(): Numbers;
  read(numbers: Numbers): Parts;
  /** Of a histogram, by bucket. */
  exemplars?(numbers: Numbers): readonly Exemplar[];
}

/** One of what a bucket has counted, by its trace. */
interface Exemplar {
  readonly bucket: string;
  readonly trace: string;
  /** As it is shown. */
  readonly value: number;
  /** Seconds since 1970. */
  readonly at: number;
}

/** Metrics that are counted together, because they have the same labels. */
export interface MetricGroup<
  Label extends string = string,
  Members extends MembersOfGroup = MembersOfGroup,
> {
  readonly labels: readonly Label[];
  readonly metrics: Members;
}

type MembersOfGroup = Readonly<Record<string, Metric<unknown>>>;

/** The numbers of a group for one set of label values: a field for each of its metrics. */
export type Counts<Group> = Group extends MetricGroup<infer Label, infer Members> ?
    & { readonly group: Group; readonly labels: Readonly<Record<Label, string>> }
    & Numbers<Members>
  : never;

type Numbers<Members> = {
  -readonly [Key in keyof Members]: Members[Key] extends Metric<infer Of> ? Of : never;
};

/** The numbers of one metric for one set of its group's label values; plain data, to go from thread to thread. */
export type MetricSample = readonly [
  metric: string,
  labels: readonly string[],
  parts: Parts,
  exemplars: readonly Exemplar[],
];

/** How numbers are written. */
export type MetricsFormat = "prometheus" | "openmetrics";

// Declarations.

export function counter(name: string, help: string): Metric<number> {
  return { name, kind: "counter", help, labels: [], start: () => 0, read: readNumber };
}

/** A number that also goes down. Those of several threads are added. */
export function gauge(name: string, help: string): Metric<number> {
  return { ...counter(name, help), kind: "gauge" };
}

/** A counter for each of the values that its label can have. All of them are there from the start. */
export function counterOf<Value extends string>(
  name: string,
  help: string,
  label: string,
  values: readonly Value[],
): Metric<Record<Value, number>> {
  return {
    name,
    kind: "counter",
    help,
    labels: [label],
    start: () => Object.fromEntries(values.map((value) => [value, 0])) as Record<Value, number>,
    read: (numbers) => Object.entries<number>(numbers),
  };
}

/** The same by the place of a value among `values`, for what is counted with every request. */
export function counterByPlace(
  name: string,
  help: string,
  label: string,
  values: readonly string[],
): Metric<Float64Array> {
  return {
    name,
    kind: "counter",
    help,
    labels: [label],
    start: () => new Float64Array(values.length),
    read: (numbers) => values.map((value, place) => [value, numbers[place]]),
  };
}

/** A counter for each combination of label values that comes up. There must be few of them. */
export function openCounter<Key extends string | number = string>(
  name: string,
  help: string,
  labels: readonly string[],
): Metric<OpenCounter<Key>> {
  return {
    name,
    kind: "counter",
    help,
    labels,
    start: () => new OpenCounter(),
    read: (numbers) => numbers.parts,
  };
}

/** @param unit by which bounds and sum are divided where they are shown, such as 1000 for milliseconds shown as seconds */
export function histogram(
  name: string,
  help: string,
  bounds: readonly number[],
  unit = 1,
): Metric<Histogram> {
  return {
    name,
    kind: "histogram",
    help,
    labels: [],
    bounds: bounds.map((bound) => bound / unit),
    start: () => new Histogram(bounds),
    read: ({ counts, sum }) => [
      ...Array.from(counts, (count, bucket) => [String(bucket), count] as const),
      ["sum", sum / unit],
    ],
    exemplars: ({ exemplars }) =>
      Array.from(exemplars, ([bucket, { value, trace, atMs }]) => ({
        bucket: String(bucket),
        trace,
        value: value / unit,
        at: atMs / 1_000,
      })),
  };
}

export function metricGroup<Label extends string, Members extends MembersOfGroup>(
  labels: readonly Label[],
  metrics: Members,
): MetricGroup<Label, Members> {
  return { labels, metrics };
}

function readNumber(value: number): Parts {
  return [["", value]];
}

// Counting.

class OpenCounter<Key extends string | number = string> {
  readonly #counts = new Map<Key, number>();

  /** @param key the value of the label; of several labels their `labelKey` */
  add(key: Key): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
  }

  /** It is there from now on, at zero: a rate of what is counted needs a number before. */
  expect(key: Key): void {
    if (!this.#counts.has(key)) this.#counts.set(key, 0);
  }

  get parts(): Parts {
    return Array.from(this.#counts, ([key, count]) => [String(key), count]);
  }
}

/** The values of several labels as one key. */
export function labelKey(...values: readonly string[]): string {
  return values.join("\0");
}

/** Numbers of a group with these label values, all at zero but those that are given. */
export function countsOf<Label extends string, Members extends MembersOfGroup>(
  group: MetricGroup<Label, Members>,
  labels: Readonly<Record<Label, string>>,
  given: Partial<Numbers<Members>> = {},
): Counts<MetricGroup<Label, Members>> {
  const counts: Record<string, unknown> = { group, labels };
  for (const [key, metric] of Object.entries(group.metrics)) counts[key] = metric.start();
  return Object.assign(counts, given) as Counts<MetricGroup<Label, Members>>;
}

export function samplesOf(
  counts: { readonly group: MetricGroup; readonly labels: Readonly<Record<string, string>> },
): MetricSample[] {
  const { group, labels } = counts;
  const values = group.labels.map((label) => labels[label]);
  const numbers: Readonly<Record<string, unknown>> = { ...counts };
  return Object.entries(group.metrics).map(([key, metric]) =>
    [
      metric.name,
      values,
      metric.read(numbers[key]),
      metric.exemplars?.(numbers[key]) ?? NO_EXEMPLARS,
    ] as const
  );
}

const NO_EXEMPLARS: readonly Exemplar[] = [];

// Rendering.

export const METRICS_TYPES: Readonly<Record<MetricsFormat, string>> = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** @param accept header of a request; empty if it has none */
export function metricsFormat(accept: string): MetricsFormat {
  return accept.includes("application/openmetrics-text") ? "openmetrics" : "prometheus";
}

/** Samples of the same metric and labels are added. */
export function renderMetrics(
  groups: readonly MetricGroup[],
  samples: Iterable<MetricSample>,
  format: MetricsFormat = "prometheus",
): string {
  const sums = addUp(samples);
  let text = "";
  for (const { labels, metrics } of groups) {
    for (const metric of Object.values(metrics)) {
      const { name, kind, help } = metric;
      // A family of OpenMetrics has the name without what its samples end in.
      const family = format === "openmetrics" ? name.replace(/_total$/, "") : name;
      const about = format === "openmetrics"
        ? escapeHelp(help).replaceAll('"', '\\"')
        : escapeHelp(help);
      text += `# HELP ${family} ${about}\n# TYPE ${family} ${kind}\n`;
      for (const { values, parts, exemplars } of sums.get(name)?.values() ?? []) {
        const common = values.map((value, i) => labelText(labels[i], value));
        const lines = kind === "histogram"
          ? histogramLines(metric, common, parts, format === "openmetrics" ? exemplars : new Map())
          : partLines(metric, common, parts);
        for (const line of lines) text += `${line}\n`;
      }
    }
  }
  return format === "openmetrics" ? `${text}# EOF\n` : text;
}

interface Sum {
  /** Of the group's labels. */
  readonly values: readonly string[];
  readonly parts: Map<string, number>;
  /** By bucket, the newest. */
  readonly exemplars: Map<string, Exemplar>;
}

/** By metric and label values. */
function addUp(samples: Iterable<MetricSample>): Map<string, Map<string, Sum>> {
  const sums = new Map<string, Map<string, Sum>>();
  for (const [name, values, parts, exemplars] of samples) {
    const bySeries = sums.get(name) ?? new Map<string, Sum>();
    sums.set(name, bySeries);
    const key = labelKey(...values);
    const sum: Sum = bySeries.get(key) ?? { values, parts: new Map(), exemplars: new Map() };
    bySeries.set(key, sum);
    for (const [part, value] of parts) sum.parts.set(part, (sum.parts.get(part) ?? 0) + value);
    for (const exemplar of exemplars) {
      const known = sum.exemplars.get(exemplar.bucket);
      if (known === undefined || known.at < exemplar.at) {
        sum.exemplars.set(exemplar.bucket, exemplar);
      }
    }
  }
  return sums;
}

function* partLines(
  { name, labels }: Metric<unknown>,
  common: readonly string[],
  parts: ReadonlyMap<string, number>,
): Iterable<string> {
  for (const [key, value] of parts) {
    const own = key.split("\0");
    yield line(name, [...common, ...labels.map((label, i) => labelText(label, own[i]))], value);
  }
}

function* histogramLines(
  { name, bounds = [] }: Metric<unknown>,
  common: readonly string[],
  parts: ReadonlyMap<string, number>,
  exemplars: ReadonlyMap<string, Exemplar>,
): Iterable<string> {
  let count = 0;
  for (let bucket = 0; bucket <= bounds.length; bucket++) {
    count += parts.get(String(bucket)) ?? 0;
    const bound = bounds[bucket] ?? "+Inf";
    const bucketLine = line(`${name}_bucket`, [...common, `le="${bound}"`], count);
    yield bucketLine + exemplarText(exemplars.get(String(bucket)));
  }
  yield line(`${name}_sum`, common, parts.get("sum") ?? 0);
  yield line(`${name}_count`, common, count);
}

function line(name: string, labels: readonly string[], value: number): string {
  return labels.length === 0 ? `${name} ${value}` : `${name}{${labels.join(",")}} ${value}`;
}

function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return "";
  const { trace, value, at } = exemplar;
  return ` # {${labelText("trace_id", trace)}} ${value} ${at}`;
}

function labelText(label: string, value: string): string {
  return `${label}="${escapeHelp(value).replaceAll('"', '\\"')}"`;
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** How many of some numbers lie in each of a row of buckets, and their sum. */
class Histogram {
  /** Upper bounds of the buckets; the last one has none. */
  readonly bounds: readonly number[];
  /** By bucket; not cumulative. */
  readonly counts: Float64Array;
  count = 0;
  sum = 0;
  /** By bucket, the last that was traced. */
  readonly exemplars = new Map<number, { value: number; trace: string; atMs: number }>();

  /** @param bounds in ascending order */
  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    this.counts[this.#bucketOf(value)]++;
    this.count++;
    this.sum += value;
  }

  /** What was observed has a trace. @param atMs since 1970 */
  exemplify(value: number, trace: string, atMs: number): void {
    this.exemplars.set(this.#bucketOf(value), { value, trace, atMs });
  }

  #bucketOf(value: number): number {
    const { bounds } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    return bucket;
  }
}
