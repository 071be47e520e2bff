/** Keys by which a compilation finds resources, each with the text that people read where they read one. */
import type { Meta, TargetSubject, TrafficTarget } from "../../schemas/resources.ts";

/** `namespace/name`: neither may contain a slash. */
export function keyOf(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

export function keyOfMeta({ namespace, name }: Meta): string {
  return keyOf(namespace, name);
}

/** `HTTPRoute namespace/name`. */
export function keyOfKind(meta: Meta): string {
  return `${meta.kind} ${keyOfMeta(meta)}`;
}

/** `weft.dev/v1alpha1 namespace/name`: other groups have one of the name too, which is another object. */
export function keyInGroup(meta: Meta): string {
  return `${meta.apiVersion} ${keyOfMeta(meta)}`;
}

/** `Deployment namespace/name`. */
export function ownerKey(
  { namespace }: Meta,
  { kind, name }: { readonly kind: string; readonly name: string },
): string {
  return `${kind} ${keyOf(namespace, name)}`;
}

/** `namespace/serviceaccount` of a subject of a target; its namespace is the target's if it names none. */
export function accountOf({ meta }: TrafficTarget, { namespace, name }: TargetSubject): string {
  return keyOf(namespace === "" ? meta.namespace : namespace, name);
}

/** The same of the one that is called. */
export function accountCalledBy(target: TrafficTarget): string {
  return accountOf(target, target.destination);
}

/** The account that a source of an Egress is, `namespace/serviceaccount`; undefined: it is none. */
export function sourceAccount({ kind, namespace, name }: TargetSubject): string | undefined {
  return kind === "ServiceAccount" ? keyOf(namespace, name) : undefined;
}

/** What a policy is attached to, as people read it. */
export function targetText(kind: string, namespace: string, name: string, match?: string): string {
  return `${kind} ${keyOf(namespace, name)}${match === undefined ? "" : `#${match}`}`;
}
