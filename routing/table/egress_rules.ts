/**
 * EgressRules: what one caller may call outside the mesh where egress is off, by the Egresses of its plan. A host is what the client says
 * that it is, in a request or as the server name of TLS; addresses are where it really goes.
 */
import { IpRanges } from "../../base/ip_ranges.ts";
import type { RefusalReason } from "../../base/refusals.ts";
import { hasDotSegment, judgesPaths } from "../match/dot_segments.ts";
import { type MatchIndex, matchIndexOf } from "../match/match_index.ts";
import type { PlanEgress, PlanEgressPort } from "../plan.ts";
import type { RequestHead } from "../request.ts";
import { fitsHost } from "./host_pattern.ts";

/** A request, or a whole connection, that leaves the mesh. */
export interface EgressCall {
  /** Null: that is not known yet, and what Egresses ask of it is taken for granted. */
  readonly address: string | null;
  readonly port: number;
  /** What it is seen to be. */
  readonly protocol: PlanEgressPort["protocol"];
  /** In lower case, without port and trailing dot; empty: it names none. */
  readonly host: string;
  /** Null for a connection that is relayed whole. */
  readonly head: RequestHead | null;
}

/** No Egress allows it; or one does by its path, which the server may read as another one. */
type EgressRefusal = Extract<RefusalReason, "egress-off" | "path-ambiguous">;

interface Rule {
  readonly egress: PlanEgress;
  readonly ranges: IpRanges | null;
  readonly matches: MatchIndex | null;
  /** It allows some paths and not others. */
  readonly judgesPaths: boolean;
}

export class EgressRules {
  readonly #rules: readonly Rule[];

  constructor(egresses: readonly PlanEgress[]) {
    this.#rules = egresses.map((egress) => ({
      egress,
      ranges: egress.ranges && new IpRanges(egress.ranges),
      matches: egress.http && matchIndexOf(egress.http),
      judgesPaths: judgesPaths(egress.http ?? []),
    }));
  }

  /** The first that allows it, whatever servers make of its path; null: none does. */
  allowing(call: EgressCall): PlanEgress | null {
    return this.#rules.find((rule) => allows(rule, call))?.egress ?? null;
  }

  /** Null: one of them allows it. */
  refusalOf(call: EgressCall): EgressRefusal | null {
    const allowing = this.#rules.filter((rule) => allows(rule, call));
    if (allowing.length === 0) return "egress-off";
    const { head } = call;
    const isSure = head === null || allowing.some(({ judgesPaths }) => !judgesPaths) ||
      !hasDotSegment(head.bytes, head.pathStart, head.pathEnd);
    return isSure ? null : "path-ambiguous";
  }

  /** Whether what is spoken decides at a place: something is allowed there, and not all. */
  asksForProtocol(address: string, port: number): boolean {
    const of = (protocol: EgressCall["protocol"]) =>
      this.#rules.some(({ egress, ranges }) =>
        egress.ports.some((each) => each.port === port && each.protocol === protocol) &&
        (ranges?.has(address) ?? true)
      );
    return (of("http") || of("https")) && !of("tcp");
  }
}

function allows({ egress, ranges, matches }: Rule, call: EgressCall): boolean {
  const { address, port, protocol, host, head } = call;
  const isPort = egress.ports.some((each) =>
    each.port === port && (each.protocol === "tcp" || each.protocol === protocol)
  );
  return isPort && (address === null || (ranges?.has(address) ?? true)) &&
    (egress.hosts?.some((each) => fitsHost(each, host)) ?? true) &&
    (matches === null || (head !== null && matches.find(head) !== -1));
}
