// Tests of injection: what a pod has afterwards, what stays as it is, and that the patch is one that an API server can apply.
import assert from "node:assert/strict";
import { inject, type InjectionContext } from "./inject.ts";
import { applyPatch } from "./patch.ts";
import type { ObjectMeta, PodObject } from "./pod.ts";
import { isReview } from "../admission/review.ts";
import { injectionVerdict } from "./review.ts";
import { DEFAULT_INJECTION, parseInjectionSettings } from "./settings.ts";
import { uninject } from "./uninject.ts";
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

Deno.test("inject: Prometheus scrapes sidecars where the namespace asks for it, and a pod has no wish of its own", () => {
  const scrapeOf = (pod: PodObject, namespace: ObjectMeta) => {
    const { annotations } = injected(pod, { ...CONTEXT, namespace }).metadata;
    return ["scrape", "port", "path"].map((key) => annotations[`prometheus.io/${key}`]);
  };
  for (const key of ["weft.dev/metrics", "flomesh.io/metrics"]) {
    const asked = { annotations: { [key]: "enabled" } };
    assert.deepEqual(scrapeOf(podOf(), asked), ["true", "15010", "/metrics"]);
    const own = podOf({}, { annotations: { "prometheus.io/scrape": "false" } });
    assert.deepEqual(scrapeOf(own, asked), ["false", undefined, undefined]);
  }
  assert.deepEqual(scrapeOf(podOf(), {}), [undefined, undefined, undefined]);
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

/** The operations that a pod gets which has a sidecar. */
function completing(pod: PodObject, context = CONTEXT) {
  const injection = inject(pod, context);
  assert.ok(injection.kind === "complete");
  return injection.patch;
}

Deno.test("inject: Secrets of the mesh that the image is pulled with come beside those of the pod, once", () => {
  const settings = { ...SETTINGS, imagePullSecrets: "mesh,shared" };
  const context = { ...CONTEXT, settings };
  const secretsOf = (pod: PodObject) => names(injected(pod, context).spec.imagePullSecrets);
  assert.deepEqual(secretsOf(podOf()), ["mesh", "shared"]);
  assert.deepEqual(secretsOf(podOf({ imagePullSecrets: [] })), ["mesh", "shared"]);
  const own = podOf({ imagePullSecrets: [{ name: "shared" }, { name: "own" }] });
  assert.deepEqual(secretsOf(own), ["shared", "own", "mesh"]);
  assert.equal(injected(podOf()).spec.imagePullSecrets, undefined);
  // One that was injected before the mesh had any.
  const late = inject(injected(podOf()), context);
  assert.ok(late.kind === "complete");
  assert.deepEqual(late.patch, [
    { op: "add", path: "/spec/imagePullSecrets", value: [{ name: "mesh" }] },
    { op: "add", path: "/spec/imagePullSecrets/-", value: { name: "shared" } },
  ]);
});

Deno.test("inject: a second time changes nothing", () => {
  for (const nativeIsKnown of [true, false]) {
    const context = { ...CONTEXT, nativeIsKnown };
    const probe = { tcpSocket: { port: 7 } };
    const pod = podOf({ containers: [{ name: "app", readinessProbe: probe }] });
    assert.deepEqual(completing(injected(pod, context), context), []);
  }
});

Deno.test("inject: a container that another webhook adds later has its tcpSocket probe rewritten", () => {
  const once = injected(podOf());
  once.spec.containers.push({ name: "late", livenessProbe: { tcpSocket: { port: 7 } } });
  assert.deepEqual(completing(once), [{
    op: "replace",
    path: "/spec/containers/1/livenessProbe",
    value: { httpGet: { path: "/tcp/7", port: 15010, scheme: "HTTP" } },
  }]);
});

Deno.test("inject: a copy without annotations, and one for another authority, get those of the mesh", () => {
  const copy = injected(podOf());
  delete copy.metadata;
  const completed = applyPatch(copy, completing(copy));
  assert.equal(completed.metadata.annotations["weft.dev/controller-ca"], SETTINGS.controllerCa);
  assert.deepEqual(completing(completed), []);
  const renewed = { ...CONTEXT, settings: { ...SETTINGS, controllerCa: "new" } };
  assert.deepEqual(completing(completed, renewed), [{
    op: "add",
    path: "/metadata/annotations/weft.dev~1controller-ca",
    value: "new",
  }]);
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
  assert.ok(proxy.args.includes("--accept-timeout=5s"));
  const { spec: migrated } = injected(podOf({ initContainers: [{ name: "migrate" }] }), auto);
  // Before capture they have a network, if past the mesh; after it they would have none.
  assert.deepEqual(names(migrated.initContainers), ["migrate", "weft-init"]);
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
    [/FSM/, podOf({ initContainers: [{ name: "fsm-init" }] })],
    [/own is called weft-proxy/, podOf({ containers: [{ name: "weft-proxy" }] })],
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

function messageOf(pod: PodObject, namespace: PodObject["metadata"] = {}): string {
  const injection = inject(pod, { ...CONTEXT, namespace });
  assert.ok(injection.kind === "refuse", injection.kind);
  return injection.message;
}

Deno.test("inject: annotations of a pod count before its namespace's, and those before the mesh", () => {
  const pod = podOf({}, {
    annotations: {
      "weft.dev/sidecar-log-level": "debug",
      "weft.dev/sidecar-resource-limits-cpu": " 1 ",
      "flomesh.io/sidecar-resource-requests-memory": "64Mi",
      "flomesh.io/outbound-port-exclusion-list": "5432, 6379",
      "weft.dev/inbound-port-exclusion-list": "9000",
      "flomesh.io/inbound-port-exclusion-list": "1",
    },
  });
  const namespace = {
    annotations: {
      "weft.dev/sidecar-log-level": "error",
      "weft.dev/sidecar-access-log": "json",
      "weft.dev/sidecar-image": "other.example/weft:2",
      "weft.dev/outbound-ip-range-exclusion-list": "10.0.0.0/8",
    },
  };
  const settings = { ...SETTINGS, outboundPortExclusionList: "25,5432" };
  const { spec } = injected(pod, { ...CONTEXT, namespace, settings });
  const [init, proxy] = spec.initContainers;
  assert.equal(proxy.image, "other.example/weft:2");
  assert.equal(init.image, "other.example/weft:2");
  assert.deepEqual(proxy.resources, {
    requests: { cpu: "10m", memory: "64Mi" },
    limits: { cpu: "1", memory: "256Mi" },
  });
  assert.ok(proxy.args.includes("--log-level=debug"));
  assert.ok(proxy.args.includes("--access-log=json"));
  const valueOf = (option: string) => init.args[init.args.indexOf(option) + 1];
  assert.equal(valueOf("--outbound-port-exclusion-list"), "25,5432,6379");
  assert.equal(valueOf("--outbound-ip-range-exclusion-list"), "10.0.0.0/8");
  assert.equal(valueOf("--inbound-port-exclusion-list"), "9000");
});

Deno.test("inject: spans go to the mesh's collector, in the share that the pod asks for; without one there are none", () => {
  const told = (settings: Partial<typeof SETTINGS>, annotations = {}) => {
    const context = { ...CONTEXT, settings: { ...SETTINGS, ...settings } };
    const [, proxy] = injected(podOf({}, { annotations }), context).spec.initContainers;
    const collector = proxy.env.find(({ name }: { name: string }) => name.startsWith("OTEL"));
    return [
      collector?.value,
      proxy.args.find((argument: string) => argument.startsWith("--trace-sample")),
    ];
  };
  const tracingEndpoint = "http://collector.observability:4318";
  assert.deepEqual(told({ traceSample: "0.5" }), [undefined, undefined]);
  assert.deepEqual(told({ tracingEndpoint }), [tracingEndpoint, "--trace-sample=1"]);
  const mine = { "weft.dev/sidecar-trace-sample": "0.05" };
  assert.deepEqual(told({ tracingEndpoint }, mine), [tracingEndpoint, "--trace-sample=0.05"]);
});

Deno.test("inject: an application that listens on loopback alone is called there where that is asked for", () => {
  const called = (annotations: Record<string, string>) => {
    const [init, proxy] = injected(podOf({}, { annotations })).spec.initContainers;
    const app = proxy.args.find((each: string) => each.startsWith("--app="));
    return [app, init.args.includes("--no-hairpin")];
  };
  assert.deepEqual(called({}), ["--app=$(POD_IPS)", true]);
  const localhost = { "weft.dev/local-proxy-mode": "Localhost" };
  assert.deepEqual(called(localhost), ["--app=127.0.0.1:0", false]);
});

Deno.test("inject: a value that cannot be read refuses the pod, and says where it stands and what is right", () => {
  const wrong: [RegExp, string, string][] = [
    [
      /annotation weft\.dev\/sidecar-log-level cannot be "loud": write it like debug, .*, or remove it/,
      "weft.dev/sidecar-log-level",
      "loud",
    ],
    [
      /port-exclusion-list cannot be "70000": write it like 5432,8000-8010/,
      "weft.dev/outbound-port-exclusion-list",
      "70000",
    ],
    [
      /ip-range-exclusion-list cannot be "10\.0\.0\.0\/33"/,
      "flomesh.io/outbound-ip-range-exclusion-list",
      "10.0.0.0/33",
    ],
    [/requests-cpu cannot be "much"/, "weft.dev/sidecar-resource-requests-cpu", "much"],
    [/limits-memory cannot be ""/, "weft.dev/sidecar-resource-limits-memory", ""],
    [
      /ask for 512Mi of memory with a limit of 256Mi: set both/,
      "weft.dev/sidecar-resource-requests-memory",
      "512Mi",
    ],
    [
      /annotation weft\.dev\/inject cannot be "maybe": write it like true or false/,
      "weft.dev/inject",
      "maybe",
    ],
    [
      /annotation flomesh\.io\/sidecar-injection cannot be "on"/,
      "flomesh.io/sidecar-injection",
      "on",
    ],
  ];
  for (const [message, key, value] of wrong) {
    const metadata = { annotations: { [key]: value } };
    assert.match(messageOf(podOf({}, metadata)), message);
    // A pod that opts out is not kept from starting by it.
    if (/inject/.test(key)) continue;
    const optedOut = podOf({}, { ...metadata, labels: { "weft.dev/inject": "false" } });
    assert.match(reasonOf(optedOut), /asked for no/);
    if (message.source.startsWith("annotation")) {
      assert.match(messageOf(podOf(), metadata), /-level of the namespace cannot be "loud"/);
    }
  }
  assert.match(messageOf(podOf({}, { labels: { "weft.dev/inject": "x" } })), /^label weft/);
  assert.match(
    messageOf(podOf(), { annotations: { "weft.dev/sidecar-injection": "x" } }),
    /sidecar-injection of the namespace cannot be "x"/,
  );
});

Deno.test("inject: an annotation that nothing reads is warned of, with the nearest one", () => {
  const warningsOf = (annotations: Record<string, string>, spec = {}) => {
    const injection = inject(podOf(spec, { annotations }), CONTEXT);
    assert.ok(injection.kind === "inject");
    return injection.warnings;
  };
  assert.deepEqual(warningsOf({ "weft.dev/sidecar-log-levl": "debug", "other/x": "y" }), [
    "annotation weft.dev/sidecar-log-levl says nothing to Weft: is it weft.dev/sidecar-log-level?",
  ]);
  assert.match(
    warningsOf({ "flomesh.io/sidecar-image": "pipy" })[0],
    /weft.dev\/sidecar-image is$/,
  );
  const ports = [{ containerPort: 15001 }];
  assert.match(warningsOf({}, { containers: [{ name: "a", ports }] })[0], /port 15001, which is/);
  assert.match(warningsOf({}, { dnsPolicy: "None" })[0], /not ClusterFirst/);
  const never = { "weft.dev/native-sidecar": "never" };
  assert.match(warningsOf(never, { restartPolicy: "Never" })[0], /POST \/quitquitquit/);
  assert.deepEqual(warningsOf({}, { restartPolicy: "Never" }), []);
  assert.match(warningsOf(never, { initContainers: [{ name: "i" }] })[0], /past the mesh/);
  const securityContext = { capabilities: { add: ["NET_ADMIN"] } };
  assert.match(warningsOf({}, { containers: [{ name: "a", securityContext }] })[0], /may change/);
});

Deno.test("inject: a sidecar ends within the grace period of its pod", () => {
  const ends = (graceSeconds?: number, nativeIsKnown = true) => {
    const grace = graceSeconds === undefined ? {} : { terminationGracePeriodSeconds: graceSeconds };
    const { spec } = injected(podOf(grace), { ...CONTEXT, nativeIsKnown });
    const proxy = nativeIsKnown ? spec.initContainers[1] : spec.containers[0];
    return proxy.args.filter((each: string) => /-timeout=/.test(each));
  };
  assert.deepEqual(ends(), ["--drain-timeout=25s"]);
  assert.deepEqual(ends(120), ["--drain-timeout=115s"]);
  assert.deepEqual(ends(1), ["--drain-timeout=1s"]);
  assert.deepEqual(ends(10, false), ["--accept-timeout=3s", "--drain-timeout=5s"]);
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
  assert.deepEqual(answer(podOf({ hostNetwork: true })), {
    allowed: true,
    warnings: ["no sidecar: it is on its node's network, which would be captured"],
  });
  const optOut = { labels: { "weft.dev/inject": "false" } };
  assert.deepEqual(answer(podOf({ hostNetwork: true }, optOut)), { allowed: true });
  assert.deepEqual(answer(injected(podOf())), { allowed: true });
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

const SECURED = {
  periodSeconds: 3,
  httpGet: {
    path: "/live?deep=1",
    port: 8443,
    scheme: "HTTPS",
    httpHeaders: [{ name: "X-Probe", value: "1" }],
  },
};

Deno.test("inject: the sidecar has an identity, knows the kubelet's requests, and what the pod says of its callers", () => {
  const probe = (httpGet: { port: number | string; path?: string; scheme?: string }) => ({
    httpGet,
  });
  const pod = podOf({
    containers: [
      {
        name: "app",
        ports: [{ name: "web", containerPort: 8080 }],
        livenessProbe: probe({ port: "web", path: "/live?full=1" }),
        readinessProbe: probe({ port: 8080, path: "ready" }),
        startupProbe: probe({ port: 8080 }),
      },
      { name: "calls", readinessProbe: { grpc: { port: 9090 } } },
      { name: "secured", readinessProbe: SECURED },
    ],
  }, { annotations: { "weft.dev/mtls-mode": "strict, 9090=permissive" } });
  const { initContainers: [, { args }], containers } = injected(pod).spec;
  const about = args.filter((word: string) => /^--(identity|inbound-mtls|probe)=/.test(word));
  assert.deepEqual(about, [
    "--identity=controller",
    "--inbound-mtls=strict, 9090=permissive",
    "--probe=8080/",
    "--probe=8080/live?full=1",
    "--probe=8080/ready",
    "--probe=9090/grpc.health.v1.Health/Check",
    "--probe=https:8443/live?deep=1",
  ]);
  // By HTTPS the sidecar asks in the kubelet's place, and the way back leads to what was.
  assert.deepEqual(containers[2].readinessProbe, {
    periodSeconds: 3,
    httpGet: {
      ...SECURED.httpGet,
      path: "/https/8443/live?deep=1",
      port: 15010,
      scheme: "HTTP",
    },
  });
  const back = applyPatch(injected(pod), uninject(injected(pod)));
  assert.deepEqual(back.spec.containers[2].readinessProbe, SECURED);
});

Deno.test("inject: a probe of a container that came later is known to the sidecar, once", () => {
  const pod = injected(podOf());
  const later = { name: "later", readinessProbe: { httpGet: { path: "/ok", port: 90 } } };
  pod.spec.containers.push(later, { ...later, name: "another" });
  const completed = (each: PodObject) => {
    const injection = inject(each, CONTEXT);
    assert.equal(injection.kind, "complete");
    return applyPatch(each, injection.kind === "complete" ? injection.patch : []);
  };
  const once = completed(pod);
  assert.equal(once.spec.initContainers?.[1].args?.at(-1), "--probe=90/ok");
  assert.deepEqual(completed(once), once);
});

Deno.test("inject: a pod that does not say readably whether callers may do without mutual TLS is refused", () => {
  const injection = inject(podOf({}, { annotations: { "weft.dev/mtls-mode": "on" } }), CONTEXT);
  assert.match(injection.kind === "refuse" ? injection.message : "", /mtls-mode cannot be "on"/);
});
