/**
 * EndpointCounts: what each endpoint answered, told apart by the pod that answered and the workload that asked, and how
 * long that took, by workload. What is counted stays while plans have the pod, and goes with it.
 */
import {
  type Counts,
  countsOf,
  labelKey,
  type MetricSample,
  samplesOf,
} from "../../base/metrics.ts";
import { COUNTED_PODS_MIN } from "../limits.ts";
import { ENDPOINTS, TIMES_BY_WORKLOAD } from "./metrics.ts";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";

/** A pod and what owns it. What is not known says so: an empty label would be the same as none. */
export interface CountedWorkload {
  readonly namespace: string;
  /** `Deployment`. */
  readonly kind: string;
  readonly name: string;
  readonly pod: string;
}

/** What is counted of one endpoint. */
interface EndpointCounted {
  readonly pod: Counts<typeof ENDPOINTS>;
  readonly workload: Counts<typeof TIMES_BY_WORKLOAD>;
}

interface PodCounts extends EndpointCounted {
  /** `workload pod`, as plans have them. */
  readonly key: string;
  /** Of its workload's counters. */
  readonly workloadKey: string;
}

export class EndpointCounts {
  /** Endpoint objects stay while plans do not change them, so this finds an endpoint's counters without making a key. */
  #byEndpoint = new WeakMap<TableEndpoint, PodCounts>();
  readonly #byLabels = new Map<string, PodCounts>();
  readonly #byWorkload = new Map<string, Counts<typeof TIMES_BY_WORKLOAD>>();
  /** How many series `retain` left. */
  #retained = 0;

  /**
   * The counters of an endpoint.
   * @param backend `namespace/service`: a Service's pods are in its own namespace
   */
  of(endpoint: TableEndpoint, source: CountedWorkload, backend: string): EndpointCounted {
    const known = this.#byEndpoint.get(endpoint);
    if (known !== undefined) return known;
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
    };
    const workloadKey = labelKey(...Object.values(labels));
    const key = labelKey(workloadKey, destination.pod);
    let counted = this.#byLabels.get(key);
    if (counted === undefined) {
      const workload = this.#byWorkload.get(workloadKey) ?? countsOf(TIMES_BY_WORKLOAD, labels);
      this.#byWorkload.set(workloadKey, workload);
      const pod = countsOf(ENDPOINTS, { ...labels, destination_pod: destination.pod });
      counted = { key: podKey(endpoint), workloadKey, pod, workload };
      this.#byLabels.set(key, counted);
    }
    this.#byEndpoint.set(endpoint, counted);
    return counted;
  }

  /** Much has been counted since `retain` was last called. */
  get isGrown(): boolean {
    return this.#byLabels.size > Math.max(COUNTED_PODS_MIN, 2 * this.#retained);
  }

  /** Drops what is counted of pods that a new plan does not have any more. */
  retain(endpoints: Iterable<TableEndpoint>): void {
    const counted = new Set(Array.from(this.#byLabels.values(), ({ key }) => key));
    const kept = new Set<string>();
    // A mesh has many pods, of which few are counted.
    for (const endpoint of counted.size === 0 ? [] : endpoints) {
      const pod = podKey(endpoint);
      if (counted.has(pod)) kept.add(pod);
    }
    const workloads = new Set<string>();
    for (const [labels, { key, workloadKey }] of this.#byLabels) {
      if (kept.has(key)) workloads.add(workloadKey);
      else this.#byLabels.delete(labels);
    }
    for (const key of this.#byWorkload.keys()) {
      if (!workloads.has(key)) this.#byWorkload.delete(key);
    }
    this.#byEndpoint = new WeakMap();
    this.#retained = this.#byLabels.size;
  }

  *samples(): Iterable<MetricSample> {
    for (const { pod } of this.#byLabels.values()) yield* samplesOf(pod);
    for (const workload of this.#byWorkload.values()) yield* samplesOf(workload);
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
