/** Containers of a pod as the API server gives it. */
import { PROXY_NAME } from "../../base/sidecar_pod.ts";
import { fieldsOf, type JsonFields } from "./fields.ts";

/** The sidecar's; undefined: it has none. */
export function sidecarOf(pod: JsonFields): JsonFields | undefined {
  const { initContainers, containers } = fieldsOf(pod["spec"]);
  return [initContainers, containers]
    .flatMap((list) => Array.isArray(list) ? list.map(fieldsOf) : [])
    .find(({ name }) => name === PROXY_NAME);
}
