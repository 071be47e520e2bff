/**
 * What policies did, counted by what they are about: backends of the plan, and what a policy is attached to. So series are
 * bounded by the plan, and leave with it. Plain data, to go from an event loop's thread to the one that is asked.
 */
import type { AttemptFailure } from "../balance/retry_policy.ts";

/** What was the last of the failures that ejected an endpoint. */
export type EjectionCause = AttemptFailure | "5xx";

/** Which limit of `connectionLimits` was reached. */
export type Limit = "connections" | "pending" | "requests";

/** Why a request was not copied to its mirror. */
export type MirrorDrop =
  /** As many copies are under way as may be, or no buffer is to be had. */
  | "crowded"
  /** A traffic target keeps it from the mirror. */
  | "access-denied"
  /** Its head, with what policies add to it, is larger than a buffer. */
  | "head-too-large"
  /** Its body is larger than what is held of a copy. */
  | "body-too-large"
  /** It was over before all of it had come. */
  | "incomplete"
  /** The mirror took no connection, or did not take or answer the copy, in time. */
  | "timeout"
  /** The mirror took no connection, or broke it off before it answered. */
  | "failed";

/** A backend whose policy may eject endpoints or limits what it gets. */
export interface BackendPolicyCounts {
  /** Place of the listener in the proxy's configuration. */
  readonly listener: number;
  /** `namespace/service:port`; with ` of namespace/service` where that root treats it in its own way. */
  readonly backend: string;
  /** Null: no policy ejects. */
  readonly ejections: {
    /** Endpoints that are ejected now. */
    readonly active: number;
    readonly isPanic: boolean;
    readonly byCause: Readonly<Record<string, number>>;
  } | null;
  /** Null: there are no limits. */
  readonly limits: {
    /** Requests that wait for a connection now. */
    readonly pending: number;
    readonly hits: Readonly<Record<Limit, number>>;
  } | null;
}

/** Sections of a route's policy that count. */
export type CountedSection = "rateLimit" | "retry" | "fault" | "mirror";

/** One section of a policy, at one port of a Service. */
export interface RoutePolicyCounts {
  readonly listener: number;
  readonly section: CountedSection;
  /** `namespace/service`. */
  readonly service: string;
  readonly port: number;
  /** What the policy is attached to: `Service app/web`, `HTTPRouteGroup app/group#match`. */
  readonly target: string;
  readonly rateLimited: { readonly http: number; readonly tcp: number };
  readonly budgetExhausted: number;
  readonly faults: { readonly delay: number; readonly abort: number };
  /** Copies that the mirror has answered. */
  readonly mirrored: number;
  readonly mirrorDrops: Readonly<Record<string, number>>;
}

export interface PolicyCounts {
  readonly backends: readonly BackendPolicyCounts[];
  readonly routes: readonly RoutePolicyCounts[];
}
