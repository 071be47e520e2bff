/** What a cluster has of an installation, in the order in which it is removed: what the API server asks the controller for comes first, since nothing answers it afterwards. */
import { ROOT_API_VERSION, ROOT_KIND } from "../identity/root_certificate.ts";
import type { KubeClient } from "../kube/client.ts";
import { findObject, type Named, objectsLabelled } from "./cluster.ts";
import { isOurs, OWN_LABEL } from "./objects.ts";

const ADMISSION = "admissionregistration.k8s.io/v1";
const RBAC = "rbac.authorization.k8s.io/v1";

const OF_CLUSTER = [
  { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService" },
  { apiVersion: ADMISSION, kind: "MutatingWebhookConfiguration" },
  { apiVersion: ADMISSION, kind: "ValidatingWebhookConfiguration" },
  { apiVersion: RBAC, kind: "ClusterRoleBinding" },
  { apiVersion: RBAC, kind: "ClusterRole" },
];

/** Of a namespace that stays. */
const OF_NAMESPACE = [
  { apiVersion: "apps/v1", kind: "Deployment" },
  { apiVersion: "policy/v1", kind: "PodDisruptionBudget" },
  { apiVersion: "v1", kind: "Service" },
  { apiVersion: RBAC, kind: "RoleBinding" },
  { apiVersion: RBAC, kind: "Role" },
  { apiVersion: "v1", kind: "ServiceAccount" },
  { apiVersion: "v1", kind: "ConfigMap" },
  // Without its key an authority would keep the next installation from making one.
  { apiVersion: ROOT_API_VERSION, kind: ROOT_KIND },
  { apiVersion: "v1", kind: "Secret" },
  { apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
];

/** All but definitions; a namespace that Weft has made goes with all that is in it. */
export async function remainsOf(client: KubeClient, namespace: string): Promise<Named[]> {
  const remains: Named[] = [];
  for (const kind of OF_CLUSTER) {
    remains.push(...await objectsLabelled(client, kind, { label: OWN_LABEL }));
  }
  const place: Named = { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } };
  const found = await findObject(client, place);
  if (found === null) return remains;
  if (isOurs(found)) return [...remains, place];
  for (const kind of OF_NAMESPACE) {
    remains.push(...await objectsLabelled(client, kind, { label: OWN_LABEL, namespace }));
  }
  return remains;
}
