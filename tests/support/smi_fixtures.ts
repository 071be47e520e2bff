/**
 * Manifests of the fixtures that the SMI behaviour cases share, as objects: S (the canary guide), W (a root with
 * three backends), and small builders for the rest.
 */

export type Manifest = Readonly<Record<string, unknown>>;

/** `name`, or `namespace/name`; the namespace is `app` where none is given. */
function metadata(name: string, createdAt?: string) {
  const [head, tail] = name.split("/");
  const names = tail === undefined
    ? { name: head, namespace: "app" }
    : { name: tail, namespace: head };
  return createdAt === undefined ? names : { ...names, creationTimestamp: createdAt };
}

/** All manifests as one file. */
export function fileOf(manifests: readonly Manifest[]): { name: string; text: string } {
  // JSON is YAML, and spares the cases a second notation.
  return { name: "in.yaml", text: manifests.map((item) => JSON.stringify(item)).join("\n---\n") };
}

/** A port as `80`, `8080:8081` (with targetPort), or written out. */
export type PortText = string | number | Readonly<Record<string, unknown>>;

function portOf(port: PortText, index: number): Readonly<Record<string, unknown>> {
  if (typeof port === "object") return port;
  const [number, target] = String(port).split(":");
  return { name: `http-${index}`, port: Number(number), targetPort: Number(target ?? number) };
}

export function service(
  name: string,
  { selector, ports = [80], ...rest }: {
    selector?: Readonly<Record<string, string>>;
    ports?: readonly PortText[];
    clusterIP?: string;
  },
): Manifest {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: metadata(name),
    spec: { ...rest, ...(selector && { selector }), ports: ports.map(portOf) },
  };
}

export function deployment(
  name: string,
  { labels, replicas = 1, ports = [], serviceAccount }: {
    labels: Readonly<Record<string, string>>;
    replicas?: number;
    ports?: readonly Readonly<Record<string, unknown>>[];
    serviceAccount?: string;
  },
): Manifest {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadata(name),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...(serviceAccount && { serviceAccountName: serviceAccount }),
          containers: [{ name: "main", image: "image", ports }],
        },
      },
    },
  };
}

/** One Service with one Deployment behind it, both of this name, labelled `backend: NAME`. */
export function backend(
  name: string,
  { app = "web", ports, replicas, serviceAccount }: {
    app?: string;
    ports?: readonly PortText[];
    replicas?: number;
    serviceAccount?: string;
  } = {},
): Manifest[] {
  const own = name.split("/").pop() ?? name;
  const labels = { app, backend: own };
  return [
    service(name, { selector: { backend: own }, ...(ports && { ports }) }),
    deployment(name, {
      labels,
      ...(replicas !== undefined && { replicas }),
      ...(serviceAccount && { serviceAccount }),
    }),
  ];
}

export function split(
  name: string,
  { service, backends, matches, createdAt, version = "v1alpha4" }: {
    service: string;
    backends: Readonly<Record<string, number | string>> | readonly (readonly [string, number])[];
    matches?: readonly string[];
    createdAt?: string;
    version?: string;
  },
): Manifest {
  const pairs = Array.isArray(backends) ? backends : Object.entries(backends);
  return {
    apiVersion: `split.smi-spec.io/${version}`,
    kind: "TrafficSplit",
    metadata: metadata(name, createdAt),
    spec: {
      service,
      ...(matches && { matches: matches.map((name) => ({ kind: "HTTPRouteGroup", name })) }),
      backends: pairs.map(([service, weight]) => ({ service, weight })),
    },
  };
}

export interface MatchText {
  readonly name?: string;
  readonly path?: string;
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, string>> | readonly Readonly<Record<string, string>>[];
}

export function routeGroup(name: string, ...matches: readonly MatchText[]): Manifest {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: metadata(name),
    spec: {
      matches: matches.map(({ name, path, methods, headers }, index) => ({
        name: name ?? `m${index}`,
        ...(path !== undefined && { pathRegex: path }),
        ...(methods && { methods }),
        ...(headers && { headers }),
      })),
    },
  };
}

export function tcpRoute(name: string, ports: readonly number[]): Manifest {
  return {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "TCPRoute",
    metadata: metadata(name),
    spec: { matches: { ports } },
  };
}

/** `to` and `from` are service accounts, `namespace/name`; a rule is a group, a group with matches, or a TCPRoute. */
export function target(
  name: string,
  { to, from, rules }: {
    to: string;
    from: readonly string[];
    rules: readonly (string | { kind?: string; name: string; matches?: readonly string[] })[];
  },
): Manifest {
  const subject = (text: string) => ({ kind: "ServiceAccount", ...metadata(text) });
  return {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: metadata(name),
    spec: {
      destination: subject(to),
      sources: from.map(subject),
      rules: rules.map((rule) =>
        typeof rule === "string"
          ? { kind: "HTTPRouteGroup", name: rule }
          : { kind: "HTTPRouteGroup", ...rule }
      ),
    },
  };
}

/** Fixture W, groups B and E: the root selects the pods of all three backends. */
export const W_ALL: readonly Manifest[] = [
  service("web", { selector: { app: "web" } }),
  ...backend("web-a"),
  ...backend("web-b"),
  ...backend("web-c"),
];

/** Fixture W, groups C and D: the root selects web-a's pod only, so an unmatched request is `a`. */
export const W_ONE: readonly Manifest[] = [
  service("web", { selector: { backend: "web-a" } }),
  ...backend("web-a"),
  ...backend("web-b"),
  ...backend("web-c"),
];

/** Fixture S: the guide's Services and workloads, with the versions that exist so far. */
export function seed(versions: readonly ("v1" | "v2")[]): Manifest[] {
  const ports = [{ name: "pipy", port: 8080, targetPort: 8080, protocol: "TCP" }];
  return [
    service("httpbin/httpbin", { selector: { app: "pipy" }, ports }),
    ...versions.flatMap((version) => [
      service(`httpbin/httpbin-${version}`, { selector: { app: "pipy", version }, ports }),
      deployment(`httpbin/httpbin-${version}`, {
        labels: { app: "pipy", version },
        ports: [{ name: "pipy", containerPort: 8080 }],
      }),
    ]),
    service("curl/curl", { selector: { app: "curl" }, ports: [{ name: "http", port: 80 }] }),
    deployment("curl/curl", { labels: { app: "curl" } }),
  ];
}

/** Attached to the Service `web` where no targets are given. */
export function policy(
  name: string,
  settings: Readonly<Record<string, unknown>>,
  targetRefs: readonly Readonly<Record<string, string>>[] = [{ kind: "Service", name: "web" }],
  createdAt?: string,
): Manifest {
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "TrafficPolicy",
    metadata: metadata(name, createdAt),
    spec: { targetRefs, ...settings },
  };
}
