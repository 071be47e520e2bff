/**
 * SPIFFE ids of service accounts, `spiffe://TRUST-DOMAIN/ns/NAMESPACE/sa/NAME`, as certificates of a mesh carry them. Syntax
 * only: what an id may do is decided elsewhere.
 */
import { SPIFFE_ID_BYTES_MAX, TRUST_DOMAIN_BYTES_MAX } from "./limits.ts";

/** Where no other is configured, as in every mesh that SMI knows. */
export const DEFAULT_TRUST_DOMAIN = "cluster.local";

const TRUST_DOMAIN = /^[a-z0-9._-]+$/;
/** No percent-encoding, query, fragment, port or user: an id has one spelling (SPIFFE-ID 2). */
const WORKLOAD_ID = /^spiffe:\/\/([a-z0-9._-]+)\/ns\/([A-Za-z0-9._-]+)\/sa\/([A-Za-z0-9._-]+)$/;

interface WorkloadId {
  readonly trustDomain: string;
  /** `namespace/serviceaccount`. */
  readonly identity: string;
}

/** Null: not the id of a service account. */
export function parseWorkloadId(uri: string): WorkloadId | null {
  if (uri.length > SPIFFE_ID_BYTES_MAX) return null;
  const [, trustDomain = "", namespace = "", name = ""] = WORKLOAD_ID.exec(uri) ?? [];
  if (!isTrustDomain(trustDomain) || isDots(namespace) || isDots(name)) return null;
  return { trustDomain, identity: `${namespace}/${name}` };
}

/** The id of a service account, `identity` being `namespace/serviceaccount`. */
export function formatWorkloadId({ trustDomain, identity }: WorkloadId): string {
  const [namespace, name] = identity.split("/");
  return `spiffe://${trustDomain}/ns/${namespace}/sa/${name}`;
}

export function isTrustDomain(text: string): boolean {
  return text.length <= TRUST_DOMAIN_BYTES_MAX && TRUST_DOMAIN.test(text);
}

/** Segments that a path would be resolved by (SPIFFE-ID 2.2). */
function isDots(segment: string): boolean {
  return segment === "." || segment === "..";
}
