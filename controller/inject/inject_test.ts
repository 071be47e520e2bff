// Tests of injection: what a pod has afterwards, what stays as it is, and that the patch is one that an API server can apply.
import assert from "node:assert/strict";
import { inject, type InjectionContext } from "./inject.ts";
import { applyPatch } from "./patch.ts";
import type { PodObject } from "./pod.ts";
import { isReview } from "../admission/review.ts";
import { injectionVerdict } from "./review.ts";
import { DEFAULT_INJECTION, parseInjectionSettings } from "./settings.ts";
import { ownerOf } from "./workload.ts";

const SETTINGS = { ...DEFAULT_INJECTION, controllerCa: "-----BEGIN CERTIFICATE-----" };
const CONTEXT: InjectionContext = { settings: SETTINGS, namespace: {}, nativeIsKnown: true };

function podOf(spec: Partial<PodObject["spec"]> = {}, metadata: PodObject["metadata"] = {}) {
  return { metadata, spec: { containers: [{ name: "app" }], ...spec } };
}

// deno-lint-ignore no-explicit-any -- what a test looks at is what comes out
function injected(pod: PodObject, context = CONTEXT): any {
  const injection = inject(pod, context);
  assert.equal(injection.kind, "inject");
  return applyPatch(pod, injection.kind === "inject" ? injection.patch : []);
}

function reasonOf(pod: PodObject, context = CONTEXT): string {
  const injection = inject(pod, context);
  return injection.kind === "leave" ? injection.reason : injection.kind;
}

const names = (list: { name: string }[]) => list.map(({ name }) => name);

Deno.test("inject: capture and the sidecar come before the application's init containers", () => {
  const { spec, metadata } = injected(podOf({ initContainers: [{ name: "migrate" }] }));
  assert.deepEqual(names(spec.initContainers), ["weft-init", "weft-proxy", "migrate"]);
  assert.deepEqual(names(spec.containers), ["app"]);
  const [init, proxy] = spec.initContainers;
  assert.equal(proxy.restartPolicy, "Always");
  assert.deepEqual(init.securityContext.capabilities, {
    drop: ["ALL"],
    add: ["NET_ADMIN", "NET_RAW"],
  });
  for (const { securityContext } of [init, proxy]) {
    assert.equal(securityContext.readOnlyRootFilesystem, true);
    assert.equal(securityContext.allowPrivilegeEscalation, false);
    assert.deepEqual(securityContext.seccompProfile, { type: "RuntimeDefault" });
  }
  assert.deepEqual([proxy.securityContext.runAsUser, proxy.securityContext.runAsNonRoot], [
    1500,
    true,
  ]);
  assert.deepEqual(proxy.securityContext.capabilities, { drop: ["ALL"] });
  assert.equal(metadata.annotations["kubectl.kubernetes.io/default-container"], "app");
  assert.equal(metadata.annotations["weft.dev/controller-ca"], SETTINGS.controllerCa);
});

Deno.test("inject: lists that are there are added to, and only so", () => {
  const pod = podOf({ volumes: [{ name: "data" }], initContainers: [{ name: "a" }] }, {
    annotations: { "kubectl.kubernetes.io/default-container": "b", x: "y" },
  });
  const injection = inject(pod, CONTEXT);
  assert.equal(injection.kind, "inject");
  const { patch } = injection as Extract<typeof injection, { kind: "inject" }>;
  assert.deepEqual(patch.map(({ op, path }) => `${op} ${path}`), [
    "add /spec/initContainers/0",
    "add /spec/initContainers/0",
    "add /spec/volumes/-",
    "add /metadata/annotations/weft.dev~1status",
    "add /metadata/annotations/weft.dev~1controller-ca",
    "add /metadata/annotations/kubectl.kubernetes.io~1default-logs-container",
  ]);
  const { metadata } = injected(pod);
  assert.equal(metadata.annotations["kubectl.kubernetes.io/default-container"], "b");
  assert.equal(metadata.annotations.x, "y");
});

