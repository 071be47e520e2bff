/** Definitions of the kinds that FSM and OSM have as Weft has them, in their groups. */
import { definitionOf } from "../../schemas/crds/definitions.ts";
import type { TestApiServer } from "./api_server.ts";

const KINDS = ["Egress", "IngressBackend"];
const GROUPS = ["policy.flomesh.io", "policy.openservicemesh.io"];

/** Makes them, and waits until objects of the kinds can be made. */
export async function definePolicyKinds(api: TestApiServer): Promise<void> {
  const objects = KINDS.flatMap((kind) => {
    const definition = definitionOf(kind);
    if (definition === undefined) throw new Error(`There is no definition of ${kind}`);
    const { spec } = definition;
    return GROUPS.map((group) => ({
      ...definition,
      metadata: { name: `${spec.names.plural}.${group}` },
      spec: { ...spec, group },
    }));
  });
  await api.apply(objects.map((each) => JSON.stringify(each)).join("\n---\n"));
  for (const { metadata } of objects) await api.established(metadata.name);
}
