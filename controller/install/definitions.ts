/** The custom resource definitions of an installation. Those that another mesh has brought are its own, and stay as they are. */
import { definitionOf, KINDS_DEFINED } from "../../schemas/crds/definitions.ts";
import type { KubeClient } from "../kube/client.ts";
import { fieldsOf } from "../kube/fields.ts";
import { findObject } from "./cluster.ts";
import type { ApiObject } from "./objects.ts";

const MANAGED_BY = "app.kubernetes.io/managed-by";

export function definitions(): ApiObject[] {
  return KINDS_DEFINED.flatMap((kind) => {
    const definition = definitionOf(kind);
    if (definition === undefined) return [];
    const metadata = { ...definition.metadata, labels: { [MANAGED_BY]: "weft" } };
    return [{ ...definition, metadata }];
  });
}

/** Whether a definition is there that is not ours. */
export async function isForeign(client: KubeClient, definition: ApiObject): Promise<boolean> {
  const found = await findObject(client, definition);
  if (found === null) return false;
  const labels = fieldsOf(fieldsOf(found["metadata"])["labels"]);
  return labels[MANAGED_BY] !== "weft";
}
