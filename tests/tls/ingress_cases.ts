/** What an IngressBackend lets in, as cases that every implementation is held to: those who say what would be, and those who do it. */
import { compile } from "../../routing/compile/compile.ts";
import { hashPlan } from "../../routing/parts.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";

/** Whose certificate is shown: `stranger` is of another authority. */
export type Shown = "nginx" | "client" | "stranger" | null;

interface CallFromOutside {
  /** The address that it comes from. */
  readonly from: string;
  /** The server name that it gives; null: it comes in plain. */
  readonly tls: string | null;
  readonly shown: Shown;
  readonly method: string;
  readonly path: string;
}

/**
 * What becomes of it, where callers must come by mutual TLS and no target allows them anything: `let-in`, the reason of a refusal, or
 * `no-tls`: there is no one who would speak TLS with it.
 */
type Outcome = "let-in" | "mtls-required" | "access-denied" | "path-ambiguous" | "no-tls";

interface IngressCase {
  readonly name: string;
  /** At the application's port; of the Service `app`, by http, where nothing else is said. */
  readonly backend?: Readonly<Record<string, unknown>>;
  readonly sources: readonly Readonly<Record<string, string>>[];
  readonly matches?: readonly Readonly<Record<string, string>>[];
  readonly calls: readonly (readonly [Partial<CallFromOutside>, Outcome])[];
}

export const NGINX_ID = "spiffe://cluster.local/ns/ingress/sa/nginx";
export const ACCOUNT = "default/server";
/** The pod of the Service `app`. */
export const POD = "127.0.0.1";
/** The pod of the Service `ingress/nginx`. */
const GATEWAY = "127.0.0.3";
const ELSEWHERE = "127.0.0.4";

const range = (name: string) => ({ kind: "IPRange", name });
const principal = (name: string) => ({ kind: "AuthenticatedPrincipal", name });
const SERVICE = { kind: "Service", name: "nginx", namespace: "ingress" };

/** By TLS that the sidecar ends. */
function https(tls: Readonly<Record<string, unknown>> = {}) {
  return { port: { protocol: "https" }, tls };
}

const SKIPS = https({ skipClientCertValidation: true });
const TLS = { tls: "shop.example" };

export function ingressCallOf(call: Partial<CallFromOutside>): CallFromOutside {
  return { from: "127.0.0.2", tls: null, shown: null, method: "GET", path: "/", ...call };
}

