/** Egress: the same in three groups, and what a field that cannot be read costs. */
import assert from "node:assert/strict";
import { firstFinding, load, only, summaries } from "../testing.ts";

const GROUPS = ["weft.dev", "policy.flomesh.io", "policy.openservicemesh.io"];

function egress(spec: string, group = GROUPS[0]) {
  return load(
    `apiVersion: ${group}/v1alpha1\nkind: Egress\nmetadata: {name: e, namespace: app}\nspec:\n` +
      "  sources: [{kind: ServiceAccount, name: curl, namespace: app}]\n" + spec,
  );
}

for (const group of GROUPS) {
  Deno.test(`Egress: everything that one of ${group} says`, () => {
    const loaded = egress(
      `
  hosts: [API.example.com., "*.example.org", "*"]
  ipAddresses: [192.0.2.7/24, "2001:db8::/32", 198.51.100.1]
  ports: [{number: 80, protocol: http}, {number: 443, protocol: https}, {number: 5432, protocol: tcp}]
  matches: [{apiGroup: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, name: routes}]
`,
      group,
    );
    assert.deepEqual(loaded.findings, []);
    const { meta, ...rest } = only(loaded.snapshot.egresses);
    assert.equal(meta.apiVersion, `${group}/v1alpha1`);
    const port = (at: number) => ["spec", "ports", at];
    assert.deepEqual(rest, {
      sources: [{
        kind: "ServiceAccount",
        name: "curl",
        namespace: "app",
        at: ["spec", "sources", 0],
      }],
      hosts: ["api.example.com", "*.example.org", "*"],
      ranges: ["192.0.2.0/24", "2001:db8::/32", "198.51.100.1/32"],
      ports: [
        { port: 80, protocol: "http", at: port(0) },
        { port: 443, protocol: "https", at: port(1) },
        { port: 5432, protocol: "tcp", at: port(2) },
      ],
      matches: [{ kind: "HTTPRouteGroup", name: "routes", at: ["spec", "matches", 0] }],
    });
  });
}

Deno.test("Egress: what is left out, or empty, restricts nothing", () => {
  const ports = "  ports: [{number: 80, protocol: http}]\n";
  for (const spec of [ports, `${ports}  hosts: []\n  ipAddresses: []\n  matches: []\n`]) {
    const loaded = egress(spec);
    assert.deepEqual(loaded.findings, []);
    const { hosts, ranges, matches } = only(loaded.snapshot.egresses);
    assert.deepEqual([hosts, ranges, matches], [undefined, undefined, undefined]);
  }
});

Deno.test("Egress: a restriction that cannot be read never widens", () => {
  const loaded = egress(`
  hosts: ["http://api.example.com", 7]
  ipAddresses: [192.0.2.0/33]
  ports: [{number: 80, protocol: udp}, {number: 0, protocol: http}, {number: 81, protocol: http}]
`);
  const { hosts, ranges, ports } = only(loaded.snapshot.egresses);
  assert.deepEqual([hosts, ranges], [[], []]);
  assert.deepEqual(ports.map(({ port }) => port), [81]);
  assert.deepEqual(summaries(loaded).sort(), [
    "schema-invalid spec.hosts[0] f.yaml:7:11",
    "schema-invalid spec.hosts[1] f.yaml:7:37",
    "schema-invalid spec.ipAddresses[0] f.yaml:8:17",
    "schema-invalid spec.ports[0].protocol f.yaml:9:24",
    "schema-invalid spec.ports[1].number f.yaml:9:41",
  ]);
});

Deno.test("Egress: one with a field that is not known counts for nothing", () => {
  for (const spec of ["  host: [a.example]\n", "  matchs: []\n"]) {
    const loaded = egress(`${spec}  ports: [{number: 80, protocol: http}]\n`);
    assert.deepEqual(loaded.snapshot.egresses, []);
    assert.match(firstFinding(loaded).hint, /Did you mean "(hosts|matches)"/);
  }
});

Deno.test("Egress: what FSM alone has, certificates for gateways, is said not to be read", () => {
  const loaded = load(`apiVersion: policy.flomesh.io/v1alpha1
kind: Egress
metadata: {name: e, namespace: app}
spec:
  sources: [{kind: ServiceAccount, name: curl, namespace: app, mtls: {issuer: other}}]
  ports: [{number: 443, protocol: https}]
`);
  assert.deepEqual(loaded.snapshot.egresses, []);
  assert.deepEqual(summaries(loaded), ["field-unknown spec.sources[0].mtls f.yaml:5:64"]);
});