Deno.test("inject: a second time changes nothing", () => {
  for (const nativeIsKnown of [true, false]) {
    const once = injected(podOf(), { ...CONTEXT, nativeIsKnown });
    assert.equal(reasonOf(once), "it has a sidecar");
  }
});

Deno.test("inject: where kubelets are too old the sidecar is the first container, and holds the others", () => {
  const auto = { ...CONTEXT, nativeIsKnown: false };
  const { spec } = injected(podOf(), auto);
  assert.deepEqual(names(spec.initContainers), ["weft-init"]);
  assert.deepEqual(names(spec.containers), ["weft-proxy", "app"]);
  const [proxy] = spec.containers;
  const [program, ...command] = proxy.lifecycle.postStart.exec.command;
  assert.equal(program, "/usr/local/bin/weft");
  // The hook is a command that there is, with options that it has.
  assert.deepEqual(command, ["proxy-wait", "--timeout=240s"]);
  assert.ok(!proxy.args.includes("--native-sidecar"));
  const always = { ...auto, settings: { ...SETTINGS, nativeSidecar: "always" as const } };
  assert.equal(injected(podOf(), always).spec.containers.length, 1);
  const never = { ...CONTEXT, settings: { ...SETTINGS, nativeSidecar: "never" as const } };
  assert.equal(injected(podOf(), never).spec.containers.length, 2);
});

Deno.test("inject: tcpSocket probes ask the sidecar, whichever container has them; others stay", () => {
  const ports = [{ name: "db", containerPort: 5432 }];
  const httpGet = { path: "/", port: 80 };
  const { spec } = injected(podOf({
    initContainers: [{ name: "a", startupProbe: { tcpSocket: { port: 7 }, periodSeconds: 3 } }],
    containers: [
      {
        name: "b",
        ports,
        livenessProbe: { tcpSocket: { port: "db" } },
        readinessProbe: { httpGet },
      },
      { name: "c", readinessProbe: { tcpSocket: { port: 8, host: "other" } } },
      { name: "d", readinessProbe: { tcpSocket: { port: "unknown" } } },
    ],
  }));
  const asks = (path: string) => ({ path, port: 15010, scheme: "HTTP" });
  assert.deepEqual(spec.initContainers[2].startupProbe, {
    periodSeconds: 3,
    httpGet: asks("/tcp/7"),
  });
  const [b, c, d] = spec.containers;
  assert.deepEqual(b.livenessProbe, { httpGet: asks("/tcp/5432") });
  assert.deepEqual(b.readinessProbe, { httpGet });
  assert.equal(c.readinessProbe.tcpSocket.host, "other");
  assert.equal(d.readinessProbe.tcpSocket.port, "unknown");
});

