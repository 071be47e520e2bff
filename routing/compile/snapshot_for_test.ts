/** Random snapshots for property tests. */
import fc from "fast-check";
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import type { FieldPath } from "../../base/finding.ts";
import { anyGatewayRoute, anyReferenceGrant } from "./gateway_for_test.ts";
import type {
  Egress,
  EndpointSlice,
  HttpRouteGroup,
  IngressBackend,
  Meta,
  Pod,
  PodTemplate,
  Service,
  Snapshot,
  TcpRoute,
  TrafficPolicy,
  TrafficSplit,
  TrafficTarget,
} from "../../schemas/resources.ts";

// Few names, so that resources refer to each other, clash, and miss each other.
const NAMES = ["web", "web-a", "web-b", "api", "x1"];
const anyName = fc.constantFrom(...NAMES);
const anyNamespace = fc.constantFrom("app", "other");
const anyLabels = fc.dictionary(
  fc.constantFrom("app", "version", "__proto__"),
  fc.constantFrom("web", "a", "b"),
  { maxKeys: 2 },
);
const anyPortNumber = fc.constantFrom(80, 81, 8080);
const anyPortName = fc.constantFrom("", "http", "tcp-x", "grpc", "tls");
const anyAppProtocol = fc.constantFrom(undefined, "http", "tcp", "h2c", "odd");
const anyPath = fc.constantFrom(
  undefined,
  ".*",
  "/",
  "/api",
  "/api/.*",
  "/api/v[0-9]",
  "api",
  "/(",
  "(?=x)",
  "^/a|/b",
);
const OWNERS = [{ kind: "StatefulSet", name: "web" }, { kind: "Deployment", name: "api" }];
const AT: FieldPath = ["spec", "x", 0];

function metaOf(kind: string): fc.Arbitrary<Meta> {
  return fc.record({
    kind: fc.constant(kind),
    apiVersion: fc.constant("v1"),
    namespace: anyNamespace,
    name: anyName,
    labels: fc.constant({}),
    annotations: fc.constant({}),
    createdAt: fc.constantFrom(
      undefined,
      "2024-01-01T00:00:00Z",
      "2024-01-01T01:00:00+01:00",
      "2025-01-01T00:00:00Z",
      "no time",
    ),
    origin: fc.nat(3).map((line) => ({
      locate: () => line === 0 ? undefined : { file: "in.yaml", line, column: 1 },
    })),
  });
}

