/**
 * Draws the policies of one run. What they may say stays the same for all plans of the run, so that what they permit is known.
 * What they do say is drawn anew for every plan.
 */
import type { ConnectionLimits, Retry, RetryCondition, RouteSection } from "../../base/policy.ts";
import { CONNECT_ATTEMPTS_MAX } from "../../proxy/limits.ts";
import type { PlanEndpointPolicy, PlanPolicySources, PlanRoutePolicy } from "../../routing/plan.ts";
import type { ScriptedExchange } from "./exchange.ts";
import type { World } from "./world.ts";

const NAMESPACE = "sim";
/** The Service that gets copies of requests. */
export const MIRROR_SERVICE = "mirror";
/** The header that policies put into requests and answers; its value is the Service's name. */
export const POLICY_HEADER = "x-policy";

const IDEMPOTENT = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
const CONDITIONS: readonly RetryCondition[] = [
  "5xx",
  "gateway-error",
  "reset",
  "connect-failure",
  "timeout",
];

/** Sections, each with the reasons of the refusals that it can bring about. */
const REASONS: Readonly<Record<string, readonly string[]>> = {
  retry: ["upstream-timeout"],
  timeouts: ["deadline-exceeded"],
  rateLimit: ["rate-limited"],
  fault: ["fault-abort"],
  outlierDetection: ["no-healthy-endpoint"],
  connectionLimits: ["request-limit", "pending-limit", "pending-timeout"],
};
const SECTIONS = [...Object.keys(REASONS), "headers", "mirror", "loadBalancing", "slowStart"];

export class PolicyMix {
  /** Whatever ends a request early takes longer than any. */
  isCalm: boolean;
  readonly #world: World;
  readonly #sections: ReadonlySet<string>;
  /** Methods that a run's policies may allow to be sent twice. */
  readonly #methods: readonly string[];
  readonly #attemptsMax: number;
  readonly #budgetPercent: number;
  /** By Service: for as long as the run. */
  readonly #limits = new Map<string, ConnectionLimits | null>();

  /** @param always sections that the run has whatever is drawn */
  constructor(world: World, isCalm: boolean, always: readonly string[]) {
    this.#world = world;
    this.isCalm = isCalm;
    const isOn = world.chance(0.6);
    const drawn = SECTIONS.filter(() => isOn && world.chance(0.4));
    this.#sections = new Set([...drawn, ...always]);
    this.#methods = world.chance(0.5) ? [...IDEMPOTENT, "POST", "PATCH"] : IDEMPOTENT;
    this.#attemptsMax = this.has("retry") ? world.between(1, 5) : 0;
    this.#budgetPercent = world.pick([0, 0, 10, 100]);
  }

  has(section: RouteSection | keyof PlanEndpointPolicy): boolean {
    return this.#sections.has(section);
  }

