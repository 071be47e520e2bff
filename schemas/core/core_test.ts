/**
 * Kinds of Kubernetes itself.
 */
import assert from "node:assert/strict";
import { KINDS } from "../kinds.ts";
import { MANIFEST_LIMITS } from "../limits.ts";
import { firstFinding, load, only, summaries } from "../testing.ts";

Deno.test("core: every kind and version is read from a bare object without a finding", () => {
  for (const { kind, group, versions, hasSchema, isNamespaced } of KINDS) {
    if (hasSchema) continue;
    for (const version of versions) {
      const apiVersion = group === "" ? version : `${group}/${version}`;
      const labels = "labels: {kubernetes.io/service-name: s}";
      const loaded = load(
        `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x, ${labels}}\nspec: {template: {}, jobTemplate: {spec: {template: {}}}}\nsubsets: [{}]\n`,
      );
      assert.deepEqual(loaded.findings, [], kind);
      assert.equal(loaded.objects, 1);
      const { meta } = only(
        Object.values(loaded.snapshot).flat() as { meta: { namespace: string } }[],
      );
      assert.equal(meta.namespace, isNamespaced ? "default" : "", kind);
    }
  }
});

Deno.test("Namespace: labels and annotations", () => {
  const loaded = load(
    "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: app\n  namespace: ignored\n  creationTimestamp: 2024-01-01T00:00:00Z\n  labels: {weft.dev/monitored-by: weft}\n  annotations: {weft.dev/sidecar-injection: enabled}\n",
  );
  const { meta } = only(loaded.snapshot.namespaces);
  assert.deepEqual(
    [meta.namespace, meta.labels, meta.annotations, meta.createdAt],
    [
      "",
      { "weft.dev/monitored-by": "weft" },
      { "weft.dev/sidecar-injection": "enabled" },
      "2024-01-01T00:00:00Z",
    ],
  );
});

const SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec:\n";

Deno.test("Service: ports with and without a target, number or name", () => {
  const loaded = load(
    `${SERVICE}  clusterIP: 10.0.0.1
  clusterIPs: [10.0.0.1, "fd00::1"]
  selector: {app: x}
  ports:
  - port: 80
  - {name: http, port: 81, targetPort: 8080, appProtocol: http}
  - {name: dns, port: 53, targetPort: dns-udp, protocol: UDP}
`,
  );
  assert.deepEqual(loaded.findings, []);
  const { meta: _, ...service } = only(loaded.snapshot.services);
  const ports = (index: number) => ["spec", "ports", index];
  assert.deepEqual(service, {
    selector: { app: "x" },
    ports: [
      { name: "", port: 80, targetPort: 80, protocol: "TCP", appProtocol: undefined, at: ports(0) },
      {
        name: "http",
        port: 81,
        targetPort: 8080,
        protocol: "TCP",
        appProtocol: "http",
        at: ports(1),
      },
      {
        name: "dns",
        port: 53,
        targetPort: "dns-udp",
        protocol: "UDP",
        appProtocol: undefined,
        at: ports(2),
      },
    ],
    clusterIps: ["10.0.0.1", "fd00::1"],
    headless: false,
    publishNotReadyAddresses: false,
  });
});

Deno.test("Service: headless, and without a selector", () => {
  const headless = load(`${SERVICE}  clusterIP: None\n  publishNotReadyAddresses: true\n`);
  const service = only(headless.snapshot.services);
  assert.deepEqual(
    [service.headless, service.clusterIps, service.publishNotReadyAddresses, service.selector],
    [true, [], true, undefined],
  );
  const single = only(load(`${SERVICE}  clusterIP: 10.0.0.9\n`).snapshot.services);
  assert.deepEqual([single.clusterIps, single.headless], [["10.0.0.9"], false]);
});

Deno.test("Service: a bad port loses itself, one in quotes does not, with the place and a way out", () => {
  const loaded = load(
    `${SERVICE}  ports:\n  - {port: 80, targetPort: "8080"}\n  - {name: x}\n  - {port: "80"}\n  - {port: 70000}\n  - 80\n  - {port: 90}\n`,
  );
  assert.deepEqual(summaries(loaded).sort(), [
    "schema-invalid spec.ports[0].targetPort f.yaml:6:16",
    "schema-invalid spec.ports[1].port f.yaml:7:5",
    "schema-invalid spec.ports[2].port f.yaml:8:6",
    "schema-invalid spec.ports[3].port f.yaml:9:6",
    "schema-invalid spec.ports[4] f.yaml:10:5",
  ]);
  assert.ok(loaded.findings.some(({ hint }) => hint === "Write 8080 without quotes"));
  assert.deepEqual(
    only(loaded.snapshot.services).ports.map(({ port, targetPort }) => [port, targetPort]),
    [
      [80, 8080],
      [80, 80],
      [90, 90],
    ],
  );
});

