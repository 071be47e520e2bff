/** What the mesh hears of objects of a cluster: those of its namespaces, and of each only what is news. */
import { deepEqual, equal } from "node:assert/strict";
import { MeshObjects, type ObjectChange } from "./objects.ts";

const namespace = (name: string, labels: object = {}) => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const MEMBER = { "weft.dev/monitored-by": "weft" };
const service = (port: number, metadata: object = {}) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "app", ...metadata },
  spec: { ports: [{ port }] },
});

function record() {
  const told: string[] = [];
  const held = new Map<object, string>();
  const objects = new MeshObjects("weft", {
    change({ list, before, after }: ObjectChange) {
      if (before !== null) equal(held.delete(before), true, "what it was given as");
      const name = (after ?? before)?.meta.name ?? "";
      if (after !== null) held.set(after, name);
      told.push(`${before === null ? "new" : after === null ? "gone" : "other"} ${list} ${name}`);
    },
    findings: (_ref, findings) => told.push(...findings.map(({ code }) => `finding ${code}`)),
  });
  const take = () => told.splice(0);
  return { objects, take };
}

Deno.test("objects: a namespace that joins brings what was there before, and takes it when it leaves", () => {
  const { objects, take } = record();
  objects.heard(service(80));
  objects.heard(namespace("app", { "weft.dev/monitored-by": "another" }));
  deepEqual(take(), []);
  objects.heard(namespace("app", MEMBER));
  deepEqual(take(), ["new namespaces app", "new services web"]);
  equal(objects.namespaces, 1);
  objects.heard(namespace("app"));
  deepEqual(take(), ["gone namespaces app", "gone services web"]);
  objects.heard(namespace("app", MEMBER));
  take();
  objects.removed("Namespace", "", "app");
  deepEqual(take(), ["gone namespaces app", "gone services web"]);
  equal(objects.namespaces, 0);
});

Deno.test("objects: what means the same is no news", () => {
  const { objects, take } = record();
  objects.heard(namespace("app", MEMBER));
  objects.heard(service(80));
  take();
  objects.heard(service(80, { resourceVersion: "8", managedFields: [{}] }));
  objects.heard(service(80, { annotations: { "kubectl.kubernetes.io/restartedAt": "now" } }));
  deepEqual(take(), []);
  objects.heard(service(81));
  deepEqual(take(), ["other services web"]);
  objects.removed("Service", "app", "web");
  objects.removed("Service", "app", "web");
  deepEqual(take(), ["gone services web"]);
});

Deno.test("objects: what cannot be read counts for nothing, and is told of where it is in the mesh", () => {
  const { objects, take } = record();
  objects.heard(namespace("app", MEMBER));
  take();
  const split = (namespace: string, spec: object) => ({
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "web", namespace },
    spec: { service: "web", backends: [{ service: "v1", weight: 1 }], ...spec },
  });
  objects.heard(split("elsewhere", { match: [] }));
  deepEqual(take(), []);
  objects.heard(split("app", { match: [] }));
  deepEqual(take(), ["finding field-unknown", "new trafficSplits web"]);
  objects.heard(split("app", {}));
  deepEqual(take(), ["other trafficSplits web"]);
});

Deno.test("objects: what pods have in common is kept once, and each says what it said", () => {
  const { objects } = record();
  const pod = (name: string, app: string, account: string) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "app",
      labels: { app },
      ownerReferences: [{ kind: "StatefulSet", name: app, controller: true }],
    },
    spec: { serviceAccountName: account, containers: [{ name: "c", ports: [] }] },
    status: { podIP: "10.0.0.1" },
  });
  objects.heard(namespace("app", MEMBER));
  const said = [["a-0", "a", "x"], ["a-1", "a", "x"], ["a-2", "a", "y"], ["b-0", "b", "y"]];
  for (const [name, app, account] of said) objects.heard(pod(name, app, account));
  const pods = [...objects.memberPods()];
  deepEqual(
    pods.map(({ meta, template, owner }) => [meta.name, owner?.name, template.serviceAccount]),
    said,
  );
  for (const { meta, template } of pods) equal(meta.labels, template.labels);
  const [first, second, third, other] = pods.map(({ template }) => template);
  deepEqual([first === second, second === third, third === other], [true, false, false]);
  deepEqual([second.labels === third.labels, third.labels === other.labels], [true, false]);
  equal(third.containers, other.containers);
});
