/** ReferenceGrant of the Gateway API: what of its namespace may be named from another one. */
import type { SourceObject } from "../object.ts";
import type { ReferenceGrant } from "../resources.ts";

/** Undefined: it is refused, and grants nothing. */
export function readReferenceGrant(object: SourceObject): ReferenceGrant | undefined {
  const spec = object.root.at("spec");
  if (object.isRefused || !object.isSound(spec.path)) return undefined;
  return {
    meta: object.meta,
    from: spec.at("from").objects().map((from) => ({
      group: from.at("group").string() ?? "",
      kind: from.at("kind").string() ?? "",
      namespace: from.at("namespace").string() ?? "",
    })),
    to: spec.at("to").objects().map((to) => ({
      group: to.at("group").string() ?? "",
      kind: to.at("kind").string() ?? "",
      name: to.at("name").string(),
    })),
  };
}
