/**
 * EndpointCounts: what each endpoint answered, told apart by the pod that answered and the workload that asked. What is
 * counted of an endpoint stays while plans have its pod, and goes with it.
 */
import {
  type Counts,
  countsOf,
  labelKey,
  type MetricSample,
  samplesOf,
} from "../../base/metrics.ts";
import { COUNTED_PODS_MIN } from "../limits.ts";
import { ENDPOINTS } from "./metrics.ts";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";

/** A pod and what owns it. What is not known says so: an empty label would be the same as none. */
export interface CountedWorkload {
  readonly namespace: string;
  /** `Deployment`. */
  readonly kind: string;
  readonly name: string;
  readonly pod: string;
}

interface PodCounts {
  /** `workload pod`, as plans have them. */
  readonly pod: string;
  readonly counts: Counts<typeof ENDPOINTS>;
}

export class EndpointCounts {
  /** Endpoint objects stay while plans do not change them, so this finds an endpoint's counters without making a key. */
  #byEndpoint = new WeakMap<TableEndpoint, PodCounts>();
  readonly #byLabels = new Map<string, PodCounts>();
  /** How many series `retain` left. */
  #retained = 0;

  /**
   * The counters of an endpoint.
   * @param backend `namespace/service`: a Service's pods are in its own namespace
   */
  of(endpoint: TableEndpoint, source: CountedWorkload, backend: string): Counts<typeof ENDPOINTS> {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known.counts;
    const { plan } = endpoint;
    const namespace = backend.slice(0, backend.indexOf("/"));
    const destination = workloadOf(namespace, plan.workload, plan.pod);
    const labels = {
      source_namespace: source.namespace,
      source_kind: source.kind,
      source_name: source.name,
      source_pod: source.pod,
      destination_namespace: destination.namespace,
      destination_kind: destination.kind,
      destination_name: destination.name,
      destination_pod: destination.pod,
    };
    const key = labelKey(...Object.values(labels));
    let counted = this.#byLabels.get(key);
    if (counted === undefined) {
      counted = { pod: podKey(endpoint), counts: countsOf(ENDPOINTS, labels) };
      this.#byLabels.set(key, counted);
    }
    this.#byEndpoint.set(endpoint, counted);
    return counted.counts;
  }

  /** Much has been counted since `retain` was last called. */
  get isGrown(): boolean {
    return this.#byLabels.size > Math.max(COUNTED_PODS_MIN, 2 * this.#retained);
  }

  /** Drops what is counted of pods that a new plan does not have any more. */
  retain(endpoints: Iterable<TableEndpoint>): void {
    const counted = new Set(Array.from(this.#byLabels.values(), ({ pod }) => pod));
    const kept = new Set<string>();
    // A mesh has many pods, of which few are counted.
    for (const endpoint of counted.size === 0 ? [] : endpoints) {
      const pod = podKey(endpoint);
      if (counted.has(pod)) kept.add(pod);
    }
    for (const [key, { pod }] of this.#byLabels) if (!kept.has(pod)) this.#byLabels.delete(key);
    this.#byEndpoint = new WeakMap();
    this.#retained = this.#byLabels.size;
  }

  *samples(): Iterable<MetricSample> {
    for (const { counts } of this.#byLabels.values()) yield* samplesOf(counts);
  }
}

/** @param workload `Deployment/name`; empty if not known */
export function workloadOf(namespace: string, workload: string, pod: string): CountedWorkload {
  const slash = workload.indexOf("/");
  const named = (text: string) => text === "" ? "unknown" : text;
  return {
    namespace: named(namespace),
    kind: named(workload.slice(0, Math.max(0, slash))),
    name: named(workload.slice(slash + 1)),
    pod: named(pod),
  };
}

function podKey({ plan: { workload, pod } }: TableEndpoint): string {
  return `${workload} ${pod}`;
}
