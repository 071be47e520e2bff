/** The custom resource definitions of an installation. Those that another mesh has brought are its own, and stay as they are. */
import { definitionOf, KINDS_DEFINED } from "../../schemas/crds/definitions.ts";
import type { KubeClient } from "../kube/client.ts";
import { findObject } from "./cluster.ts";
import { type ApiObject, isOurs, labelsOf } from "./objects.ts";

export function definitions(): ApiObject[] {
  return KINDS_DEFINED.flatMap((kind) => {
    const definition = definitionOf(kind);
    if (definition === undefined) return [];
    const metadata = { ...definition.metadata, labels: labelsOf("definitions") };
    return [{ ...definition, metadata }];
  });
}

/** Whether a definition is there that is not ours. */
export async function isForeign(client: KubeClient, definition: ApiObject): Promise<boolean> {
  const found = await findObject(client, definition);
  return found !== null && !isOurs(found);
}
