/** What sidecars count within a span of time: each is asked at its beginning and at its end, by way of the API server. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, usageFailure } from "../../console/exit.ts";
import { parseTimeLimitMs } from "../../console/values.ts";
import { HEALTH_PORT } from "../../controller/inject/containers.ts";
import { ownerOf } from "../../controller/inject/workload.ts";
import { type KubeClient, KubeError } from "../../controller/kube/client.ts";
import { fieldsOf, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";
import { sidecarOf } from "../../controller/kube/pod_containers.ts";
import {
  countsSince,
  readSidecarCounts,
  type SidecarCounts,
} from "../../controller/traffic/sidecar_counts.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { TRAFFIC_PODS_AT_ONCE, TRAFFIC_PODS_MAX, TRAFFIC_WINDOW_MS_MAX } from "../limits.ts";

/** A pod with a sidecar. */
interface MeshPod {
  readonly namespace: string;
  readonly name: string;
  /** `Deployment/web`. */
  readonly workload: string;
}

export interface Sampled {
  readonly pod: MeshPod;
  readonly counts: SidecarCounts;
}

/** Pods that run and have a sidecar. @param namespace undefined: all */
export async function meshPods(
  client: KubeClient,
  namespace: string | undefined,
): Promise<MeshPod[]> {
  const scope = namespace === undefined ? "" : `/namespaces/${namespace}`;
  const items = await allItems(client, `/api/v1${scope}/pods`, {
    fieldSelector: "status.phase=Running",
  });
  const pods = items.filter((pod) => sidecarOf(pod) !== undefined).map((pod): MeshPod => {
    const metadata = fieldsOf(pod["metadata"]);
    return {
      namespace: textField(metadata, "namespace") ?? "",
      name: textField(metadata, "name") ?? "",
      // What the API server gives has this shape.
      workload: ownerOf(metadata),
    };
  });
  if (pods.length <= TRAFFIC_PODS_MAX) return pods;
  throw new CommandFailure(
    `${pods.length} pods have sidecars, and no more than ${TRAFFIC_PODS_MAX} are asked one by one`,
    { hint: "Name one namespace with -n, or ask a Prometheus that scrapes them." },
  );
}

export class Sampler {
  readonly #client: KubeClient;
  readonly #before = new Map<string, SidecarCounts>();
  #atMs: number | null = null;

  constructor(client: KubeClient) {
    this.#client = client;
  }

  /**
   * What these pods have counted since the last call, and in how many seconds, which is null at the first one; of a pod that is new there
   * is nothing yet.
   */
  async take(
    pods: readonly MeshPod[],
  ): Promise<{ seconds: number | null; sampled: Sampled[] }> {
    const nowMs = performance.now();
    const seconds = this.#atMs === null ? null : (nowMs - this.#atMs) / 1_000;
    this.#atMs = nowMs;
    const sampled: Sampled[] = [];
    for await (const { pod, text } of sidecarTexts(this.#client, pods)) {
      const key = `${pod.namespace}/${pod.name}`;
      const before = this.#before.get(key);
      if (text === null) {
        this.#before.delete(key);
        continue;
      }
      const now = readSidecarCounts(text);
      this.#before.set(key, now);
      if (before !== undefined) sampled.push({ pod, counts: countsSince(now, before) });
    }
    return { seconds, sampled };
  }
}

/** The metrics of each sidecar, as Prometheus would read them; null: it is not there any more, or not yet. */
export async function* sidecarTexts(
  client: KubeClient,
  pods: readonly MeshPod[],
): AsyncIterable<{ readonly pod: MeshPod; readonly text: string | null }> {
  for (let at = 0; at < pods.length; at += TRAFFIC_PODS_AT_ONCE) {
    yield* await Promise.all(
      pods.slice(at, at + TRAFFIC_PODS_AT_ONCE)
        .map(async (pod) => ({ pod, text: await metricsOf(client, pod) })),
    );
  }
}

async function metricsOf(client: KubeClient, { namespace, name }: MeshPod): Promise<string | null> {
  const path = `/api/v1/namespaces/${namespace}/pods/http:${name}:${HEALTH_PORT}/proxy/metrics`;
  try {
    return await client.text("GET", path);
  } catch (error) {
    if (error instanceof KubeError && error.status !== 403) return null;
    throw error;
  }
}

export interface TrafficOptions extends ClusterOptions {
  readonly allNamespaces: boolean;
  readonly window: string;
  readonly output: "table" | "json";
}

/**
 * Asks the sidecars of some pods twice, so far apart as the options say.
 * @param podsOf the namespace whose pods are asked, by the one that is asked about; undefined is all
 */
export async function sampleOnce(
  options: TrafficOptions,
  environment: Environment,
  podsOf: (namespace: string | undefined) => string | undefined,
): Promise<{ seconds: number; sampled: Sampled[]; namespace: string | undefined }> {
  const windowMs = parseTimeLimitMs(options.window);
  if (windowMs > TRAFFIC_WINDOW_MS_MAX) {
    throw usageFailure(`--window cannot be ${options.window}`, "Give an hour at most.");
  }
  return await withCluster(options, environment, async (client) => {
    const namespace = options.allNamespaces
      ? undefined
      : options.namespace ?? await client.namespace();
    const sampler = new Sampler(client);
    const pods = await meshPods(client, podsOf(namespace));
    await sampler.take(pods);
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    const { seconds, sampled } = await sampler.take(pods);
    return { seconds: seconds ?? windowMs / 1_000, sampled, namespace };
  });
}
