import assert from "node:assert/strict";
import { load, only } from "./testing.ts";
import { expandWorkloads } from "./workloads.ts";

function workload(kind: string, name: string, spec = "", metadata = ""): string {
  const apiVersion = kind === "Job" ? "batch/v1" : "apps/v1";
  return `---
apiVersion: ${apiVersion}
kind: ${kind}
metadata: {name: ${name}${metadata}}
spec:
  ${spec}
  template:
    metadata: {labels: {app: ${name}}}
    spec: {serviceAccountName: robot, containers: [{name: c, ports: [{containerPort: 8080}]}]}
`;
}

function pod(name: string, metadata: string, status = "{podIP: 10.0.0.1}"): string {
  return `---\napiVersion: v1\nkind: Pod\nmetadata: {name: ${name}, ${metadata}}\nstatus: ${status}\n`;
}

function expand(text: string, addressOf?: (namespace: string, pod: string) => string | undefined) {
  const loaded = load(text);
  assert.deepEqual(loaded.findings, []);
  return expandWorkloads(loaded.snapshot, addressOf).pods;
}

/** `name owner` of each pod. */
function describePods(text: string): string[] {
  return expand(text).map(({ meta, owner }) =>
    `${meta.name} ${owner === undefined ? "-" : `${owner.kind}/${owner.name}`}`
  );
}

Deno.test("expandWorkloads: pods are numbered and belong to their workload", () => {
  assert.deepEqual(
    describePods(
      workload("Deployment", "web", "replicas: 2") + workload("DaemonSet", "node") +
        workload("Job", "once") + workload("ReplicaSet", "rs") +
        workload("Deployment", "none", "replicas: 0"),
    ),
    [
      "web-0 Deployment/web",
      "web-1 Deployment/web",
      "node-0 DaemonSet/node",
      "once-0 Job/once",
      "rs-0 ReplicaSet/rs",
    ],
  );
});

Deno.test("expandWorkloads: a pod is what its template says, at the template's place", () => {
  const made = only(expand(workload("Deployment", "web", "replicas: 1")));
  assert.deepEqual(
    [made.meta.kind, made.meta.namespace, made.meta.labels, made.ready, made.ips],
    ["Pod", "default", { app: "web" }, true, []],
  );
  assert.equal(made.template.serviceAccount, "robot");
  assert.equal(made.template.containers[0]?.ports[0]?.containerPort, 8080);
  const line = (...path: string[]) => made.meta.origin.locate(path)?.line;
  assert.deepEqual([line(), line("metadata", "labels"), line("spec", "containers")], [2, 8, 9]);
});

Deno.test("expandWorkloads: a StatefulSet's pods have hostname, subdomain and their own labels", () => {
  const pods = expand(
    workload("StatefulSet", "db", "{replicas: 2, serviceName: gov}").replace(
      "{replicas: 2, serviceName: gov}",
      "replicas: 2\n  serviceName: gov",
    ),
  );
  assert.deepEqual(
    pods.map(({ meta, template }) => [meta.name, template.hostname, template.subdomain]),
    [["db-0", "db-0", "gov"], ["db-1", "db-1", "gov"]],
  );
  assert.deepEqual(pods[1]?.meta.labels, {
    app: "db",
    "statefulset.kubernetes.io/pod-name": "db-1",
    "apps.kubernetes.io/pod-index": "1",
  });
});

Deno.test("expandWorkloads: no two pods have one name; a StatefulSet's come first", () => {
  assert.deepEqual(
    describePods(
      workload("Deployment", "x") + workload("StatefulSet", "x") + workload("DaemonSet", "x") +
        pod("x-daemonset-0", ""),
    ),
    [
      "x-daemonset-0 -",
      "x-0 StatefulSet/x",
      "x-deployment-0 Deployment/x",
      "x-daemonset-2-0 DaemonSet/x",
    ],
  );
});

Deno.test("expandWorkloads: a workload that has pods gets no more", () => {
  const owned = (kind: string, name: string) => `ownerReferences: [{kind: ${kind}, name: ${name}}]`;
  assert.deepEqual(
    describePods(
      workload(
        "StatefulSet",
        "db",
        "replicas: 3",
        ", ownerReferences: [{kind: Operator, name: o}]",
      ) +
        pod("db-0", owned("StatefulSet", "db")) +
        workload("StatefulSet", "cache", "replicas: 1"),
    ),
    ["db-0 StatefulSet/db", "cache-0 StatefulSet/cache"],
  );
});

Deno.test("expandWorkloads: a Deployment, its ReplicaSets and their pods count once", () => {
  const set = (name: string, replicas: number) =>
    workload(
      "ReplicaSet",
      name,
      `replicas: ${replicas}`,
      ", ownerReferences: [{kind: Deployment, name: web}]",
    );
  const one = pod("web-5d8-x2", "ownerReferences: [{kind: ReplicaSet, name: web-5d8}]");
  const deployment = workload("Deployment", "web", "replicas: 1");
  assert.deepEqual(describePods(deployment + set("web-5d8", 1) + set("web-77f", 0) + one), [
    "web-5d8-x2 Deployment/web",
  ]);
  assert.deepEqual(describePods(deployment + set("web-5d8", 1)), ["web-0 Deployment/web"]);
  assert.deepEqual(describePods(set("web-5d8", 1)), ["web-5d8-0 Deployment/web"]);
});

Deno.test("expandWorkloads: a pod leads to its Deployment also without the ReplicaSet", () => {
  const text = workload("Deployment", "web") + pod(
    "web-5d8-x2",
    "labels: {pod-template-hash: 5d8}, ownerReferences: [{kind: ReplicaSet, name: web-5d8}]",
  );
  assert.deepEqual(describePods(text), ["web-5d8-x2 Deployment/web"]);
});

Deno.test("expandWorkloads: namespaces are apart", () => {
  const text = workload("Deployment", "web") +
    workload("Deployment", "web", "", ", namespace: other") +
    pod("p", "namespace: other, ownerReferences: [{kind: Deployment, name: web}]");
  assert.deepEqual(describePods(text), ["p Deployment/web", "web-0 Deployment/web"]);
});

Deno.test("expandWorkloads: addresses go to pods that have none", () => {
  const text = workload("Deployment", "web", "replicas: 2") + pod("has", "") +
    pod("bare", "", "{}");
  const addresses = new Map([["default/web-0", "127.0.0.2"], ["default/bare", "127.0.0.3"]]);
  const pods = expand(text, (namespace, name) => addresses.get(`${namespace}/${name}`));
  assert.deepEqual(Object.fromEntries(pods.map(({ meta, ips }) => [meta.name, ips])), {
    has: ["10.0.0.1"],
    bare: ["127.0.0.3"],
    "web-0": ["127.0.0.2"],
    "web-1": [],
  });
});
