/**
 * EndpointCounts: what each endpoint answered, told apart by the pod that answered and the workload that asked. What is
 * counted of an endpoint stays while plans have its pod, and goes with it.
 */
import type { TableEndpoint } from "../../routing/table/table.ts";
import { DurationHistogram } from "../../base/histogram.ts";

/** A pod and what owns it. Each part is empty where it is not known. */
export interface Workload {
  readonly namespace: string;
  /** `Deployment`. */
  readonly kind: string;
  readonly name: string;
  readonly pod: string;
}

export interface EndpointLabels {
  readonly source: Workload;
  readonly destination: Workload;
}

export class EndpointStats {
  readonly labels: EndpointLabels;
  /** Answers by status. */
  readonly answers = new Map<number, number>();
  readonly durations = new DurationHistogram();

  constructor(labels: EndpointLabels) {
    this.labels = labels;
  }

  observe(status: number, durationMs: number): void {
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    this.durations.observe(durationMs);
  }
}

/** `EndpointStats` as plain data. */
export interface EndpointSnapshot {
  readonly labels: EndpointLabels;
  readonly answers: readonly (readonly [status: number, count: number])[];
  readonly durations: readonly number[];
  readonly durationSumMs: number;
}

export class EndpointCounts {
  /** Each table has endpoint objects of its own, so this finds an endpoint's counters without making a key. */
  readonly #byEndpoint = new Map<TableEndpoint, EndpointStats>();
  #byLabels = new Map<string, EndpointStats>();

  /**
   * The counters of an endpoint.
   * @param namespace of the endpoint: a Service's pods are in the Service's own
   */
  of(endpoint: TableEndpoint, source: Workload, namespace: string): EndpointStats {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
    const labels = { source, destination: destinationOf(endpoint, namespace) };
    const key = keyOf(labels);
    let stats = this.#byLabels.get(key);
    if (stats === undefined) {
      stats = new EndpointStats(labels);
      this.#byLabels.set(key, stats);
    }
    this.#byEndpoint.set(endpoint, stats);
    return stats;
  }

  /** Drops what is counted of pods that a new plan does not have any more. */
  retain(endpoints: Iterable<TableEndpoint>): void {
    const pods = new Set<string>();
    for (const { plan } of endpoints) pods.add(`${plan.workload} ${plan.pod}`);
    this.#byLabels = new Map(
      [...this.#byLabels].filter(([, { labels: { destination } }]) =>
        pods.has(`${workloadOf(destination)} ${destination.pod}`)
      ),
    );
    // The objects are of the last plan's tables.
    this.#byEndpoint.clear();
  }

  snapshot(): EndpointSnapshot[] {
    return Array.from(this.#byLabels.values(), ({ labels, answers, durations }) => ({
      labels,
      answers: [...answers],
      durations: Array.from(durations.counts),
      durationSumMs: durations.sumMs,
    }));
  }
}

/** @param workload `Deployment/name`; empty where not known */
export function parseWorkload(namespace: string, workload: string, pod: string): Workload {
  const slash = workload.indexOf("/");
  if (slash < 0) return { namespace, kind: "", name: workload, pod };
  return { namespace, kind: workload.slice(0, slash), name: workload.slice(slash + 1), pod };
}

function destinationOf({ plan }: TableEndpoint, namespace: string): Workload {
  return parseWorkload(namespace, plan.workload, plan.pod);
}

function workloadOf({ kind, name }: Workload): string {
  return kind === "" ? name : `${kind}/${name}`;
}

/** Tells counters apart; also where those of several loops are added. */
export function keyOf({ source, destination }: EndpointLabels): string {
  return [source, destination].map(({ namespace, kind, name, pod }) =>
    `${namespace} ${kind} ${name} ${pod}`
  ).join(" ");
}