Deno.test("Service: a selector value that is no text is reported and still selects", () => {
  const loaded = load(`${SERVICE}  selector: {version: 1.0, app: on, tier: web}\n`);
  assert.deepEqual(summaries(loaded), [
    "schema-invalid spec.selector.version f.yaml:5:14",
    "schema-invalid spec.selector.app f.yaml:5:28",
  ]);
  assert.equal(firstFinding(loaded).hint, "Put it in quotes, to make it text");
  assert.match(loaded.findings[1]?.hint ?? "", /YAML reads on, off/);
  assert.deepEqual(only(loaded.snapshot.services).selector, {
    version: "1",
    app: "true",
    tier: "web",
  });
});

Deno.test("Service: session affinity, and a word that is none", () => {
  const affinityOf = (spec: string) => {
    const loaded = load(`${SERVICE}${spec}`);
    return [only(loaded.snapshot.services).clientIpAffinity, ...summaries(loaded)];
  };
  const config = (seconds: string) =>
    `  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: ${seconds}}}\n`;
  assert.deepEqual(affinityOf("  sessionAffinity: ClientIP\n"), [{ timeoutSeconds: null }]);
  assert.deepEqual(affinityOf(config("60")), [{ timeoutSeconds: 60 }]);
  assert.deepEqual(affinityOf(config("10800")), [{ timeoutSeconds: null }], "the server's default");
  assert.deepEqual(affinityOf("  sessionAffinity: None\n"), [undefined]);
  assert.deepEqual(affinityOf("  sessionAffinity: Cookie\n"), [
    undefined,
    "schema-invalid spec.sessionAffinity f.yaml:5:3",
  ]);
});

Deno.test("Pod: user, group and network, of the pod and of each container", () => {
  const loaded = load(`apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  hostNetwork: true
  securityContext: {runAsUser: 1, fsGroup: 9}
  containers:
  - {name: a, image: i, securityContext: {runAsUser: 2, runAsGroup: 3}}
  - {name: b, image: i, securityContext: {runAsUser: "4"}}
`);
  assert.deepEqual(loaded.findings, []);
  const { template } = only(loaded.snapshot.pods);
  assert.equal(template.hostNetwork, true);
  assert.deepEqual([template.runsAs, ...template.containers.map(({ runsAs }) => runsAs)], [
    { user: 1 },
    { user: 2, group: 3 },
    undefined,
  ]);
});

Deno.test("Service: a slip in a field's name is pointed out; a field that we do not read is not", () => {
  const loaded = load(
    `${SERVICE}  selectors: {a: b}\n  sessionAffinity: None\n  brandNewField: 1\n`,
  );
  assert.deepEqual(summaries(loaded), ["field-misspelt spec.selectors f.yaml:5:3"]);
  assert.equal(firstFinding(loaded).hint, 'Did you mean "selector"?');
});

