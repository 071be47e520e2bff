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
  /** The name that it gave by TLS, in lower case, perhaps empty. Null: it came in plain. */
  readonly serverName: string | null;
}

/** A caller in plain, which has shown nothing. */
export const ANONYMOUS: Caller = { identity: "", problem: "identity-missing", serverName: null };

/** Who is at the other end of a connection under TLS. */
export function callerOf(info: TlsInfo, trustDomain: string): Caller {
  const serverName = info.serverName.toLowerCase();
  const unknown = (problem: CallerProblem) => ({ identity: "", problem, serverName });
  if (info.peerUriCount === 0) return unknown("identity-missing");
  if (info.peerUriCount > 1) return unknown("identity-ambiguous");
  const id = parseWorkloadId(info.peerUriSan);
  if (id === null) return unknown("identity-malformed");
  return id.trustDomain === trustDomain
    ? { identity: id.identity, problem: null, serverName }
    : unknown("identity-foreign");
}