  /** Reasons with which the proxy may refuse a request because of a policy. */
  get reasons(): ReadonlySet<string> {
    return new Set(Array.from(this.#sections).flatMap((section) => REASONS[section] ?? []));
  }

  /** Whether a request may be sent again although an endpoint has seen some of it. */
  mayResend({ method }: ScriptedExchange): boolean {
    return this.has("retry") && this.#methods.includes(method);
  }

  /** The most that endpoints may see of a request that was sent once. */
  get arrivalsMax(): number {
    // Without a policy it is sent so often where connections are dead already, or streams are refused.
    return CONNECT_ATTEMPTS_MAX + this.#attemptsMax;
  }

  /** Retries that one Service's budget can have paid for. `plans`: how often it may have begun anew. */
  retriesMax(requests: number, plans: number, ms: number): number {
    if (!this.has("retry") || this.#budgetPercent === 0) return 0;
    return 10 * plans + requests * this.#budgetPercent / 100 + ms / 1_000;
  }

  limitsOf(service: string): ConnectionLimits | null {
    if (!this.has("connectionLimits")) return null;
    const world = this.#world;
    const known = this.#limits.get(service);
    if (known !== undefined) return known;
    const drawn = world.chance(0.2) ? null : {
      maxConnections: world.pick([null, 1, 2, 5]),
      maxPending: world.pick([0, 1, 10]),
      maxRequests: world.pick([null, 1, 3, 20]),
    };
    this.#limits.set(service, drawn);
    return drawn;
  }

  ofEndpoints(service: string): PlanEndpointPolicy {
    const world = this.#world;
    const limits = this.limitsOf(service);
    const sections = {
      ...(this.#says("loadBalancing") && {
        loadBalancing: world.pick(
          [
            { algorithm: "RoundRobin", hashKey: null },
            { algorithm: "LeastRequest", hashKey: null },
            { algorithm: "PeakEwma", hashKey: null },
            { algorithm: "RingHash", hashKey: { source: "header", name: "x-token" } },
            { algorithm: "RingHash", hashKey: { source: "source-ip", name: "" } },
          ] as const,
        ),
      }),
      ...(this.#says("outlierDetection") && {
        outlierDetection: {
          consecutiveFailures: world.between(1, 4),
          ejectionTimeMs: world.between(50, 1_000),
          maxEjectedPercent: world.pick([10, 50, 100]),
          panicThresholdPercent: world.pick([0, 50, 100]),
        },
      }),
      ...(this.#says("slowStart") && { slowStart: { windowMs: world.between(10, 2_000) } }),
      // Never without: what is open under none would not be counted under the next.
      ...(limits !== null && { connectionLimits: limits }),
    };
    return { sources: sourcesOf(service, sections), ...sections };
  }

  ofRoute(service: string): PlanRoutePolicy {
    const world = this.#world;
    const changes = { set: [{ name: POLICY_HEADER, value: service }], add: [], remove: [] };
    const sections = {
      ...(this.#says("retry") && { retry: this.#retry() }),
      ...(this.#says("timeouts") && {
        timeouts: this.isCalm ? { requestMs: 20_000, idleMs: 10_000 } : {
          requestMs: world.pick([null, 0, 100, 1_000]),
          idleMs: world.pick([null, 300, 3_000]),
        },
      }),
      ...(this.#says("rateLimit") && {
        rateLimit: {
          http: {
            count: world.between(1, 50),
            perMs: world.pick([100, 1_000]),
            burst: world.between(1, 20),
          },
          tcp: null,
          status: 429,
          headers: [{ name: "retry-after", value: "1" }],
        },
      }),
      // Always, so that it is known what to look for.
      ...(this.has("headers") && { headers: { request: changes, response: changes } }),
      ...(this.#says("fault") && {
        fault: {
          delay: { percent: world.pick([0, 30, 100]), durationMs: world.between(1, 300) },
          abort: { percent: world.pick([0, 30]), status: 503 },
        },
      }),
      ...(this.#says("mirror") && {
        mirror: {
          namespace: NAMESPACE,
          service: MIRROR_SERVICE,
          group: `${NAMESPACE}/${MIRROR_SERVICE}:80`,
          percent: world.pick([50, 100]),
        },
      }),
    };
    return { sources: sourcesOf(service, sections), ...sections };
  }

  /** Whether a plan has a section that the run has. */
  #says(section: RouteSection | keyof PlanEndpointPolicy): boolean {
    return this.has(section) && this.#world.chance(0.8);
  }

  #retry(): Retry {
    const world = this.#world;
    return {
      attempts: world.between(1, this.#attemptsMax),
      conditions: CONDITIONS.filter(() => world.chance(0.6)),
      statuses: world.chance(0.3) ? [404] : [],
      methods: this.#methods.filter(() => world.chance(0.8)),
      perTryTimeoutMs: this.isCalm ? 2_000 : world.pick([null, null, 100, 1_000]),
      budgetPercent: this.#budgetPercent,
      backoffMs: world.between(1, 100),
    };
  }
}

function sourcesOf(service: string, sections: object): PlanPolicySources {
  const source = {
    policy: { kind: "TrafficPolicy", namespace: NAMESPACE, name: service },
    target: `Service ${NAMESPACE}/${service}`,
    position: null,
  };
  return Object.fromEntries(Object.keys(sections).map((section) => [section, source]));
}
