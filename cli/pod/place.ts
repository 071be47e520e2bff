/** The pods that a person names as kubectl lets them be named: by themselves, or by what makes or fronts them. */
import { CommandFailure, usageFailure } from "../../console/exit.ts";
import { isNotFound } from "../../controller/install/cluster.ts";
import type { KubeClient } from "../../controller/kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "../../controller/kube/fields.ts";
import { allItems } from "../../controller/kube/pages.ts";

export interface PodPlace {
  readonly namespace: string;
  readonly name: string;
}

/** Where the objects of a kind are, and where their selector is below `spec`. */
interface Owner {
  readonly kind: string;
  readonly api: string;
  readonly selector: readonly string[];
}

const LABELS = ["selector", "matchLabels"];
const APPS = "/apis/apps/v1";
const OWNERS: Readonly<Record<string, Owner>> = {
  service: { kind: "services", api: "/api/v1", selector: ["selector"] },
  deployment: { kind: "deployments", api: APPS, selector: LABELS },
  statefulset: { kind: "statefulsets", api: APPS, selector: LABELS },
  daemonset: { kind: "daemonsets", api: APPS, selector: LABELS },
  replicaset: { kind: "replicasets", api: APPS, selector: LABELS },
  job: { kind: "jobs", api: "/apis/batch/v1", selector: LABELS },
};

const SHORT: Readonly<Record<string, string>> = {
  svc: "service",
  deploy: "deployment",
  sts: "statefulset",
  ds: "daemonset",
  rs: "replicaset",
};

/**
 * `NAME`, `NAMESPACE/NAME`, or with what it is in front, as kubectl prints it: `pod/NAME`, `deployment/NAME`, `service/NAME`.
 * Pods of a workload are those that run, by their names.
 * @throws {CommandFailure} there are none
 */
export async function podsAt(
  client: KubeClient,
  word: string,
  namespace: string | undefined,
): Promise<readonly PodPlace[]> {
  const parts = /^(?:([-a-z0-9]+)\/)?([-.a-z0-9]+)$/.exec(word.replace(/^pods?\//, ""));
  if (parts === null) {
    const hint = "Write it as NAME, NAMESPACE/NAME or deployment/NAME.";
    throw usageFailure(`"${word}" names no pod`, hint);
  }
  const [, before, name] = parts;
  const owner = OWNERS[SHORT[before] ?? before?.replace(/s$/, "")];
  const place = (owner === undefined ? before : undefined) ?? namespace ??
    await client.namespace();
  if (owner === undefined) return [{ namespace: place, name }];
  return await podsOf(client, owner, { namespace: place, name });
}

async function podsOf(
  client: KubeClient,
  { kind, api, selector }: Owner,
  { namespace, name }: PodPlace,
): Promise<readonly PodPlace[]> {
  const found = await client.call("GET", `${api}/namespaces/${namespace}/${kind}/${name}`)
    .catch((error) => {
      if (!isNotFound(error)) throw error;
      throw new CommandFailure(`There is no ${kind.replace(/s$/, "")} ${namespace}/${name}`, {
        hint: `See kubectl get ${kind} -n ${namespace}; -n names another namespace.`,
      });
    });
  const labels = selector.reduce<unknown>(
    (value, field) => fieldsOf(value)[field],
    fieldsOf(found)["spec"],
  );
  const wanted = Object.entries(fieldsOf(labels)).map((pair) => pair.join("="));
  const path = `/api/v1/namespaces/${namespace}/pods`;
  // Without a selector it would be every pod.
  const pods = wanted.length === 0
    ? []
    : await allItems(client, path, { labelSelector: wanted.join(",") });
  const places = pods.filter(isRunning).map(({ metadata }) => ({
    namespace,
    name: textField(fieldsOf(metadata), "name") ?? "",
  }));
  if (places.length > 0) return places.sort((a, b) => a.name < b.name ? -1 : 1);
  throw new CommandFailure(`No pod of ${kind.replace(/s$/, "")} ${namespace}/${name} runs`, {
    hint: `See kubectl get pods -n ${namespace}.`,
  });
}

function isRunning({ metadata, status }: JsonFields): boolean {
  return textField(fieldsOf(status), "phase") === "Running" &&
    fieldsOf(metadata)["deletionTimestamp"] === undefined;
}
