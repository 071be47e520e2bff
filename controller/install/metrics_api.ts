/** The registration of the SMI metrics API. It is made only where it is asked for: while nothing answers it, no namespace can be deleted. */
import { METRICS_GROUP, METRICS_VERSION } from "../smi_metrics/objects.ts";
import { type ApiObject, CONTROLLER, labelsOf } from "./objects.ts";

/** Every field that the API server would fill in stands here. @param authority of the controller's certificate, in PEM */
export function metricsApi(namespace: string, authority: string): ApiObject {
  const version = METRICS_VERSION.slice(METRICS_GROUP.length + 1);
  return {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name: `${version}.${METRICS_GROUP}`, labels: labelsOf("metrics-api") },
    spec: {
      group: METRICS_GROUP,
      version,
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { name: CONTROLLER, namespace, port: 443 },
      caBundle: new TextEncoder().encode(authority).toBase64(),
    },
  };
}
