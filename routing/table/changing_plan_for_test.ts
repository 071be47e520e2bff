/** ChangingPlan: a mesh that changes step by step, for tests of what is carried over from plan to plan. */
import type {
  Plan,
  PlanAlias,
  PlanEndpoint,
  PlanEndpointPolicy,
  PlanRoutePolicy,
  PlanService,
  PlanTarget,
} from "../plan.ts";
import {
  endpointForTest,
  matchForTest,
  planForTest,
  portForTest,
  targetForTest,
} from "./plan_for_test.ts";

const NAMES = ["a", "b", "c", "db", "web"];
const WEIGHTS = [[1], [1, 1], [3, 1], [2, 1, 1], [0, 1], [90, 10], [600, 500, 7], [0, 0]];
const RULES: readonly (readonly string[])[] = [[], ["/x"], ["/x", "/y"], ["/y", "/x", "/"]];
const IDENTITIES = ["app/one", "app/two", "app/three"];

/** A step: what changes, of what, and into what. */
export type Change = readonly [kind: number, of: number, into: number];

interface ServiceModel {
  isThere: boolean;
  weights: number;
  rules: number;
  pods: number;
  address: number;
  policy: number;
  endpointPolicy: number;
  /** Bits: which of the pods are behind it. */
  endpoints: number;
}

export const CHANGE_KINDS = 11;

