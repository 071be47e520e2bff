/** IngressBackend: the same in three groups, and what a field that cannot be read costs. */
import assert from "node:assert/strict";
import { firstFinding, load, only, summaries } from "../testing.ts";

const GROUPS = ["weft.dev", "policy.flomesh.io", "policy.openservicemesh.io"];

function ingress(spec: string, group = GROUPS[0]) {
  return load(
    `apiVersion: ${group}/v1alpha1\nkind: IngressBackend\nmetadata: {name: i, namespace: app}\n` +
      `spec:\n${spec}`,
  );
}

const RANGE = "  sources: [{kind: IPRange, name: 192.0.2.7/24}]\n";
const HTTP = "  backends: [{name: web, port: {number: 8080, protocol: http}}]\n";

for (const group of GROUPS) {
  Deno.test(`IngressBackend: everything that one of ${group} says`, () => {
    const loaded = ingress(
      `  backends:
    - {name: web, port: {number: 8080, protocol: http}}
    - name: web
      port: {number: 8443, protocol: https}
      tls: {skipClientCertValidation: true, sniHosts: [Shop.example., "*.example.org"]}
  sources:
    - {kind: Service, name: nginx, namespace: ingress}
    - {kind: Service, name: own}
    - {kind: IPRange, name: 192.0.2.7/24}
    - {kind: AuthenticatedPrincipal, name: nginx.ingress.cluster.local}
  matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: routes}]
`,
      group,
    );
    assert.deepEqual(loaded.findings, []);
    const { meta, ...rest } = only(loaded.snapshot.ingressBackends);
    assert.equal(meta.apiVersion, `${group}/v1alpha1`);
    const backend = (at: number) => ["spec", "backends", at];
    const source = (at: number) => ["spec", "sources", at];
    assert.deepEqual(rest, {
      backends: [
        {
          ...{ service: "web", port: 8080, protocol: "http", skipsCertificate: false },
          ...{ serverNames: undefined, at: backend(0) },
        },
        {
          ...{ service: "web", port: 8443, protocol: "https", skipsCertificate: true },
          ...{ serverNames: ["shop.example", "*.example.org"], at: backend(1) },
        },
      ],
      sources: [
        { kind: "Service", name: "nginx", namespace: "ingress", at: source(0) },
        { kind: "Service", name: "own", namespace: "app", at: source(1) },
        { kind: "IPRange", name: "192.0.2.0/24", namespace: "app", at: source(2) },
        {
          ...{ kind: "AuthenticatedPrincipal", name: "nginx.ingress.cluster.local" },
          ...{ namespace: "app", at: source(3) },
        },
      ],
      matches: [{ kind: "HTTPRouteGroup", name: "routes", at: ["spec", "matches", 0] }],
    });
  });
}

Deno.test("IngressBackend: a restriction that cannot be read never widens", () => {
  const loaded = ingress(`  backends:
    - {name: web, port: {number: 8080, protocol: tcp}}
    - {name: web, port: {number: 0, protocol: http}}
    - {name: web, port: {number: 8443, protocol: https}, tls: {skipClientCertValidation: "no"}}
    - {name: web, port: {number: 8444, protocol: https}, tls: {sniHosts: ["https://a.example"]}}
  sources:
    - {kind: IPRange, name: 192.0.2.0/33}
    - {kind: AuthenticatedPrincipal}
`);
  const { backends, sources } = only(loaded.snapshot.ingressBackends);
  assert.deepEqual(backends.map(({ port, serverNames }) => [port, serverNames]), [[8444, []]]);
  assert.deepEqual(sources.map(({ kind, name }) => [kind, name]), [["IPRange", ""], [null, ""]]);
  assert.deepEqual(summaries(loaded).sort(), [
    "schema-invalid spec.backends[0].port.protocol f.yaml:6:40",
    "schema-invalid spec.backends[1].port.number f.yaml:7:26",
    "schema-invalid spec.backends[2].tls.skipClientCertValidation f.yaml:8:64",
    "schema-invalid spec.backends[3].tls.sniHosts[0] f.yaml:9:75",
    "schema-invalid spec.sources[0].name f.yaml:11:23",
    "schema-invalid spec.sources[1].name f.yaml:12:7",
  ]);
});

Deno.test("IngressBackend: one with a field that is not known counts for nothing", () => {
  const loaded = ingress(`${HTTP}${RANGE}  matchs: []\n`);
  assert.deepEqual(loaded.snapshot.ingressBackends, []);
  assert.match(firstFinding(loaded).hint, /Did you mean "matches"/);
});
