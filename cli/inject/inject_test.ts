// Tests of `weft inject`: what it prints is what the webhook makes of the same pods, and all else stays as it was written.
import assert from "node:assert/strict";
import { testEnvironment } from "../../console/testing.ts";
import { injectionVerdict } from "../../controller/inject/review.ts";
import { applyPatch } from "../../controller/inject/patch.ts";
import { DEFAULT_INJECTION, type InjectionSettings } from "../../controller/inject/settings.ts";
import { readDocuments } from "../../schemas/documents.ts";
import { SourceText } from "../../schemas/positions.ts";
import { completeOptions, parseQuickly } from "../../sidecar/options.ts";
import { sidecarConfig } from "../../sidecar/settings.ts";
import { run } from "../run.ts";

const SETTINGS: InjectionSettings = {
  ...DEFAULT_INJECTION,
  controllerCa: "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
};

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `weft inject` on standard input, without a cluster. */
async function weftInject(text: string, ...argv: string[]): Promise<Outcome> {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, JSON.stringify(SETTINGS));
    const environment = testEnvironment({ stdin: text });
    const settings = argv.includes("--settings") ? [] : ["--settings", file];
    const code = await run(["inject", "-f", "-", ...settings, ...argv], environment);
    return { code, stdout: environment.stdout.text(), stderr: environment.stderr.text() };
  } finally {
    await Deno.remove(file);
  }
}

async function injected(text: string, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await weftInject(text, ...argv);
  assert.equal(code, 0, stderr);
  return stdout;
}

// deno-lint-ignore no-explicit-any -- what a test looks at is what comes out
function read(text: string): any[] {
  const documents = readDocuments(new SourceText("-", text), (error) => assert.fail(error.message));
  return documents.map(({ value }) => value);
}

interface Owned {
  readonly labels?: object;
  readonly [field: string]: unknown;
}

interface Case {
  readonly kind: string;
  readonly apiVersion: string;
  /** From the object to the pod. */
  readonly path: readonly string[];
  /** What the cluster writes into the pods that it makes of `name`. */
  readonly owner: (name: string) => Owned;
}

const byOwner = (kind: string) => (name: string) => ({
  ownerReferences: [{ kind, name, controller: true }],
});
const byReplicaSet = (label: string) => (name: string) => ({
  labels: { app: "a", [label]: "5d4f" },
  ownerReferences: [{ kind: "ReplicaSet", name: `${name}-5d4f`, controller: true }],
});
const TEMPLATE = ["spec", "template"];

const CASES: readonly Case[] = [
  { kind: "Pod", apiVersion: "v1", path: [], owner: (name) => ({ name, labels: {} }) },
  {
    kind: "Deployment",
    apiVersion: "apps/v1",
    path: TEMPLATE,
    owner: byReplicaSet("pod-template-hash"),
  },
  {
    kind: "Rollout",
    apiVersion: "argoproj.io/v1alpha1",
    path: TEMPLATE,
    owner: byReplicaSet("rollouts-pod-template-hash"),
  },
  { kind: "ReplicaSet", apiVersion: "apps/v1", path: TEMPLATE, owner: byOwner("ReplicaSet") },
  { kind: "StatefulSet", apiVersion: "apps/v1", path: TEMPLATE, owner: byOwner("StatefulSet") },
  { kind: "DaemonSet", apiVersion: "apps/v1", path: TEMPLATE, owner: byOwner("DaemonSet") },
  { kind: "Job", apiVersion: "batch/v1", path: TEMPLATE, owner: byOwner("Job") },
  {
    kind: "CronJob",
    apiVersion: "batch/v1",
    path: ["spec", "jobTemplate", "spec", "template"],
    owner: (name) => byOwner("Job")(`${name}-29481234`),
  },
];

/** Pods of every kind of trouble that changes what injection does. */
const PODS: Readonly<Record<string, object>> = {
  plain: { spec: { containers: [{ name: "app" }] } },
  full: {
    metadata: {
      annotations: {
        "kubectl.kubernetes.io/default-container": "b",
        "weft.dev/sidecar-log-level": "debug",
        "flomesh.io/outbound-port-exclusion-list": "25, 5432",
        "weft.dev/sidecar-resource-limits-cpu": "1",
      },
    },
    spec: {
      initContainers: [{ name: "i", startupProbe: { tcpSocket: { port: 1 } } }],
      containers: [{ name: "a", livenessProbe: { tcpSocket: { port: 80 } } }, { name: "b" }],
      volumes: [{ name: "v", emptyDir: {} }],
    },
  },
  ordinary: {
    metadata: { annotations: { "weft.dev/native-sidecar": "never" } },
    spec: { initContainers: [{ name: "i" }], containers: [{ name: "app" }] },
  },
  hostNetwork: { spec: { hostNetwork: true, containers: [{ name: "app" }] } },
  optedOut: {
    metadata: { labels: { "weft.dev/inject": "false" } },
    spec: { containers: [{ name: "app" }] },
  },
};

