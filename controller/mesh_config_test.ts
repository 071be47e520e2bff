// What a MeshConfig sets, what it leaves, and what becomes of values that cannot be used.
import { deepEqual, equal, match } from "node:assert/strict";
import type { Finding } from "../base/finding.ts";
import { DEFAULT_INJECTION } from "./inject/settings.ts";
import { MESH_CONFIG_FIELDS, MeshConfigReader } from "./mesh_config.ts";

const NAME = "weft-mesh-config";
const REF = { kind: "MeshConfig", namespace: "weft-system", name: NAME };

function objectOf(spec: unknown, namespace = "weft-system", name = NAME) {
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "MeshConfig",
    metadata: { name, namespace, uid: "u" },
    spec,
  };
}

function start(...heard: ReturnType<typeof objectOf>[]) {
  const told: (readonly Finding[])[] = [];
  const config = new MeshConfigReader({ changed: (_ref, findings) => told.push(findings) });
  for (const object of heard) config.heard(object);
  config.start("weft-system");
  return { config, told };
}

Deno.test("mesh config: what it says counts, what it leaves out does not, and without it nothing is said", () => {
  const spec = {
    traffic: { enablePermissiveTrafficPolicyMode: false, outboundPortExclusionList: [25, 5432] },
    sidecar: {
      logLevel: "debug",
      imagePullSecrets: ["a", "b"],
      resources: { limits: { memory: "1Gi" } },
    },
    observability: { controllerLogLevel: "warn", tracing: { sampledFraction: 0.25 } },
  };
  const { config, told } = start(objectOf(spec));
  deepEqual(told, [[]]);
  deepEqual(config.mesh, { permissive: false, controllerLogLevel: "warn" });
  const injection = {
    outboundPortExclusionList: "25,5432",
    imagePullSecrets: "a,b",
    logLevel: "debug",
    memoryLimit: "1Gi",
    traceSample: "0.25",
  };
  deepEqual(config.injection, injection);
  deepEqual(config.identityOf(REF), { apiVersion: "weft.dev/v1alpha1", uid: "u" });
  config.removed("MeshConfig", "weft-system", NAME);
  deepEqual([config.mesh, config.injection, config.identityOf(REF)], [{}, {}, undefined]);
});

Deno.test("mesh config: other names and namespaces do not count", () => {
  const spec = { traffic: { enablePermissiveTrafficPolicyMode: false } };
  const { config } = start(objectOf(spec, "app"), objectOf(spec, "weft-system", "other"));
  deepEqual(config.mesh, {});
});

Deno.test("mesh config: a value that cannot be used leaves the last good one, and is said", () => {
  const ranges = (list: readonly string[]) =>
    objectOf({ traffic: { outboundIPRangeExclusionList: list } });
  const { config, told } = start(ranges(["10.0.0.0/8"]));
  config.heard(ranges(["10.0.0.0/99"]));
  deepEqual(config.injection, { outboundIpRangeExclusionList: "10.0.0.0/8" });
  const [finding] = told.at(-1) ?? [];
  deepEqual([finding.code, finding.field], [
    "mesh-config-invalid",
    "spec.traffic.outboundIPRangeExclusionList",
  ]);
  match(finding.message, /outboundIPRangeExclusionList cannot be "10\.0\.0\.0\/99"/);
  config.heard(ranges(["fd00::/8"]));
  deepEqual(config.injection, { outboundIpRangeExclusionList: "fd00::/8" });
  deepEqual(told.at(-1), []);
});

Deno.test("mesh config: what acts on new pods is a setting of their sidecars, and nothing else is", () => {
  for (const { setting, acts } of MESH_CONFIG_FIELDS) {
    equal(setting in DEFAULT_INJECTION, acts === "new pods", setting);
  }
});

Deno.test("mesh config: the least and the largest shares of traces can be written as numbers", () => {
  for (const share of [0, 1, 0.001, 1.5, -1]) {
    const { config, told } = start(
      objectOf({ observability: { tracing: { sampledFraction: share } } }),
    );
    const isGood = share >= 0 && share <= 1;
    equal(config.injection.traceSample, isGood ? String(share) : undefined);
    equal(told[0].length, isGood ? 0 : 1);
  }
});
