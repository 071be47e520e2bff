/** Whom a table is for, and the endpoints that it may send to: what every other part of a table refers to. */
import type { PlanEndpoint } from "../plan.ts";

/** Whose requests a table routes. */
export interface TableClient {
  /** Bare Service names resolve in it. */
  readonly namespace: string;
  /** `namespace/serviceaccount`; empty if not known. */
  readonly identity: string;
  /** Phase of the split sequences; null: the canonical order. */
  readonly seed: number | null;
}

/** Endpoints to balance over. */
export interface EndpointSet {
  /** Stays the same while endpoints come and go: rotations are carried over by it. */
  readonly key: string;
  /** All endpoints of the backend, of which traffic targets leave these; null: these are all. */
  readonly whole: EndpointSet | null;
  /** Empty only behind a backend that keeps its share and can take nothing. */
  readonly endpoints: readonly TableEndpoint[];
}

export interface TableEndpoint {
  readonly plan: PlanEndpoint;
  /** `address:port`, `[address]:port` for IPv6; `pod:port` where the input gives no address. */
  readonly key: string;
}
