/**
 * IngressRules: who may come in from outside the mesh to one workload, by the IngressBackends of its plan. Where a caller comes from is the
 * address of its connection; who it is, what its certificate shows.
 */
import { IpRanges } from "../../base/ip_ranges.ts";
import { canonicalIp } from "../../base/ip.ts";
import { parseWorkloadId } from "../../base/spiffe.ts";
import { hasDotSegment, judgesPaths } from "../match/dot_segments.ts";
import { type MatchIndex, matchIndexOf } from "../match/match_index.ts";
import type { PlanIngress, PlanIngressFrom } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { fitsHost } from "./host_pattern.ts";

/** Where a call arrives. */
export interface IngressPlace {
  /** The address of the pod; null: it is not known, and taken for the one that is meant. */
  readonly pod: string | null;
  /** Where the application listens. */
  readonly port: number;
}

/** A request, or a whole connection, from outside the mesh. */
interface IngressCall extends IngressPlace {
  /** The address that it comes from. */
  readonly peer: string;
  /** `namespace/serviceaccount` that its certificate shows; empty: none. */
  readonly identity: string;
  /** The name that it gives by TLS, perhaps empty. Null: it comes in plain. */
  readonly serverName: string | null;
  /** Null for a connection that is relayed whole, which nothing lets in. */
  readonly head: RequestHead | null;
}

/** Whether the client is asked for a certificate. */
export type IngressTls = "asking" | "not-asking";

interface Rule {
  readonly ingress: PlanIngress;
  readonly from: Origins | null;
  readonly identities: ReadonlySet<string> | null;
  readonly matches: MatchIndex | null;
  /** It lets some paths in and not others. */
  readonly judgesPaths: boolean;
}

export class IngressRules {
  readonly #rules: readonly Rule[];

  /** @param trustDomain of those whose identities are known */
  constructor(ingresses: readonly PlanIngress[], trustDomain: string) {
    this.#rules = ingresses.map((ingress) => ({
      ingress,
      from: ingress.from && new Origins(ingress.from),
      identities: ingress.principals && new Set(identitiesOf(ingress.principals, trustDomain)),
      matches: ingress.http && matchIndexOf(ingress.http),
      judgesPaths: judgesPaths(ingress.http ?? []),
    }));
  }

  /** The first that lets a call in, whatever the application makes of its path; null: none does. */
  allowing(call: IngressCall): PlanIngress | null {
    return this.#rules.find((rule) => allows(rule, call))?.ingress ?? null;
  }

  /** It is let in by its path alone, which the application may read as another one. */
  isAmbiguous(call: IngressCall): boolean {
    const { head } = call;
    return head !== null && hasDotSegment(head.bytes, head.pathStart, head.pathEnd) &&
      this.#rules.every((rule) => rule.judgesPaths || !allows(rule, call));
  }

  /** Whether the TLS of some clients is for the sidecar to end. */
  endsTlsAt(place: IngressPlace): boolean {
    return this.#rules.some(({ ingress }) => ingress.protocol === "https" && isAt(ingress, place));
  }

  /** How the TLS of a client that gives this name is to be ended; null: it is not for the sidecar to end. */
  tlsOf(place: IngressPlace, serverName: string): IngressTls | null {
    const ending = this.#rules.filter(({ ingress }) =>
      ingress.protocol === "https" && isAt(ingress, place) && isNamed(ingress, serverName)
    );
    if (ending.length === 0) return null;
    return ending.some(({ identities }) => identities !== null) ? "asking" : "not-asking";
  }
}

/** Where callers come from: endpoints are looked up, however many a Service has. */
class Origins {
  readonly #addresses: ReadonlySet<string>;
  readonly #ranges: IpRanges | null;

  constructor({ ranges, services }: PlanIngressFrom) {
    const addresses = services.flatMap((service) => service.addresses);
    this.#addresses = new Set(addresses.map((address) => canonicalIp(address) ?? address));
    this.#ranges = ranges.length === 0 ? null : new IpRanges(ranges);
  }

  has(peer: string): boolean {
    const address = canonicalIp(peer) ?? peer;
    return this.#addresses.has(address) || this.#ranges?.has(address) === true;
  }
}

function identitiesOf(principals: readonly string[], trustDomain: string): string[] {
  return principals.flatMap((principal) => {
    const id = parseWorkloadId(principal);
    return id?.trustDomain === trustDomain ? [id.identity] : [];
  });
}

function allows({ ingress, from, identities, matches }: Rule, call: IngressCall): boolean {
  const { peer, identity, serverName, head } = call;
  const isSpoken = ingress.protocol === "http"
    ? serverName === null
    : serverName !== null && isNamed(ingress, serverName);
  return head !== null && isSpoken && isAt(ingress, call) &&
    (from === null || from.has(peer)) && (identities === null || identities.has(identity)) &&
    (matches === null || matches.find(head) !== -1);
}

function isAt(ingress: PlanIngress, { pod, port }: IngressPlace): boolean {
  return ingress.port === port &&
    (pod === null || ingress.pods === null || ingress.pods.includes(pod));
}

function isNamed({ serverNames }: PlanIngress, serverName: string): boolean {
  return serverNames === null || serverNames.some((each) => fitsHost(each, serverName));
}