Deno.test("EndpointSlice: addresses, readiness, ports", () => {
  const loaded = load(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s-abc, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
ports: [{name: http, port: 8080, protocol: TCP}, {name: any}]
endpoints:
- {addresses: [10.1.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: p}, zone: z1}
- {addresses: [10.1.0.2], conditions: {ready: false}, hostname: h}
- {addresses: [10.1.0.3]}
`);
  assert.deepEqual(loaded.findings, []);
  const { meta: _, ...slice } = only(loaded.snapshot.endpointSlices);
  const endpoint = { hostname: undefined, podName: undefined, zone: undefined };
  assert.deepEqual(slice, {
    service: "s",
    ports: [{ name: "http", port: 8080, appProtocol: undefined }],
    endpoints: [
      { ...endpoint, addresses: ["10.1.0.1"], ready: true, podName: "p", zone: "z1" },
      { ...endpoint, addresses: ["10.1.0.2"], ready: false, hostname: "h" },
      { ...endpoint, addresses: ["10.1.0.3"], ready: true },
    ],
  });
});

Deno.test("EndpointSlice: without the label of its Service it belongs to none", () => {
  const loaded = load(
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\n",
  );
  assert.deepEqual(summaries(loaded), ["schema-invalid metadata.labels f.yaml:3:1"]);
  assert.deepEqual(loaded.snapshot.endpointSlices, []);
});

const ENDPOINTS = `apiVersion: v1
kind: Endpoints
metadata: {name: s}
subsets:
- addresses: [{ip: 10.1.0.1, targetRef: {kind: Pod, name: p}}]
  notReadyAddresses: [{ip: 10.1.0.2, hostname: h}]
  ports: [{name: http, port: 8080}]
- addresses: [{ip: 10.1.0.3}]
  ports: [{port: 9090}]
`;

Deno.test("Endpoints: one slice for each subset", () => {
  const loaded = load(ENDPOINTS);
  assert.deepEqual(loaded.findings, []);
  const slices = loaded.snapshot.endpointSlices;
  assert.deepEqual(
    slices.map(({ service, ports, endpoints }) => [
      service,
      ports.map(({ name, port }) => `${name}:${port}`),
      endpoints.map(({ addresses, ready, podName }) => [addresses[0], ready, podName]),
    ]),
    [
      ["s", ["http:8080"], [["10.1.0.1", true, "p"], ["10.1.0.2", false, undefined]]],
      ["s", [":9090"], [["10.1.0.3", true, undefined]]],
    ],
  );
});

Deno.test("Endpoints: left out where EndpointSlices of the same Service say the same", () => {
  const slice =
    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, labels: {kubernetes.io/service-name: s}}\n";
  const other = ENDPOINTS.replace("name: s}", "name: other}");
  const { snapshot } = load(`${ENDPOINTS}${slice}---\n${other}`);
  assert.deepEqual(snapshot.endpointSlices.map(({ meta, service }) => `${meta.kind} ${service}`), [
    "EndpointSlice s",
    "Endpoints other",
    "Endpoints other",
  ]);
});

Deno.test("Pod: containers, account, addresses, owner, readiness", () => {
  const loaded = load(`apiVersion: v1
kind: Pod
metadata:
  name: p
  labels: {app: x}
  ownerReferences:
  - {kind: Other, name: o}
  - {kind: ReplicaSet, name: web-5d8, controller: true}
spec:
  serviceAccountName: robot
  hostname: h
  subdomain: sub
  containers:
  - name: c
    image: i:1
    command: [run]
    args: [-v]
    ports: [{name: http, containerPort: 8080}, {containerPort: 53, protocol: UDP}]
status:
  podIP: 10.0.0.1
  podIPs: [{ip: 10.0.0.1}, {ip: "fd00::2"}]
  phase: Running
  conditions: [{type: Ready, status: "False"}]
`);
  assert.deepEqual(loaded.findings, []);
  const { meta: _, ...pod } = only(loaded.snapshot.pods);
  assert.deepEqual(pod, {
    template: {
      labels: { app: "x" },
      annotations: {},
      serviceAccount: "robot",
      containers: [{
        name: "c",
        image: "i:1",
        command: ["run", "-v"],
        ports: [
          { name: "http", containerPort: 8080, protocol: "TCP" },
          { name: "", containerPort: 53, protocol: "UDP" },
        ],
      }],
      hostname: "h",
      subdomain: "sub",
    },
    ips: ["10.0.0.1", "fd00::2"],
    ready: false,
    owner: { kind: "ReplicaSet", name: "web-5d8" },
  });
});

Deno.test("Pod: ready unless the input says otherwise", () => {
  const ready = (rest: string) =>
    only(load(`apiVersion: v1\nkind: Pod\nmetadata: {name: p${rest}\n`).snapshot.pods).ready;
  assert.equal(ready("}"), true);
  assert.equal(ready("}\nstatus: {phase: Running}"), true);
  assert.equal(
    ready('}\nstatus: {phase: Running, conditions: [{type: Ready, status: "True"}]}'),
    true,
  );
  assert.equal(ready("}\nstatus: {phase: Pending}"), false);
  assert.equal(ready("}\nstatus: {phase: Succeeded}"), false);
  assert.equal(ready(", deletionTimestamp: 2024-01-01T00:00:00Z}"), false);
});

function workload(kind: string, spec: string) {
  const apiVersion = kind === "Job" ? "batch/v1" : "apps/v1";
  return load(
    `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: w}\nspec: {${spec}template: {metadata: {labels: {app: x}}}}\n`,
  );
}

Deno.test("workloads: how many pods each kind has", () => {
  const cases = [
    ["Deployment", "", 1],
    ["Deployment", "replicas: 3, ", 3],
    ["Deployment", "replicas: 0, ", 0],
    ["ReplicaSet", "replicas: 2, ", 2],
    ["StatefulSet", "replicas: 2, serviceName: gov, ", 2],
    ["DaemonSet", "", 1],
    ["Job", "", 1],
    ["Job", "parallelism: 3, ", 3],
    ["Job", "parallelism: 3, completions: 2, ", 2],
  ] as const;
  for (const [kind, spec, replicas] of cases) {
    const loaded = workload(kind, spec);
    assert.deepEqual(loaded.findings, [], `${kind} ${spec}`);
    const read = only(loaded.snapshot.workloads);
    assert.deepEqual([read.kind, read.replicas, read.template.labels], [kind, replicas, {
      app: "x",
    }]);
    assert.equal(read.serviceName, kind === "StatefulSet" ? "gov" : undefined);
  }
});

Deno.test("workloads: a bad number of replicas counts as one, a huge one as the limit", () => {
  const bad = workload("Deployment", "replicas: many, ");
  assert.deepEqual(summaries(bad), ["schema-invalid spec.replicas f.yaml:4:8"]);
  assert.equal(only(bad.snapshot.workloads).replicas, 1);
  const huge = workload("Deployment", "replicas: 1000000, ");
  assert.deepEqual(summaries(huge), ["limit-exceeded spec.replicas f.yaml:4:8"]);
  assert.equal(only(huge.snapshot.workloads).replicas, MANIFEST_LIMITS.workloadReplicasMax);
});

Deno.test("workloads: all together have no more pods than a cluster may have", () => {
  const count = MANIFEST_LIMITS.totalReplicasMax / MANIFEST_LIMITS.workloadReplicasMax + 1;
  const documents = Array.from({ length: count }, (_, index) =>
    JSON.stringify({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: `w${index}` },
      spec: { replicas: MANIFEST_LIMITS.workloadReplicasMax, template: {} },
    }));
  const loaded = load(documents.join("\n"));
  assert.equal(firstFinding(loaded).code, "limit-exceeded");
  assert.deepEqual(loaded.findings.map(({ resource }) => resource?.name), [`w${count - 1}`]);
  assert.equal(loaded.snapshot.workloads.at(-1)?.replicas, 0);
});

Deno.test("workloads: one without a template is reported", () => {
  const loaded = load("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: w}\nspec: {}\n");
  assert.deepEqual(summaries(loaded), ["schema-invalid spec.template f.yaml:4:1"]);
});

Deno.test("core: a number in quotes is an error, and clear enough to count", () => {
  const loaded = load(
    'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: "80"}]}\n---\n' +
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: "2", template: {}}\n',
  );
  assert.deepEqual(loaded.findings.map(({ code, hint }) => [code, hint]), [
    ["schema-invalid", "Write 80 without quotes"],
    ["schema-invalid", "Write 2 without quotes"],
  ]);
  assert.equal(only(only(loaded.snapshot.services).ports).port, 80);
  assert.equal(only(loaded.snapshot.workloads).replicas, 2);
  const far = load(
    'apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: "70000"}]}\n',
  );
  assert.deepEqual(only(far.snapshot.services).ports, []);
});

Deno.test("core: slips in pods and their templates are warnings", () => {
  const loaded = load(
    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec:\n  template:\n" +
      "    metadata: {label: {a: b}}\n    spec: {container: [], containers: [{name: c, imag: i, port: []}]}\n",
  );
  assert.deepEqual(loaded.findings.map(({ code, field, hint }) => [code, field, hint]), [
    ["field-misspelt", "spec.template.metadata.label", 'Did you mean "labels"?'],
    ["field-misspelt", "spec.template.spec.container", 'Did you mean "containers"?'],
    ["field-misspelt", "spec.template.spec.containers[0].imag", 'Did you mean "image"?'],
    ["field-misspelt", "spec.template.spec.containers[0].port", 'Did you mean "ports"?'],
  ]);
});

Deno.test("Service: matchLabels in a selector are an error, and clear enough to count", () => {
  const loaded = load(`${SERVICE}  selector: {matchLabels: {app: web}}\n`);
  assert.deepEqual(summaries(loaded), ["schema-invalid spec.selector.matchLabels f.yaml:5:14"]);
  assert.deepEqual(only(loaded.snapshot.services).selector, { app: "web" });
});
