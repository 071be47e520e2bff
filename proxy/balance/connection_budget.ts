/**
 * ConnectionBudget: how much one proxy may have under way with the endpoints of one backend. Counts, and says no; who
 * waits for what is for its caller to know.
 */
import type { ConnectionLimits } from "../../base/policy.ts";

export class ConnectionBudget {
  limits: ConnectionLimits;
  connections = 0;
  pending = 0;
  requests = 0;

  constructor(limits: ConnectionLimits) {
    this.limits = limits;
  }

  /** Counts one more request. False: there are as many as may be. */
  takeRequest(): boolean {
    if (this.limits.maxRequests !== null && this.requests >= this.limits.maxRequests) return false;
    this.requests++;
    return true;
  }

  /** Counts one more connection. False: there are as many as may be. */
  takeConnection(): boolean {
    const { maxConnections } = this.limits;
    if (maxConnections !== null && this.connections >= maxConnections) return false;
    this.connections++;
    return true;
  }

  /** Counts one more request that waits for a connection. False: there are as many as may be. */
  takePending(): boolean {
    if (this.pending >= this.limits.maxPending) return false;
    this.pending++;
    return true;
  }
}
