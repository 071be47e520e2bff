/** What the kubelets of a cluster can do, by their versions. */
import type { KubeClient } from "./kube/client.ts";
import { fieldsOf, type JsonFields, textField } from "./kube/fields.ts";
import { PAGE_OBJECTS } from "./limits.ts";

/** The minor version of Kubernetes 1 from which init containers that restart always are on by default. */
const NATIVE_SIDECARS_MINOR = 29;

/** False also where there are no nodes: then it is not known. */
export async function everyKubeletIsNative(client: KubeClient): Promise<boolean> {
  let nodes = 0;
  for (let token: string | undefined = "";;) {
    const query = new URLSearchParams({ limit: `${PAGE_OBJECTS}`, continue: token });
    const page = fieldsOf(await client.call("GET", `/api/v1/nodes?${query}`));
    const items = Array.isArray(page["items"]) ? page["items"].map(fieldsOf) : [];
    if (!items.every(isNative)) return false;
    nodes += items.length;
    token = textField(fieldsOf(page["metadata"]), "continue");
    if (token === undefined) return nodes > 0;
  }
}

function isNative(node: JsonFields): boolean {
  const info = fieldsOf(fieldsOf(node["status"])["nodeInfo"]);
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(textField(info, "kubeletVersion") ?? "") ?? [];
  return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= NATIVE_SIDECARS_MINOR);
}
