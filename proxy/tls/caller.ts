/** Caller: who a client is, as its certificate shows and TLS has verified. No header and no address has a say in it. */
import { parseWorkloadId } from "../../base/spiffe.ts";
import type { TlsInfo } from "../io/tls.ts";

/**
 * Why a caller has no identity. It has shown no certificate, or one without a URI; one with several (SPIFFE X.509-SVID 2); one
 * whose URI is no service account's; or one of another trust domain.
 */
type CallerProblem =
  | "identity-missing"
  | "identity-ambiguous"
  | "identity-malformed"
  | "identity-foreign";

export interface Caller {
  /** `namespace/serviceaccount`; empty if there is a problem. */
  readonly identity: string;
  /** Null: it is known who calls. */
  readonly problem: CallerProblem | null;
}

/** A caller that has shown nothing. */
export const ANONYMOUS: Caller = { identity: "", problem: "identity-missing" };

/** Who is at the other end of a connection under TLS. */
export function callerOf({ peerUriSan, peerUriCount }: TlsInfo, trustDomain: string): Caller {
  if (peerUriCount === 0) return ANONYMOUS;
  if (peerUriCount > 1) return { identity: "", problem: "identity-ambiguous" };
  const id = parseWorkloadId(peerUriSan);
  if (id === null) return { identity: "", problem: "identity-malformed" };
  return id.trustDomain === trustDomain
    ? { identity: id.identity, problem: null }
    : { identity: "", problem: "identity-foreign" };
}