Deno.test("inject: pods that are left alone, and why", () => {
  const reasons: [RegExp, PodObject, InjectionContext?][] = [
    [/node's network/, podOf({ hostNetwork: true })],
    [/static pod/, podOf({}, { annotations: { "kubernetes.io/config.mirror": "x" } })],
    [/Windows/, podOf({ os: { name: "windows" } })],
    [/Istio/, podOf({ containers: [{ name: "istio-proxy" }] })],
    [/asked for no/, podOf({}, { labels: { "weft.dev/inject": "false" } })],
    [/asked for no/, podOf({}, { annotations: { "weft.dev/inject": "false" } })],
    [/asked for no/, podOf({}, { annotations: { "flomesh.io/sidecar-injection": "disabled" } })],
    [/asked for no/, podOf(), {
      ...CONTEXT,
      namespace: { annotations: { "weft.dev/sidecar-injection": "disabled" } },
    }],
  ];
  for (const [reason, pod, context] of reasons) assert.match(reasonOf(pod, context), reason);
});

Deno.test("inject: what a pod asks for counts before its namespace", () => {
  const namespace = { annotations: { "weft.dev/sidecar-injection": "disabled" } };
  const pod = podOf({}, { labels: { "weft.dev/inject": "true" } });
  assert.equal(reasonOf(pod, { ...CONTEXT, namespace }), "inject");
});

Deno.test("inject: what runs as the proxy's user or group is refused, unless it opts out", () => {
  const runsAs = [
    podOf({ securityContext: { runAsUser: 1500 } }),
    podOf({ containers: [{ name: "app", securityContext: { runAsGroup: 1500 } }] }),
    podOf({ initContainers: [{ name: "i", securityContext: { runAsUser: 1500 } }] }),
  ];
  for (const pod of runsAs) {
    const injection = inject(pod, CONTEXT);
    assert.ok(injection.kind === "refuse");
    assert.match(injection.message, /1500.*go past the mesh.*opt out/);
    assert.match(
      reasonOf({ ...pod, metadata: { labels: { "weft.dev/inject": "false" } } }),
      /asked/,
    );
  }
  const other = { name: "app", securityContext: { runAsUser: 1000 } };
  assert.equal(
    reasonOf(podOf({ securityContext: { runAsUser: 1500 }, containers: [other] })),
    "inject",
  );
});

Deno.test("inject: the workload is what made the owner, too", () => {
  const ofOwner = (kind: string, name: string, labels = {}) =>
    ownerOf({ ownerReferences: [{ kind, name, controller: true }], labels });
  const hash = { "pod-template-hash": "5d4f" };
  assert.equal(ofOwner("ReplicaSet", "web-5d4f", hash), "Deployment/web");
  assert.equal(ofOwner("ReplicaSet", "web-5d4f"), "ReplicaSet/web-5d4f");
  assert.equal(ofOwner("StatefulSet", "db"), "StatefulSet/db");
  assert.equal(ofOwner("Job", "report-29481234"), "CronJob/report");
  assert.equal(ofOwner("Job", "report"), "Job/report");
  assert.equal(ownerOf({ name: "alone" }), "Pod/alone");
  assert.equal(ownerOf({}), "");
});

Deno.test("review: an answer is a patch in base64, nothing, or a refusal", () => {
  const review = (object: unknown, operation = "CREATE") => ({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "u1", kind: { group: "", kind: "Pod" }, operation, object },
  });
  // deno-lint-ignore no-explicit-any -- an answer as the API server reads it
  const answer = (object: unknown, operation?: string): any => {
    const asked: unknown = review(object, operation);
    assert.ok(isReview(asked));
    return injectionVerdict(asked.request, CONTEXT);
  };
  const given = answer(podOf());
  assert.equal(given.patchType, "JSONPatch");
  const patch = JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(given.patch)));
  assert.deepEqual(applyPatch(podOf(), patch), injected(podOf()));
  assert.deepEqual(answer(podOf({ hostNetwork: true })), { allowed: true });
  assert.deepEqual(answer(podOf(), "DELETE"), { allowed: true });
  const refused = answer(podOf({ securityContext: { runAsUser: 1500 } }));
  assert.deepEqual([refused.allowed, refused.status.code], [false, 403]);
  for (const broken of [null, {}, { spec: {} }, { spec: { containers: [] } }]) {
    assert.deepEqual([answer(broken).allowed, answer(broken).status.code], [false, 400]);
  }
});

Deno.test("settings: what is left out has its default, a wrong value is named with a right one", () => {
  assert.deepEqual(parseInjectionSettings("{}"), DEFAULT_INJECTION);
  assert.equal(parseInjectionSettings('{"logLevel":"debug","later":1}').logLevel, "debug");
  for (const text of ['{"logLevel":"loud"}', '{"image":"a b"}', '{"memoryLimit":7}', "[]"]) {
    assert.throws(() => parseInjectionSettings(text));
  }
  assert.throws(
    () => parseInjectionSettings('{"outboundPortExclusionList":"$(x)"}'),
    /outboundPortExclusionList cannot be "\$\(x\)": write it like 5432,8000-8010/,
  );
});