const anyService: fc.Arbitrary<Service> = fc.record({
  meta: metaOf("Service"),
  selector: fc.option(anyLabels, { nil: undefined }),
  ports: fc.array(
    fc.record({
      name: anyPortName,
      port: anyPortNumber,
      targetPort: fc.oneof(anyPortNumber, anyPortName),
      protocol: fc.constantFrom("TCP", "TCP", "UDP"),
      appProtocol: anyAppProtocol,
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  clusterIps: fc.constantFrom([], ["10.0.0.1"], ["fd00::1", "10.0.0.2"], ["None"]),
  headless: fc.boolean(),
  publishNotReadyAddresses: fc.boolean(),
}).chain((service) =>
  // Some are other names of Services, of each other, or of what is outside.
  fc.constantFrom(
    service,
    service,
    service,
    ...["web.app.svc.cluster.local", "api.other.svc", "web-a.app.svc", "x1.app.svc", "example.com"]
      .map((externalName) => ({ ...service, selector: undefined, externalName })),
    ...[null, 10].map((timeoutSeconds) => ({ ...service, clientIpAffinity: { timeoutSeconds } })),
  )
);

/** Some cannot be read: `nothing` is what is left of them. */
function orRefused<T extends { readonly isRefused?: true }>(
  resource: fc.Arbitrary<T>,
  nothing: Partial<T>,
): fc.Arbitrary<T> {
  return resource.chain((whole) =>
    fc.constantFrom(whole, whole, whole, { ...whole, ...nothing, isRefused: true })
  );
}

const anyUser = fc.constantFrom({}, {}, {}, { runsAs: { user: PROXY_USER_ID } }, {
  runsAs: { group: PROXY_USER_ID },
});

const anyTemplate: fc.Arbitrary<PodTemplate> = fc.tuple(
  anyUser,
  fc.record({
    labels: anyLabels,
    annotations: fc.constant({}),
    serviceAccount: fc.constantFrom("", "sa"),
    containers: fc.array(
      fc.record({
        name: anyName,
        image: anyName,
        command: fc.constant([]),
        ports: fc.array(
          fc.record({
            name: anyPortName,
            containerPort: anyPortNumber,
            protocol: fc.constantFrom("TCP", "UDP"),
          }),
          { maxLength: 2 },
        ),
      }),
      { maxLength: 2 },
    ),
    hostname: fc.constantFrom(undefined, "pod-0"),
    subdomain: fc.constantFrom(undefined, "web"),
    hostNetwork: fc.constantFrom(false, false, true),
  }),
).map(([user, template]) => ({ ...template, ...user }));

const anyPod: fc.Arbitrary<Pod> = fc.record({
  meta: metaOf("Pod"),
  template: anyTemplate,
  ips: fc.constantFrom([], ["10.1.0.1"], ["fd00::2", "10.1.0.2"]),
  ready: fc.boolean(),
  owner: fc.constantFrom(undefined, ...OWNERS),
});

const anySlice: fc.Arbitrary<EndpointSlice> = fc.record({
  meta: metaOf("EndpointSlice").chain((meta) =>
    fc.constantFrom("EndpointSlice", "Endpoints").map((kind) => ({ ...meta, kind }))
  ),
  service: anyName,
  ports: fc.array(
    fc.record({ name: anyPortName, port: anyPortNumber, appProtocol: anyAppProtocol }),
    { maxLength: 2 },
  ),
  endpoints: fc.array(
    fc.record({
      addresses: fc.constantFrom([], ["10.1.0.1"], ["fd00::2"], ["pod.example.com"]),
      ready: fc.boolean(),
      hostname: fc.constantFrom(undefined, "pod-0"),
      podName: fc.option(anyName, { nil: undefined }),
      zone: fc.constant(undefined),
    }).chain((endpoint) =>
      fc.constantFrom(
        endpoint,
        endpoint.ready ? endpoint : { ...endpoint, isEnding: true as const },
      )
    ),
    { maxLength: 3 },
  ),
});

const anySplit: fc.Arbitrary<TrafficSplit> = fc.record({
  meta: metaOf("TrafficSplit"),
  service: fc.constantFrom(...NAMES, "web.app", "WEB.app.svc.", "web:80", "no such name", ""),
  backends: fc.array(
    fc.record({
      service: fc.constantFrom(...NAMES, "app/web-a", "web.other", "no such name", "\u0000"),
      weight: fc.constantFrom(0, 0, 1, 3, 75, -1, NaN, 1.5, 2 ** 52, Number.MAX_VALUE),
      weightText: fc.constant(""),
      at: fc.constant(AT),
    }),
    { maxLength: 4 },
  ),
  matches: fc.option(
    fc.array(
      fc.record({
        kind: fc.constantFrom("HTTPRouteGroup", "HTTPRouteGroup", "TCPRoute"),
        name: anyName,
        at: fc.constant(AT),
      }),
      { maxLength: 3 },
    ),
    { nil: undefined },
  ),
});

const anyGroup: fc.Arbitrary<HttpRouteGroup> = fc.record({
  meta: metaOf("HTTPRouteGroup"),
  matches: fc.array(
    fc.record({
      name: fc.constantFrom("", "m", "m#1", "a/b"),
      pathRegex: anyPath,
      methods: fc.constantFrom(undefined, [], ["*"], ["GET"], ["POST", "GET"], ["get"], ["NONE"]),
      headers: fc.array(
        fc.record({
          name: fc.constantFrom("X-V", "x-v", "host", ":authority"),
          pattern: fc.constantFrom(".*", "^1$", "(?=1)"),
          at: fc.constant(AT),
        }),
        { maxLength: 2 },
      ),
      at: fc.constant(AT),
    }),
    { maxLength: 4 },
  ),
});

const anySubject = fc.record({
  kind: fc.constantFrom("ServiceAccount", "ServiceAccount", "Group"),
  namespace: fc.constantFrom("", "app", "other"),
  name: fc.constantFrom("sa", "default"),
  at: fc.constant(AT),
});

const anyTarget: fc.Arbitrary<TrafficTarget> = fc.record({
  meta: metaOf("TrafficTarget"),
  destination: anySubject,
  port: fc.option(anyPortNumber, { nil: undefined }),
  sources: fc.array(anySubject, { maxLength: 2 }),
  rules: fc.array(
    fc.record({
      kind: fc.constantFrom("HTTPRouteGroup", "TCPRoute", "UDPRoute"),
      name: anyName,
      matches: fc.option(fc.array(fc.constantFrom("m", "none")), { nil: undefined }),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
});

const anyTcpRoute: fc.Arbitrary<TcpRoute> = fc.record({
  meta: metaOf("TCPRoute"),
  ports: fc.array(anyPortNumber, { maxLength: 2 }),
});

const anyPolicy: fc.Arbitrary<TrafficPolicy> = fc.record({
  meta: metaOf("TrafficPolicy"),
  targets: fc.array(
    fc.record({
      kind: fc.constantFrom("Service", "Service", "HTTPRouteGroup", "Gateway"),
      name: anyName,
      match: fc.option(fc.constantFrom("m", "none"), { nil: undefined }),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  settings: fc.record({
    loadBalancing: fc.record({
      algorithm: fc.constantFrom("RoundRobin" as const, "PeakEwma" as const),
      hashKey: fc.constant(null),
    }),
    slowStart: fc.record({ windowMs: fc.integer({ min: 1, max: 10 }) }),
    timeouts: fc.record({
      requestMs: fc.option(fc.integer({ min: 1, max: 10 })),
      idleMs: fc.constant(null),
    }),
    mirror: fc.record({ service: anyName, percent: fc.constant(100) }),
  }, { requiredKeys: [] }),
});

const anyGroupRefs = fc.option(
  fc.array(
    fc.record({
      kind: fc.constantFrom("HTTPRouteGroup", "HTTPRouteGroup", "UpstreamTrafficSetting"),
      name: anyName,
      at: fc.constant(AT),
    }),
    { maxLength: 2 },
  ),
  { nil: undefined },
);

const anyIngress: fc.Arbitrary<IngressBackend> = fc.record({
  meta: fc.tuple(metaOf("IngressBackend"), fc.constantFrom("weft.dev", "policy.flomesh.io"))
    .map(([meta, group]) => ({ ...meta, apiVersion: `${group}/v1alpha1` })),
  backends: fc.array(
    fc.record({
      service: anyName,
      port: anyPortNumber,
      protocol: fc.constantFrom("http" as const, "http" as const, "https" as const),
      skipsCertificate: fc.boolean(),
      serverNames: fc.constantFrom(undefined, undefined, [], ["shop.example"]),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  sources: fc.array(
    fc.oneof(
      fc.record({
        kind: fc.constantFrom("Service", null, "Group"),
        name: anyName,
        namespace: fc.constantFrom("app", "other"),
        at: fc.constant(AT),
      }),
      fc.constantFrom(
        ["IPRange", "192.0.2.0/24"] as const,
        ["IPRange", ""] as const,
        ["AuthenticatedPrincipal", "nginx.ingress.cluster.local"] as const,
      ).map(([kind, name]) => ({ kind, name, namespace: "app", at: AT })),
    ),
    { maxLength: 3 },
  ),
  matches: anyGroupRefs,
});

/** A Service with pods behind it and an IngressBackend that opens it: what comes of chance alone hardly ever fits together. */
const anyOpened = fc.tuple(
  fc.tuple(metaOf("Service"), anyName).map(([meta, name]) => ({ ...meta, name, namespace: "app" })),
  fc.array(fc.tuple(anyPod, fc.constantFrom("10.1.0.1", "10.1.0.3")), { maxLength: 3 }),
  anyIngress,
  anyPortNumber,
  fc.constantFrom([], [{ kind: "IPRange", name: "10.0.0.0/8", namespace: "app", at: AT }]),
  fc.boolean(),
).map(([meta, pods, ingress, number, more, isPlain]) => {
  const { name, namespace } = meta;
  const service: Service = {
    meta,
    selector: { opened: name },
    ports: [{
      ...{ name: "http", port: 80, targetPort: number, protocol: "TCP" },
      ...{ appProtocol: undefined, at: AT },
    }],
    clusterIps: [],
    headless: false,
    publishNotReadyAddresses: true,
  };
  const backends = ingress.backends.map((backend) => ({
    ...{ ...backend, service: name, port: number },
    ...(isPlain ? { serverNames: undefined } : {}),
  }));
  const matches = isPlain ? undefined : ingress.matches;
  const sources = [...ingress.sources, ...more];
  return {
    service,
    // Some of the account are behind the Service, and some are not.
    pods: pods.map(([pod, ip], i): Pod => ({
      ...pod,
      meta: { ...pod.meta, name: `${name}-${i}`, namespace },
      ips: [ip],
      template: { ...pod.template, labels: i === 2 ? {} : { opened: name } },
    })),
    ingress: { ...ingress, meta: { ...ingress.meta, namespace }, backends, sources, matches },
  };
});

const anyEgress: fc.Arbitrary<Egress> = fc.record({
  meta: fc.tuple(metaOf("Egress"), fc.constantFrom("weft.dev", "policy.flomesh.io"))
    .map(([meta, group]) => ({ ...meta, apiVersion: `${group}/v1alpha1` })),
  // Its sources always name their namespace.
  sources: fc.array(anySubject.map((each) => ({ ...each, namespace: each.namespace || "app" })), {
    maxLength: 3,
  }),
  hosts: fc.constantFrom(undefined, [], ["a.example", "*.b.example"]),
  ranges: fc.constantFrom(undefined, [], ["192.0.2.0/24"]),
  ports: fc.array(
    fc.record({
      port: anyPortNumber,
      protocol: fc.constantFrom("http" as const, "https" as const, "tcp" as const),
      at: fc.constant(AT),
    }),
    { maxLength: 3 },
  ),
  matches: anyGroupRefs,
});

const anyApart: fc.Arbitrary<Snapshot> = fc.record({
  namespaces: fc.array(
    fc.record({
      meta: fc.tuple(metaOf("Namespace"), anyNamespace, fc.constantFrom("enabled", "disabled"))
        .map(([meta, name, word]) => ({
          ...meta,
          name,
          namespace: "",
          annotations: { "weft.dev/sidecar-injection": word },
        })),
    }),
    { maxLength: 2 },
  ),
  serviceAccounts: fc.constant([]),
  services: fc.array(orRefused(anyService, { ports: [] }), { maxLength: 6 }),
  endpointSlices: fc.array(anySlice, { maxLength: 3 }),
  pods: fc.array(anyPod, { maxLength: 6 }),
  workloads: fc.array(
    fc.constantFrom("StatefulSet" as const, "Deployment" as const).chain((kind) =>
      fc.record({
        meta: metaOf(kind),
        kind: fc.constant(kind),
        replicas: fc.constant(1),
        template: anyTemplate,
        serviceName: fc.option(anyName, { nil: undefined }),
        owner: fc.constantFrom(undefined, undefined, ...OWNERS),
      })
    ),
    { maxLength: 3 },
  ),
  trafficSplits: fc.array(orRefused(anySplit, { backends: [] }), { maxLength: 6 }),
  httpRouteGroups: fc.array(orRefused(anyGroup, { matches: [] }), { maxLength: 5 }),
  tcpRoutes: fc.array(orRefused(anyTcpRoute, { ports: [] }), { maxLength: 2 }),
  trafficTargets: fc.array(orRefused(anyTarget, { port: undefined }), { maxLength: 3 }),
  trafficPolicies: fc.array(anyPolicy, { maxLength: 4 }),
  egresses: fc.array(anyEgress, { maxLength: 3 }),
  ingressBackends: fc.array(anyIngress, { maxLength: 3 }),
  gatewayRoutes: fc.array(orRefused(anyGatewayRoute(metaOf), { rules: [] }), { maxLength: 4 }),
  referenceGrants: fc.array(anyReferenceGrant(metaOf), { maxLength: 2 }),
});

export const anySnapshot: fc.Arbitrary<Snapshot> = fc.tuple(
  anyApart,
  fc.array(anyOpened, { maxLength: 1 }),
).map(([apart, opened]) => ({
  ...apart,
  services: [...apart.services, ...opened.map(({ service }) => service)],
  pods: [...apart.pods, ...opened.flatMap(({ pods }) => pods)],
  ingressBackends: [...apart.ingressBackends, ...opened.map(({ ingress }) => ingress)],
}));
