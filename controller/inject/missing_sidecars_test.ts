// Tests of pods that should have a sidecar and have none: who counts, who is told of, and that it is told once.
import assert from "node:assert/strict";
import { type Finding, formatRef } from "../../base/finding.ts";
import { MISSING_NAMED_MAX } from "./limits.ts";
import { MissingSidecars } from "./missing_sidecars.ts";
import type { ObjectMeta } from "./pod.ts";

interface Parts {
  readonly namespace?: string;
  readonly labels?: Record<string, string>;
  readonly spec?: object;
  readonly [field: string]: unknown;
}

function podOf(name: string, { namespace = "shop", labels = {}, spec = {}, ...rest }: Parts = {}) {
  const ownerReferences = [{ kind: "ReplicaSet", name: "web-5d4f", controller: true }];
  const { metadata = {}, ...fields } = rest as { metadata?: object };
  return {
    kind: "Pod",
    metadata: {
      ...{ name, namespace, ownerReferences, ...metadata },
      labels: { "pod-template-hash": "5d4f", ...labels },
    },
    spec: { containers: [{ name: "app" }], ...spec },
    ...fields,
  };
}

function nameIn({ resource }: Finding): string {
  return resource === undefined ? "" : formatRef(resource);
}

class Watch {
  readonly namespaces = new Map<string, ObjectMeta>([["shop", {}]]);
  readonly told: Finding[] = [];
  /** Pods that are told of now. */
  readonly pods: string[] = [];
  readonly missing = new MissingSidecars({
    namespaceOf: (name) => this.namespaces.get(name),
    onWorkloads: (findings) => void this.told.push(...findings),
    onPods: (came, went) => {
      for (const finding of went) this.pods.splice(this.pods.indexOf(nameIn(finding)), 1);
      this.pods.push(...came.map(nameIn));
    },
  });

  count(...pods: object[]): number | null {
    for (const pod of pods) this.missing.heard({ ...pod });
    return this.missing.report();
  }
}

Deno.test("missing sidecars: a workload is told of once, with what makes its pods anew", () => {
  const watch = new Watch();
  assert.equal(watch.count(podOf("a"), podOf("b")), 2);
  assert.deepEqual(
    watch.told.map(({ code, message, hint, resource }) => [
      ...[code, message, hint, resource && formatRef(resource)],
    ]),
    [[
      "sidecar-missing",
      "2 pods have no sidecar",
      "Have them made anew: kubectl rollout restart -n shop deployment web",
      "Deployment shop/web",
    ]],
  );
  assert.equal(watch.missing.report(), null);
  assert.equal(watch.count(podOf("c")), 3);
  assert.equal(watch.told.length, 1);
  for (const name of ["a", "b", "c"]) watch.missing.removed("Pod", "shop", name);
  assert.equal(watch.missing.report(), 0);
  // Those that come after it was well are told of again.
  assert.equal(watch.count(podOf("d")), 1);
  assert.equal(watch.told.length, 2);
});

Deno.test("missing sidecars: pods that have one, cannot have one, want none or have ended do not count", () => {
  const watch = new Watch();
  const sidecar = {
    initContainers: [{ name: "weft-proxy" }],
    volumes: [{ name: "weft-run" }],
  };
  const pods = [
    podOf("injected", { spec: sidecar }),
    podOf("host", { spec: { hostNetwork: true } }),
    podOf("other", { spec: { containers: [{ name: "istio-proxy" }] } }),
    podOf("out", { labels: { "weft.dev/inject": "false" } }),
    podOf("done", { status: { phase: "Succeeded" } }),
    podOf("ending", { metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } }),
    podOf("elsewhere", { namespace: "other" }),
    { kind: "Service", metadata: { name: "web", namespace: "shop" } },
  ];
  assert.equal(watch.count(...pods), 0);
  assert.deepEqual(watch.told, []);
  // One that ends, and one that is made anew under its name.
  assert.equal(watch.count(podOf("db-0")), 1);
  assert.equal(watch.count(podOf("db-0", { spec: sidecar })), 0);
});

Deno.test("missing sidecars: a namespace that joins, or is asked for none, makes the difference", () => {
  const watch = new Watch();
  assert.equal(watch.count(podOf("a", { namespace: "late" })), 0);
  watch.namespaces.set("late", {});
  assert.equal(watch.count({ kind: "Namespace", metadata: { name: "late" } }), 1);
  const disabled = { annotations: { "weft.dev/sidecar-injection": "disabled" } };
  watch.namespaces.set("late", disabled);
  assert.equal(watch.count({ kind: "Namespace", metadata: { name: "late" } }), 0);
  const wished = podOf("b", { namespace: "late", labels: { "weft.dev/inject": "true" } });
  assert.equal(watch.count(wished), 1);
});

Deno.test("missing sidecars: a few pods of a workload are told of, others as those go, each once", () => {
  const watch = new Watch();
  const names = Array.from({ length: MISSING_NAMED_MAX + 3 }, (_, i) => `web-${i}`);
  const uidOf = (name: string) => ({ metadata: { uid: `u-${name}` } });
  assert.equal(watch.count(...names.map((name) => podOf(name, uidOf(name)))), names.length);
  const told = names.map((name) => `Pod shop/${name}`);
  assert.deepEqual(watch.pods, told.slice(0, MISSING_NAMED_MAX));
  assert.deepEqual(
    watch.missing.identityOf({ kind: "Pod", namespace: "shop", name: "web-0" }),
    { apiVersion: "v1", uid: "u-web-0" },
  );
  // Its status has changed.
  watch.count(podOf("web-0", { ...uidOf("web-0"), status: { phase: "Running" } }));
  assert.deepEqual(watch.pods, told.slice(0, MISSING_NAMED_MAX));
  watch.missing.removed("Pod", "shop", "web-1");
  watch.missing.report();
  assert.deepEqual(watch.pods, told.filter((_, i) => i !== 1).slice(0, MISSING_NAMED_MAX));
  // Another one of that name is another pod.
  watch.count(podOf("web-0", { metadata: { uid: "other" } }));
  assert.deepEqual(
    watch.pods.toSorted(),
    told.filter((_, i) => i !== 1).slice(0, MISSING_NAMED_MAX).toSorted(),
  );
  for (const name of names) watch.missing.removed("Pod", "shop", name);
  watch.missing.report();
  assert.deepEqual(watch.pods, []);
});
