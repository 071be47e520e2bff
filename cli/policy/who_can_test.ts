// Tests of `weft policy who-can`, by manifests.
import { deepEqual, equal, match } from "node:assert/strict";
import { testEnvironment } from "../../console/testing.ts";
import { run } from "../run.ts";

const meta = (name: string) => ({ name, namespace: "books" });
const account = (name: string) => ({ kind: "ServiceAccount", ...meta(name) });

function deployment(name: string): object {
  const labels = { app: name };
  const containers = [{ name: "app", image: "app", ports: [{ containerPort: 8080 }] }];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: meta(name),
    spec: {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { serviceAccountName: name, containers } },
    },
  };
}

function service(name: string): object {
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  const spec = { selector: { app: name }, ports };
  return { apiVersion: "v1", kind: "Service", metadata: meta(name), spec };
}

function target(name: string, source: string, rule: object): object {
  return {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: meta(name),
    spec: { destination: account("bookstore"), sources: [account(source)], rules: [rule] },
  };
}

const INGRESS = {
  apiVersion: "weft.dev/v1alpha1",
  kind: "IngressBackend",
  metadata: meta("edge"),
  spec: {
    backends: [{ name: "bookstore", port: { number: 8080, protocol: "https" } }],
    sources: [{ kind: "AuthenticatedPrincipal", name: "nginx.ingress.cluster.local" }],
    matches: [{ kind: "HTTPRouteGroup", name: "routes" }],
  },
};

const MANIFESTS = [
  ...["bookstore", "bookbuyer", "bookthief"].map(deployment),
  ...["bookstore", "bookbuyer"].map(service),
  {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: meta("routes"),
    spec: { matches: [{ name: "buy", pathRegex: "/books-bought", methods: ["GET"] }] },
  },
  {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "TCPRoute",
    metadata: meta("admin"),
    spec: { matches: { ports: [8080] } },
  },
  target("buyers", "bookbuyer", { kind: "HTTPRouteGroup", name: "routes", matches: ["buy"] }),
  target("operators", "operator", { kind: "TCPRoute", name: "admin" }),
  INGRESS,
];

async function whoCan(...argv: string[]) {
  const folder = Deno.makeTempDirSync();
  const file = `${folder}/books.yaml`;
  Deno.writeTextFileSync(file, MANIFESTS.map((each) => JSON.stringify(each)).join("\n---\n"));
  const environment = testEnvironment();
  try {
    const code = await run(["policy", "who-can", ...argv, "-f", file, "-n", "books"], environment);
    return { code, out: environment.stdout.text(), err: environment.stderr.text() };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("policy who-can: callers, what they may do, and by which target", async () => {
  const { code, out } = await whoCan("bookstore");
  equal(code, 0);
  deepEqual(out.trimEnd().split("\n").map((line) => line.split(/ {2,}/)), [
    ["PORT", "CALLED", "CALLER", "MAY", "BY"],
    ["80", "books/bookstore", "books/bookbuyer", "GET /books-bought", "books/buyers"],
    [
      ...["80", "books/bookstore", "books/operator", "everything: a TCP rule has the port"],
      "books/operators",
    ],
    [
      ...["80", "books/bookstore", "ingress/nginx by TLS", "GET /books-bought"],
      "IngressBackend books/edge",
    ],
  ]);
});

Deno.test("policy who-can: a Service that no caller may call is said, with 1, and one that is not there", async () => {
  const none = await whoCan("bookbuyer");
  equal(none.code, 1);
  match(none.out, /^No caller may call books\/bookbuyer: no traffic target/);
  const missing = await whoCan("other/bookstore");
  equal(missing.code, 1);
  match(missing.err, /There is no Service other\/bookstore in the mesh/);
});

Deno.test("policy who-can: JSON has the same", async () => {
  const { out } = await whoCan("books/bookstore", "-o", "json");
  const { service, allowances } = JSON.parse(out);
  equal(service, "books/bookstore");
  deepEqual(allowances.map(({ source }: { source: string }) => source), [
    "books/bookbuyer",
    "books/operator",
    "ingress/nginx by TLS",
  ]);
});
