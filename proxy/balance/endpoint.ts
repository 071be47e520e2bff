/**
 * BalancedEndpoint: what balancing knows of one endpoint. Numbers only, kept while the endpoint stays in the plan; the
 * algorithms and detectors beside this file read and write them.
 */

export class BalancedEndpoint<Target> {
  /** `address:port`: the same from plan to plan. */
  readonly key: string;
  /** What stands for the endpoint in the plan in force. */
  target: Target;
  /** When it was first seen, on the clock of all times here. Slow start counts from then. */
  readonly startedMs: number;
  /** Requests and relayed connections under way. */
  active = 0;

  /** Peak EWMA: the latency at `latencyAtMs`; negative: no request was answered yet. */
  latencyMs = -1;
  latencyAtMs = 0;
  /** Peak EWMA: when it was last given a request, or answered one. */
  usedMs = -Infinity;

  /** Ejection: failures since the last success. */
  failures = 0;
  isEjected = false;
  ejectedAtMs = 0;
  ejectedUntilMs = 0;
  /** Ejections in a row: each lasts longer than the one before. */
  ejections = 0;

  /** Whether it is among `EndpointGroup.available`. */
  isAvailable = true;

  constructor(key: string, target: Target, startedMs: number) {
    this.key = key;
    this.target = target;
    this.startedMs = startedMs;
  }
}

/** Whether an endpoint will do; one that will not is chosen only where no other will either. */
export type IsGood<Target> = (endpoint: BalancedEndpoint<Target>) => boolean;
