/** What one replica says of the mesh's certificates, for `weft certificate`: whom its proxies trust, and whose certificates they show. */
import { fieldsOf } from "../kube/fields.ts";
import type { IdentityIssuer } from "./identity_issuer.ts";

/** Where a replica says it. */
export const IDENTITY_PATH = "/identity";

/** Fields are added, never renamed. */
export interface ReplicaIdentity {
  /** The hash of the root set that it tells; empty: it has none. */
  readonly roots: string;
  /** Who signs; empty: none does. */
  readonly signer: string;
  /** Why none signs. */
  readonly problem: string;
  /** Each authority that is trusted, and why it cannot sign; empty: it can. */
  readonly authorities: readonly { readonly name: string; readonly problem: string }[];
  /** What proxies have in force, by `namespace/pod`. */
  readonly proxies: Readonly<Record<string, ProxyIdentity>>;
}

interface ProxyIdentity {
  readonly roots: string;
  readonly signer: string;
}

export function replicaIdentity(identity: IdentityIssuer): ReplicaIdentity {
  const { roots, signer, problem, authorities } = identity.state;
  return {
    ...{ roots: roots?.hash ?? "", signer, problem, authorities },
    proxies: Object.fromEntries(identity.proxies()),
  };
}

export function isReplicaIdentity(value: unknown): value is ReplicaIdentity {
  const { roots, signer, problem, authorities, proxies } = fieldsOf(value);
  return typeof roots === "string" && typeof signer === "string" && typeof problem === "string" &&
    Array.isArray(authorities) &&
    Object.values(fieldsOf(proxies)).every((each) => {
      const { roots, signer } = fieldsOf(each);
      return typeof roots === "string" && typeof signer === "string";
    });
}