function manifestOf({ kind, apiVersion, path }: Case, pod: object) {
  const nested = path.toReversed().reduce<object>((inner, step) => ({ [step]: inner }), pod);
  const { metadata = {}, ...rest } = nested as { metadata?: object };
  return { apiVersion, kind, metadata: { name: "web", namespace: "shop", ...metadata }, ...rest };
}

/** What the webhook makes of the pod that the cluster makes. */
function byWebhook({ owner }: Case, pod: { metadata?: { labels?: object }; spec: object }) {
  const { labels, ...owned } = owner("web");
  const made = {
    ...pod,
    metadata: { ...pod.metadata, ...owned, labels: { ...pod.metadata?.labels, ...labels } },
    spec: { ...pod.spec, terminationGracePeriodSeconds: 30 },
  };
  const verdict = injectionVerdict({
    uid: "u",
    kind: { group: "", kind: "Pod" },
    operation: "CREATE",
    namespace: "shop",
    object: made,
  }, { settings: SETTINGS, namespace: {}, nativeIsKnown: true });
  assert.ok(verdict.allowed);
  const operations = verdict.patch === undefined
    ? []
    : JSON.parse(new TextDecoder().decode(Uint8Array.fromBase64(verdict.patch)));
  // deno-lint-ignore no-explicit-any -- a pod, with what was added
  const { spec, metadata } = applyPatch<any>(made, operations);
  const { terminationGracePeriodSeconds: _, ...rest } = spec;
  return { spec: rest, annotations: metadata.annotations };
}

for (const each of CASES) {
  Deno.test(`inject: a ${each.kind}'s pods are those that the webhook would make`, async () => {
    for (const [name, pod] of Object.entries(PODS)) {
      const expected = byWebhook(each, pod as { spec: object });
      const manifest = manifestOf(each, pod);
      const list = { apiVersion: "v1", kind: "List", items: [{ kind: "Other" }, manifest] };
      for (const [object, path] of [[manifest, []], [list, ["items", 1]]] as const) {
        const text = JSON.stringify(object);
        const [after] = read(await injected(text));
        // deno-lint-ignore no-explicit-any -- the way to the pod
        const at = [...path, ...each.path].reduce<any>((value, step) => value[step], after);
        assert.deepEqual(at.spec, expected.spec, name);
        assert.deepEqual(at.metadata?.annotations, expected.annotations, name);
      }
    }
  });
}

const SHOP = `# The shop.
apiVersion: v1
kind: Namespace
metadata: {name:   shop}   # as it is
--- # front
# Front
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web # the web
  namespace: shop
spec:
  template:
    metadata:
      labels: {app: web, "on": "yes"}
      annotations:
    spec:
      # containers come here
      containers:
      - name: web
        args: ["-c", 'a b', yes, 010, 1.50, ~]
        env:
        - {name: A, value: "1"}
        - name: LIT
          value: |
            --- no
            exit 0
        readinessProbe:
          tcpSocket:
            port: 8080
      volumes:
      - name: v
        emptyDir:
      - name: w
        configMap: {name: c, defaultMode: 0644}
---
kind:   ConfigMap
apiVersion: v1
metadata:
    name:   odd
data:   {a:   b}
`;

Deno.test("inject: of YAML every line stays that is not about the sidecar, and --uninject is the way back", async () => {
  const once = await injected(SHOP);
  const kept = once.split("\n");
  const probe = ["tcpSocket:", "port: 8080", "annotations:"];
  for (const line of SHOP.split("\n")) {
    if (!probe.includes(line.trim())) assert.ok(kept.includes(line), line);
  }
  const [, before] = read(SHOP);
  const [, after] = read(once);
  const [web] = after.spec.template.spec.containers;
  assert.deepEqual(web.args, before.spec.template.spec.containers[0].args);
  assert.deepEqual(
    after.spec.template.spec.volumes.slice(0, 2),
    before.spec.template.spec.volumes,
  );
  assert.equal(await injected(once), once);
  const back = await injected(once, "--uninject");
  assert.equal(back, SHOP.replace("      annotations:\n", ""));
  assert.equal(await injected(back, "--uninject"), back);
});

Deno.test("inject: what stands in one place for several is written out", async () => {
  const text = `apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers:
  - &app {name: a, image: x}
  - <<: *app
    name: b
`;
  const [pod] = read(await injected(text));
  assert.deepEqual(pod.spec.containers, [{ name: "a", image: "x" }, { image: "x", name: "b" }]);
  assert.equal(pod.spec.initContainers.length, 2);
});

Deno.test("inject: --uninject gives back what there was, whichever pod it is", async () => {
  for (const [name, pod] of Object.entries(PODS)) {
    const text = JSON.stringify({ apiVersion: "v1", kind: "Pod", metadata: {}, ...pod });
    const [back] = read(await injected(await injected(text), "--uninject"));
    const { metadata, ...rest } = read(text)[0];
    assert.deepEqual(back, { ...rest, metadata }, name);
  }
});