export const INGRESS_CASES: readonly IngressCase[] = [
  {
    name: "a range of addresses, in plain",
    sources: [range("127.0.0.2/31")],
    calls: [
      [{}, "let-in"],
      [{ from: GATEWAY, method: "POST", path: "/any?x=1" }, "let-in"],
      [{ from: ELSEWHERE }, "mtls-required"],
      [TLS, "no-tls"],
    ],
  },
  {
    name: "the endpoints of a Service, in plain",
    sources: [SERVICE],
    calls: [[{ from: GATEWAY }, "let-in"], [{}, "mtls-required"]],
  },
  {
    name: "one source of several is enough",
    sources: [SERVICE, range("127.0.0.2"), principal(NGINX_ID)],
    calls: [[{}, "let-in"], [{ from: GATEWAY }, "let-in"], [{ from: ELSEWHERE }, "mtls-required"]],
  },
  {
    name: "whom a certificate shows, by TLS",
    backend: https(),
    sources: [principal(NGINX_ID)],
    calls: [
      [{ ...TLS, shown: "nginx" }, "let-in"],
      [{ tls: "", shown: "nginx" }, "let-in"],
      [{ ...TLS, shown: "client" }, "access-denied"],
      [{ ...TLS, shown: "stranger" }, "no-tls"],
      [TLS, "mtls-required"],
      [{}, "mtls-required"],
    ],
  },
  {
    name: "an account as OSM writes it",
    backend: https(),
    sources: [principal("nginx.ingress.cluster.local")],
    calls: [[{ ...TLS, shown: "nginx" }, "let-in"], [
      { ...TLS, shown: "client" },
      "access-denied",
    ]],
  },
  {
    name: "the same account of another trust domain is another",
    backend: https(),
    sources: [principal("spiffe://other.example/ns/ingress/sa/nginx")],
    calls: [[{ ...TLS, shown: "nginx" }, "access-denied"]],
  },
  {
    name: "a certificate and an address have to hold together",
    backend: https(),
    sources: [principal(NGINX_ID), SERVICE],
    calls: [
      [{ ...TLS, shown: "nginx", from: GATEWAY }, "let-in"],
      [{ ...TLS, shown: "nginx" }, "access-denied"],
      [{ ...TLS, from: GATEWAY }, "mtls-required"],
      [{ from: GATEWAY }, "mtls-required"],
    ],
  },
  {
    name: "TLS without a certificate, from anywhere",
    backend: SKIPS,
    sources: [principal("any")],
    calls: [
      [TLS, "let-in"],
      [{ ...TLS, shown: "stranger", from: ELSEWHERE }, "let-in"],
      [{}, "mtls-required"],
    ],
  },
  {
    name: "TLS without a certificate, from a range",
    backend: SKIPS,
    sources: [range("127.0.0.2/32")],
    calls: [[TLS, "let-in"], [{ ...TLS, from: ELSEWHERE }, "mtls-required"]],
  },
  {
    name: "server names",
    backend: https({
      skipClientCertValidation: true,
      sniHosts: ["Shop.example", "*.shop.example"],
    }),
    sources: [range("127.0.0.0/8")],
    calls: [
      [TLS, "let-in"],
      [{ tls: "SHOP.example" }, "let-in"],
      [{ tls: "a.b.shop.example" }, "let-in"],
      [{ tls: "other.example" }, "no-tls"],
      [{ tls: "" }, "no-tls"],
    ],
  },
  {
    name: "requests that a route group takes",
    sources: [range("127.0.0.0/8")],
    matches: [{ kind: "HTTPRouteGroup", name: "routes" }],
    calls: [
      [{ path: "/public/a" }, "let-in"],
      [{ path: "/public/a", method: "POST" }, "mtls-required"],
      [{ path: "/private" }, "mtls-required"],
      [{ path: "/public/../private" }, "path-ambiguous"],
    ],
  },
  {
    name: "a Service without the pod opens nothing, though the account is the same",
    backend: { name: "other" },
    sources: [range("127.0.0.0/8")],
    calls: [[{}, "mtls-required"]],
  },
  {
    name: "another port opens nothing",
    backend: { port: { number: 9 } },
    sources: [range("127.0.0.0/8")],
    calls: [[{}, "mtls-required"]],
  },
  {
    name: "an address alone is what shows in plain",
    sources: [principal(NGINX_ID)],
    calls: [[{}, "mtls-required"]],
  },
  {
    name: "in plain there is no server name",
    backend: { tls: { sniHosts: ["shop.example"] } },
    sources: [range("127.0.0.0/8")],
    calls: [[{}, "mtls-required"]],
  },
  {
    name: "a range that cannot be read",
    backend: SKIPS,
    sources: [range("127.0.0.0/33"), principal(NGINX_ID)],
    calls: [[TLS, "no-tls"]],
  },
  {
    name: "a kind of source that is not known may have narrowed the others",
    backend: SKIPS,
    sources: [{ kind: "Region", name: "eu" }, principal(NGINX_ID)],
    calls: [[TLS, "no-tls"]],
  },
  {
    name: "a principal that is no account",
    backend: https(),
    sources: [principal("*")],
    calls: [[{ ...TLS, shown: "nginx" }, "no-tls"]],
  },
  {
    name: "a route group that is not there",
    sources: [range("127.0.0.0/8")],
    matches: [{ kind: "HTTPRouteGroup", name: "none" }],
    calls: [[{}, "mtls-required"]],
  },
];

/**
 * A strict mesh in which no target allows anything, with the Services `app` and `other`, each at one pod of the same account.
 * @param pod the address of that of `app`
 */
export function ingressPlan(
  { backend = {}, sources, matches }: Omit<IngressCase, "name" | "calls">,
  applicationPort: number,
  pod = POD,
): Plan {
  const port = { number: applicationPort, protocol: "http", ...Object(backend["port"]) };
  const documents = [
    ...service("app", "default", pod, applicationPort, "server"),
    ...service("other", "default", "127.0.0.9", applicationPort, "server"),
    ...service("nginx", "ingress", GATEWAY, 80, "nginx"),
    {
      apiVersion: "specs.smi-spec.io/v1alpha4",
      kind: "HTTPRouteGroup",
      metadata: { name: "routes", namespace: "default" },
      spec: { matches: [{ name: "m", methods: ["GET"], pathRegex: "/public" }] },
    },
    {
      apiVersion: "weft.dev/v1alpha1",
      kind: "IngressBackend",
      metadata: { name: "i", namespace: "default" },
      spec: { backends: [{ name: "app", ...backend, port }], sources, matches },
    },
  ];
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot } = parseManifests([{ name: "ingress.yaml", text }]);
  const { plan } = compile(snapshot, { permissive: false });
  const strict: Plan = { ...plan, mtls: { mesh: "strict", namespaces: {} } };
  return { ...strict, hash: hashPlan(strict) };
}

function service(name: string, namespace: string, ip: string, port: number, account: string) {
  const pod = `${name}-0`;
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: [{ name: "http", port: 80, targetPort: port }] },
    },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: pod, namespace },
      spec: { serviceAccountName: account, containers: [] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name: pod, namespace, labels: { "kubernetes.io/service-name": name } },
      ports: [{ name: "http", port }],
      endpoints: [{ addresses: [ip], targetRef: { kind: "Pod", name: pod, namespace } }],
    },
  ];
}
