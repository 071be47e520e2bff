/**
 * Kinds: those that Weft reads, slips of them, and those that it does not read, of which it says what is true.
 */
import assert from "node:assert/strict";
import { firstFinding, load, only, summaries } from "./testing.ts";
import { expandWorkloads } from "./workloads.ts";

function claim(apiVersion: string, kind: string, rest = "") {
  return load(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n${rest}`);
}

Deno.test("kinds: a version or group that Weft does not read is an error", () => {
  const cases = [
    ["split.smi-spec.io/v1alpha5", "TrafficSplit", "Use split.smi-spec.io/v1alpha4"],
    ["access.smi-spec.io/v1alpha4", "TrafficTarget", "Use access.smi-spec.io/v1alpha3"],
    ["split.smi-spec.io/v1alpha4", "HTTPRouteGroup", '"specs.smi-spec.io/v1alpha4"?'],
    ["smi-spec.io/v1alpha4", "TrafficSplit", '"split.smi-spec.io/v1alpha4"?'],
    ["split.smi-spec.oi/v1alpha2", "TrafficSplit", '"split.smi-spec.io/v1alpha2"?'],
    ["split.smi.spec.io/v1alpha2", "TrafficSplit", '"split.smi-spec.io/v1alpha2"?'],
    ["splits.smi-spec.io/v1alpha2", "TrafficSplit", '"split.smi-spec.io/v1alpha2"?'],
    ["split.smispec.io/v1alpha2", "TrafficSplit", '"split.smi-spec.io/v1alpha2"?'],
    ["v1alpha4", "TrafficSplit", '"split.smi-spec.io/v1alpha4"?'],
    ["weft.dve/v1alpha1", "TrafficPolicy", '"weft.dev/v1alpha1"?'],
    ["extensions/v1beta1", "Deployment", "Use apps/v1"],
    ["apps/v1beta2", "Deployment", "Use apps/v1"],
    ["v1", "Deployment", '"apps/v1"?'],
    ["app/v1", "Deployment", '"apps/v1"?'],
    ["apps/v1", "Service", '"v1"?'],
    ["v2", "Service", "Use v1"],
    ["discovery.k8s.io/v1beta1", "EndpointSlice", "Use discovery.k8s.io/v1"],
  ] as const;
  for (const [apiVersion, kind, hint] of cases) {
    const loaded = claim(apiVersion, kind);
    assert.deepEqual(summaries(loaded), ["version-unsupported apiVersion f.yaml:1:1"], apiVersion);
    assert.ok(firstFinding(loaded).hint.includes(hint), firstFinding(loaded).hint);
    assert.equal(firstFinding(loaded).severity, "error");
    assert.equal(loaded.objects, 0);
  }
});

Deno.test("kinds: a slip of one that Weft reads is an error", () => {
  const cases = [
    ["split.smi-spec.io/v1alpha4", "TrafficSplt", '"TrafficSplit"?'],
    ["split.smi-spec.io/v1alpha4", "trafficsplit", '"TrafficSplit"?'],
    [
      "split.smi-spec.oi/v1alpha2",
      "TrafficSplt",
      '"TrafficSplit" of "split.smi-spec.io/v1alpha2"?',
    ],
    ["specs.smi-spec.io/v1alpha4", "HTTPRoutGroup", '"HTTPRouteGroup"?'],
    ["specs.smi-spec.io/v1alpha4", "HttpRouteGroup", '"HTTPRouteGroup"?'],
    ["specs.smi-spec.io/v1alpha4", "RouteTable", "Use HTTPRouteGroup, TCPRoute"],
    ["access.smi-spec.io/v1alpha3", "TrafficTargets", '"TrafficTarget"?'],
    ["weft.dev/v1alpha1", "TrafficPolicies", "Use TrafficPolicy"],
    ["v1", "Sevice", '"Service"?'],
    ["v1", "service", '"Service"?'],
    ["v1", "list", '"List"?'],
    ["apps/v1", "Deploymnt", '"Deployment"?'],
    ["v1", "Deploymnt", '"Deployment" of "apps/v1"?'],
  ] as const;
  for (const [apiVersion, kind, hint] of cases) {
    const loaded = claim(apiVersion, kind);
    assert.deepEqual(summaries(loaded), ["kind-misspelt kind f.yaml:2:1"], kind);
    assert.ok(firstFinding(loaded).hint.includes(hint), firstFinding(loaded).hint);
    assert.equal(firstFinding(loaded).severity, "error");
    assert.equal(loaded.objects, 0);
  }
});

Deno.test("kinds: what refers to a misspelt kind is not at fault, and a good one counts beside it", () => {
  const group = (kind: string) =>
    `apiVersion: specs.smi-spec.io/v1alpha4\nkind: ${kind}\nmetadata: {name: g}\nspec: {matches: [{name: m}]}\n`;
  const misspelt = load(group("HTTPRoutGroup"));
  const { isRefused, matches } = only(misspelt.snapshot.httpRouteGroups);
  assert.deepEqual([isRefused, matches], [true, []]);
  for (const order of [["HTTPRoutGroup", "HTTPRouteGroup"], ["HTTPRouteGroup", "HTTPRoutGroup"]]) {
    const both = load(order.map(group).join("---\n"));
    assert.equal(only(both.snapshot.httpRouteGroups).matches.length, 1);
    assert.deepEqual(both.findings.map(({ code }) => code), ["kind-misspelt"]);
  }
});

/** What must stand in the hint of kinds that Weft passes over. */
const PASSED_OVER = [
  ["v1", "ConfigMap", /no say/],
  ["v1", "Secret", /no say/],
  ["rbac.authorization.k8s.io/v1", "Role", /no say/],
  ["apiextensions.k8s.io/v1", "CustomResourceDefinition", /no say/],
  ["policy/v1", "PodDisruptionBudget", /no say/],
  ["cert-manager.io/v1", "Certificate", /no say/],
  ["autoscaling/v2", "HorizontalPodAutoscaler", /how many pods/],
  ["networking.k8s.io/v1", "NetworkPolicy", /network of the cluster/],
  ["cilium.io/v2", "CiliumNetworkPolicy", /network of the cluster/],
  ["networking.k8s.io/v1", "Ingress", /sidecar/],
  ["gateway.networking.k8s.io/v1", "Gateway", /sidecar/],
  ["networking.istio.io/v1", "VirtualService", /TrafficSplit/],
  ["networking.istio.io/v1", "DestinationRule", /Service for each subset/],
  ["security.istio.io/v1", "AuthorizationPolicy", /TrafficTarget/],
  ["security.istio.io/v1", "PeerAuthentication", /Nothing of it takes effect/],
  ["linkerd.io/v1alpha2", "ServiceProfile", /HTTPRouteGroup/],
  ["policy.linkerd.io/v1beta3", "Server", /TrafficTarget/],
  ["config.openservicemesh.io/v1alpha2", "MeshConfig", /--enforce-access/],
  ["config.flomesh.io/v1alpha3", "MeshConfig", /--enforce-access/],
  ["policy.openservicemesh.io/v1alpha1", "Retry", /"retry" in a TrafficPolicy/],
  ["policy.flomesh.io/v1alpha1", "UpstreamTrafficSetting", /"connectionLimits"/],
  ["traffic.flomesh.io/v1alpha1", "TrafficSplit", /split\.smi-spec\.io\/v1alpha4/],
  ["kustomize.toolkit.fluxcd.io/v1", "Kustomization", /kustomize build/],
  ["helm.toolkit.fluxcd.io/v2", "HelmRelease", /helm template/],
  ["flagger.app/v1beta1", "Canary", /TrafficSplit of it/],
  ["specs.smi-spec.io/v1alpha4", "UDPRoute", /no UDP/],
  ["serving.knative.dev/v1", "Service", /Knative/],
  ["example.com/v1", "Service", /another Service/],
  ["example.com/v1", "Widget", /if it makes pods or routes requests/],
] as const;

for (const [apiVersion, kind, hint] of PASSED_OVER) {
  Deno.test(`kinds: what is true of ${kind} of ${apiVersion} is said`, () => {
    const loaded = claim(apiVersion, kind);
    assert.deepEqual(summaries(loaded), ["kind-unknown kind f.yaml:2:1"]);
    assert.match(firstFinding(loaded).hint, hint);
    assert.equal(firstFinding(loaded).severity, "info");
  });
}

const TEMPLATE =
  "{metadata: {labels: {app: x}}, spec: {serviceAccountName: sa, containers: [{name: c, image: i}]}}";

Deno.test("workloads: whatever has a pod template makes pods", () => {
  const cases = [
    ["argoproj.io/v1alpha1", "Rollout", `replicas: 3, strategy: {}, template: ${TEMPLATE}`, 3],
    ["apps.kruise.io/v1alpha1", "CloneSet", `replicas: 2, template: ${TEMPLATE}`, 2],
    [
      "apps.kruise.io/v1beta1",
      "StatefulSet",
      `replicas: 2, serviceName: s, template: ${TEMPLATE}`,
      2,
    ],
    ["apps.kruise.io/v1alpha1", "DaemonSet", `replicas: 9, template: ${TEMPLATE}`, 1],
    ["apps.kruise.io/v1alpha1", "BroadcastJob", `parallelism: 10%, template: ${TEMPLATE}`, 1],
    ["apps.openshift.io/v1", "DeploymentConfig", `replicas: 2, template: ${TEMPLATE}`, 2],
    ["v1", "ReplicationController", `replicas: 2, template: ${TEMPLATE}`, 2],
    [
      "batch/v1",
      "CronJob",
      `schedule: "* * * * *", jobTemplate: {spec: {template: ${TEMPLATE}}}`,
      1,
    ],
    ["batch/v1", "CronJob", `suspend: true, jobTemplate: {spec: {template: ${TEMPLATE}}}`, 0],
    ["batch/v1", "Job", `suspend: true, template: ${TEMPLATE}`, 0],
    ["keda.sh/v1alpha1", "ScaledJob", `jobTargetRef: {parallelism: 2, template: ${TEMPLATE}}`, 2],
    [
      "apps.kruise.io/v1alpha1",
      "UnitedDeployment",
      `template: {deploymentTemplate: {spec: {template: ${TEMPLATE}}}}`,
      1,
    ],
    [
      "kubeflow.org/v1",
      "PyTorchJob",
      `pytorchReplicaSpecs: {Worker: {replicas: 3, template: ${TEMPLATE}}}`,
      3,
    ],
    ["flink.apache.org/v1beta1", "FlinkDeployment", `podTemplate: ${TEMPLATE}`, 1],
    ["example.com/v1", "Anything", `template: ${TEMPLATE}`, 1],
  ] as const;
  for (const [apiVersion, kind, spec, replicas] of cases) {
    const loaded = claim(apiVersion, kind, `spec: {selector: {matchLabels: {app: x}}, ${spec}}\n`);
    assert.deepEqual(loaded.findings, [], kind);
    const workload = only(loaded.snapshot.workloads);
    assert.deepEqual([workload.kind, workload.replicas], [kind, replicas]);
    assert.deepEqual(workload.template.labels, { app: "x" });
    assert.equal(workload.template.serviceAccount, "sa");
  }
});

Deno.test("workloads: a Rollout may take the template of a Deployment", () => {
  const loaded = load(
    `apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: r}\n` +
      `spec: {replicas: 2, workloadRef: {apiVersion: apps/v1, kind: Deployment, name: d}}\n---\n` +
      `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 0, template: ${TEMPLATE}}\n`,
  );
  assert.deepEqual(loaded.findings, []);
  assert.deepEqual(
    loaded.snapshot.workloads.map(({ kind, replicas, template }) => [
      kind,
      replicas,
      template.labels,
    ]),
    [["Rollout", 2, { app: "x" }], ["Deployment", 0, { app: "x" }]],
  );
});

Deno.test("workloads: every template of an object makes pods, but none of an object within it", () => {
  const tasks = load(
    `apiVersion: batch.volcano.sh/v1alpha1\nkind: Job\nmetadata: {name: j}\nspec:\n  tasks:\n` +
      `  - {replicas: 1, template: ${TEMPLATE}}\n  - {replicas: 2, template: ${TEMPLATE}}\n`,
  );
  assert.deepEqual(
    tasks.snapshot.workloads.map(({ replicas, templateAt }) => [replicas, templateAt]),
    [[1, ["spec", "tasks", 0, "template"]], [2, ["spec", "tasks", 1, "template"]]],
  );
  assert.deepEqual(expandWorkloads(tasks.snapshot).pods.map(({ meta }) => meta.name), [
    "j-0",
    "j-job-0",
    "j-1",
  ]);
  const within = load(
    "apiVersion: kubernetes.crossplane.io/v1alpha2\nkind: Object\nmetadata: {name: o}\nspec:\n  forProvider:\n" +
      `    manifest: {apiVersion: apps/v1, kind: Deployment, spec: {template: ${TEMPLATE}}}\n`,
  );
  assert.deepEqual(within.snapshot.workloads, []);
  assert.deepEqual(within.findings.map(({ code }) => code), ["kind-unknown"]);
});
