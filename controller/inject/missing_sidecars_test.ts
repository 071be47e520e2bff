// Tests of pods that should have a sidecar and have none: who counts, who is told of, and that it is told once.
import assert from "node:assert/strict";
import { type Finding, formatRef } from "../../base/finding.ts";
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

class Watch {
  readonly namespaces = new Map<string, ObjectMeta>([["shop", {}]]);
  readonly told: Finding[] = [];
  readonly missing = new MissingSidecars({
    namespaceOf: (name) => this.namespaces.get(name),
    onFindings: (findings) => void this.told.push(...findings),
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
