/** A sidecar of a pod, asked as if it were on this machine: through the API server, to the admin port that only the pod itself reaches. */
import type { Environment } from "../../console/environment.ts";
import { CommandFailure } from "../../console/exit.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { PortForward } from "../../controller/kube/port_forward.ts";
import { sidecarOf } from "../../controller/kube/pod_containers.ts";
import type { ClusterOptions } from "../cluster/options.ts";
import { withCluster } from "../cluster/with_cluster.ts";
import { type PodPlace, podsAt } from "./place.ts";

const ADMIN_PORT = 15000;

/** Runs `work` with an address at which the sidecar's admin port answers: that of the first pod, where a workload is named. */
export function withPodAdmin<T>(
  pod: string,
  options: ClusterOptions,
  environment: Environment,
  work: (admin: string) => Promise<T>,
): Promise<T> {
  return withCluster(options, environment, async (client) => {
    const [place] = await podsAt(client, pod, options.namespace);
    return await atAdmin(client, place, work);
  });
}

/**
 * As {@link withPodAdmin}, at once for each pod that is named.
 * @throws {CommandFailure} they are more than `podsMax`
 */
export function withPodAdmins<T>(
  pod: string,
  podsMax: number,
  options: ClusterOptions,
  environment: Environment,
  work: (admin: string, place: PodPlace, pods: number) => Promise<T>,
): Promise<T[]> {
  return withCluster(options, environment, async (client) => {
    const places = await podsAt(client, pod, options.namespace);
    if (places.length > podsMax) {
      throw new CommandFailure(
        `${pod} has ${places.length} pods; at most ${podsMax} can be asked`,
        {
          hint: `Name one: ${places[0].namespace}/${places[0].name}`,
        },
      );
    }
    return await Promise.all(
      places.map((place) => atAdmin(client, place, (admin) => work(admin, place, places.length))),
    );
  });
}

async function atAdmin<T>(
  client: KubeClient,
  { namespace, name }: PodPlace,
  work: (admin: string) => Promise<T>,
): Promise<T> {
  await requireSidecar(client, namespace, name);
  using forward = new PortForward(client, { namespace, pod: name, port: ADMIN_PORT });
  try {
    return await work(forward.address);
  } catch (error) {
    if (forward.problem === null) throw error;
    throw new CommandFailure(`No way to pod ${namespace}/${name}: ${forward.problem}`, {
      hint: "The user of the kubeconfig needs the right to create pods/portforward.",
    });
  }
}

/** Who a pod is, `namespace/serviceaccount`, and its own name with its namespace. */
export async function identityOf(
  client: KubeClient,
  pod: string,
  options: ClusterOptions,
): Promise<{ readonly identity: string; readonly place: string }> {
  const [{ namespace, name }] = await podsAt(client, pod, options.namespace);
  const found = await requirePod(client, namespace, name);
  const account = textField(fieldsOf(found["spec"]), "serviceAccountName") ?? "default";
  return { identity: `${namespace}/${account}`, place: `${namespace}/${name}` };
}

async function requirePod(
  client: KubeClient,
  namespace: string,
  name: string,
): Promise<JsonFields> {
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  return fieldsOf(
    await client.call("GET", path).catch((error) => {
      if (!isNotFound(error)) throw error;
      throw new CommandFailure(`There is no pod ${namespace}/${name}`, {
        hint: `See kubectl get pods -n ${namespace}; -n names another namespace.`,
      });
    }),
  );
}

async function requireSidecar(client: KubeClient, namespace: string, name: string): Promise<void> {
  const pod = await requirePod(client, namespace, name);
  if (sidecarOf(pod) === undefined) {
    throw new CommandFailure(`Pod ${namespace}/${name} has no sidecar`, {
      hint:
        `Put its namespace into the mesh (weft namespace add ${namespace}), then make the pod anew.`,
    });
  }
  const phase = textField(fieldsOf(pod["status"]), "phase") ?? "Unknown";
  if (phase === "Succeeded" || phase === "Failed") {
    throw new CommandFailure(`Pod ${namespace}/${name} has ended (${phase})`);
  }
}