export class ChangingPlan {
  readonly #services: ServiceModel[] = NAMES.map((_, i) => ({
    isThere: true,
    weights: i,
    rules: i % RULES.length,
    pods: i === 3 ? 2 : 0,
    address: i,
    policy: 0,
    endpointPolicy: 0,
    endpoints: 1 + i,
  }));
  #targets = 0b1011;
  #aliases = 0;
  #isPermissive = true;

  change([kind, of, into]: Change): void {
    const service = this.#services[of % NAMES.length];
    switch (kind % CHANGE_KINDS) {
      case 0:
        service.endpoints = into % 32;
        return;
      case 1:
        service.weights = into % WEIGHTS.length;
        return;
      case 2:
        service.isThere = !service.isThere;
        return;
      case 3:
        service.pods = into % 4;
        return;
      case 4:
        this.#targets ^= 1 << into % 6;
        return;
      case 5:
        service.endpointPolicy = into % 4;
        return;
      case 6:
        this.#aliases = into % 8;
        return;
      case 7:
        service.policy = into % 5;
        return;
      case 8:
        service.rules = into % RULES.length;
        return;
      case 9:
        this.#isPermissive = !this.#isPermissive;
        return;
      case 10:
        service.address = into % 8;
        return;
    }
  }

  /** All objects are new. */
  plan(): Plan {
    const there = [...this.#services.keys()].filter((i) => this.#services[i].isThere);
    const services = there.map((i) => this.#service(i));
    const groups = Object.fromEntries(NAMES.map((_, i) => [groupOf(i), this.#endpoints(i)]));
    const policies = Object.fromEntries(NAMES.flatMap((_, i) => this.#endpointPolicy(i)));
    const aliases = this.#aliasesOf();
    return planForTest(services, {
      groups,
      permissive: this.#isPermissive,
      targets: this.#isPermissive ? [] : this.#targetsOf(),
      ...(aliases.length === 0 ? {} : { aliases }),
      ...(Object.keys(policies).length === 0 ? {} : { endpointPolicies: policies }),
    });
  }

  #service(i: number): PlanService {
    const { weights, rules, pods, address, policy } = this.#services[i];
    const id = groupOf(i);
    const policyOf = (target: string) => {
      const routePolicy = this.#routePolicy(policy, target);
      return routePolicy === null ? {} : { policy: routePolicy };
    };
    const port = portForTest({
      rules: RULES[rules].map((path, at) => ({
        match: matchForTest({ path, ...(at === 1 ? { methods: ["GET"] } : {}) }),
        route: this.#route(`${id}/${path}`, i + at, weights + at),
        ...(at === 0 ? policyOf("HTTPRouteGroup app/group#match") : {}),
      })),
      fallback: this.#route(id, i, weights),
      ...policyOf(`Service app/${NAMES[i]}`),
    });
    return {
      namespace: "app",
      name: NAMES[i],
      clusterIps: address === 7 ? [] : [`10.96.0.${address}`, `fd00::${address}`],
      ports: [port, portForTest({ port: 81, protocol: "tcp", fallback: port.fallback })]
        .slice(0, 1 + address % 2).map((each) =>
          each.port === 80 ? each : { ...each, fallback: { ...each.fallback, id: `${id}-81` } }
        ),
      podHosts: ["pod-1", "pod-2", "pod-3"].slice(0, pods),
      position: null,
    };
  }

  #route(id: string, first: number, weights: number) {
    return {
      id,
      split: null,
      position: null,
      backends: WEIGHTS[weights % WEIGHTS.length].map((weight, at) => {
        const i = (first + at) % NAMES.length;
        const isReady = this.#endpoints(i).length > 0;
        return {
          namespace: "app",
          service: NAMES[i],
          weight,
          state: isReady ? "ready" as const : "no-endpoints" as const,
          group: groupOf(i),
        };
      }),
    };
  }

  #routePolicy(policy: number, target: string): PlanRoutePolicy | null {
    const source = {
      policy: { kind: "TrafficPolicy", namespace: "app", name: "p" },
      target,
      position: null,
    };
    const mirrored = [0, 1, 2].find((i) => this.#endpoints(i).length > 0);
    if (policy === 1 && mirrored !== undefined) {
      const mirror = { namespace: "app", service: NAMES[mirrored], group: groupOf(mirrored) };
      return { sources: { mirror: source }, mirror: { ...mirror, percent: 50 } };
    }
    if (policy === 2 || policy === 3) {
      const key = { source: "header", name: `x-user-${policy}` } as const;
      return { sources: { sessionAffinity: source }, sessionAffinity: { key, ttlSeconds: null } };
    }
    const http = { count: 1, perMs: 1_000, burst: 1 };
    const rateLimit = { http, tcp: null, status: 429, headers: [] };
    return policy === 4 ? { sources: { rateLimit: source }, rateLimit } : null;
  }

  #endpointPolicy(i: number): [string, PlanEndpointPolicy][] {
    const { endpointPolicy } = this.#services[i];
    if (endpointPolicy === 0) return [];
    const source = {
      policy: { kind: "TrafficPolicy", namespace: "app", name: "p" },
      target: `Service app/${NAMES[i]}`,
      position: null,
    };
    const group = groupOf(i);
    if (endpointPolicy === 1) {
      return [[group, { sources: { slowStart: source }, slowStart: { windowMs: 1_000 } }]];
    }
    const connectionLimits = { maxConnections: endpointPolicy, maxPending: 1, maxRequests: null };
    return [[group, { sources: { connectionLimits: source }, connectionLimits }]];
  }

  /** Pods are behind several Services, each with an account that depends on the pod alone. */
  #endpoints(i: number): PlanEndpoint[] {
    const { endpoints } = this.#services[i];
    return [1, 2, 3, 4, 5].filter((pod) => (endpoints >> pod - 1 & 1) === 1).map((pod) =>
      endpointForTest(pod, {
        hostname: `pod-${pod}`,
        identity: IDENTITIES[pod % IDENTITIES.length],
        port: pod === 5 ? 0 : 8080,
      })
    );
  }

  #targetsOf(): PlanTarget[] {
    return [0, 1, 2, 3, 4, 5].filter((i) => (this.#targets >> i & 1) === 1)
      .map((i) =>
        targetForTest({
          ref: { kind: "TrafficTarget", namespace: "app", name: `target-${i}` },
          destination: IDENTITIES[i % IDENTITIES.length],
          sources: i % 2 === 0 ? ["app/client", "app/other"] : ["app/client"],
          http: i === 3 ? [] : [matchForTest(i === 1 ? { path: "/x" } : { methods: ["GET"] })],
          tcpPorts: i > 3 ? [] : null,
        })
      );
  }

  #aliasesOf(): PlanAlias[] {
    const hosts = ["web.app.svc.cluster.local", "pod-1.db.app.svc.cluster.local", "example.test"];
    return hosts.filter((_, i) => (this.#aliases >> i & 1) === 1)
      .map((host, i) => ({ namespace: "app", name: `alias-${i}`, host }));
  }
}

function groupOf(i: number): string {
  return `app/${NAMES[i]}:80`;
}