const pod = (fields: object, metadata = {}) =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p", ...metadata },
    spec: { containers: [{ name: "app" }], ...fields },
  });

Deno.test("inject: what is passed over is said, with its reason and place, and printed as it is", async () => {
  const cases: [RegExp, string][] = [
    [/-:1:1 warning sidecar-left-out .*node's network/, pod({ hostNetwork: true })],
    [
      /warning sidecar-left-out .*Linkerd/,
      pod({ containers: [{ name: "a" }, { name: "linkerd-proxy" }] }),
    ],
    [/info sidecar-opted-out /, pod({}, { labels: { "weft.dev/inject": "false" } })],
  ];
  for (const [said, text] of cases) {
    const { code, stdout, stderr } = await weftInject(text);
    assert.deepEqual([code, stdout], [0, text]);
    assert.match(stderr, said);
  }
  const namespace = `apiVersion: v1
kind: Namespace
metadata: {name: default, annotations: {weft.dev/sidecar-injection: disabled}}
---
`;
  const { stdout, stderr } = await weftInject(namespace + pod({}));
  assert.equal(stdout, namespace + pod({}));
  assert.match(stderr, /sidecar-opted-out/);
});

Deno.test("inject: a pod that the webhook refuses is named, and nothing is printed", async () => {
  const refused = pod({ securityContext: { runAsUser: 1500 } });
  const { code, stdout, stderr } = await weftInject(`${pod({})}\n---\n${refused}`);
  assert.deepEqual([code, stdout], [1, ""]);
  assert.match(stderr, /-:3:1 error sidecar-refused .*runs as user 1500/);
  for (const broken of ["a: [", ""]) {
    const outcome = await weftInject(broken);
    assert.deepEqual([outcome.code, outcome.stdout], [1, ""]);
  }
});

Deno.test("inject: settings without certificates, or none at all, are one line and a way out", async () => {
  const file = await Deno.makeTempFile();
  try {
    for (const text of ["{}", "{", '{"logLevel":"loud"}']) {
      await Deno.writeTextFile(file, text);
      const { code, stdout, stderr } = await weftInject(pod({}), "--settings", file);
      assert.deepEqual([code, stdout], [1, ""]);
      assert.match(stderr, /^weft: The settings .* of no use: .*\n {2}weft help inject says/);
    }
  } finally {
    await Deno.remove(file);
  }
  assert.equal((await weftInject(pod({}), "--settings", file)).code, 1);
  assert.equal(await run(["inject"], testEnvironment()), 2);
});

Deno.test("weft inject: where the mesh's pull Secrets keep Kubernetes from adding those of the account, it says so", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, JSON.stringify({ ...SETTINGS, imagePullSecrets: "mesh" }));
    const pod = (more: string) =>
      `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n${more}  containers: [{name: app}]\n`;
    const bare = await weftInject(pod(""), "--settings", file);
    assert.match(bare.stderr, /those of its ServiceAccount no more/);
    assert.deepEqual(read(bare.stdout)[0].spec.imagePullSecrets, [{ name: "mesh" }]);
    const own = await weftInject(pod("  imagePullSecrets: [{name: own}]\n"), "--settings", file);
    assert.equal(own.stderr, "");
    assert.deepEqual(read(own.stdout)[0].spec.imagePullSecrets, [{ name: "own" }, {
      name: "mesh",
    }]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("inject: every command that a pod is given exists, with its options", async () => {
  for (const when of ["always", "never"]) {
    const settings = { "weft.dev/outbound-ip-range-inclusion-list": "10.0.0.0/8" };
    const text = pod({}, { annotations: settings });
    const [{ spec }] = read(await injected(text, "--native-sidecar", when));
    const containers = [...spec.initContainers, ...spec.containers];
    const named = (name: string) => containers.find((each) => each.name === name);
    const { args } = named("weft-init");
    assert.equal(await run([...args, "--dry-run"], testEnvironment()), 0);
    const proxy = named("weft-proxy");
    const words = proxy.args.map((word: string) =>
      word.replace("$(POD_IPS)", "10.0.0.5,fd00::5").replace(/\$\(\w+\)/, "x")
    );
    assert.equal(words[0], "proxy");
    const given = parseQuickly(words.slice(1));
    assert.ok(given !== null, "an ordinary command line is read without commander");
    const config = sidecarConfig(completeOptions(given, testEnvironment()), 0);
    assert.equal(config.inbound[0].application.otherAddress, "fd00::5");
    const hook = proxy.lifecycle?.postStart.exec.command;
    assert.equal(hook === undefined, when === "always");
    if (hook === undefined) continue;
    const argv = [...hook.slice(1), "--timeout=1ms", "--admin=127.0.0.1:1"];
    assert.equal(await run(argv, testEnvironment()), 1);
  }
});
