/**
 * Injected pods on a real node: order, probes, what stays private, Jobs, copies, and the pods that get no sidecar or are refused. All pods
 * are made at once, and then looked at. Installs the mesh unless the guide has.
 */
import assert from "node:assert/strict";
import { until } from "../../support/until.ts";
import { get, insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const NAMESPACE = "injected";
const CURL = "curlimages/curl";
/** The guide's pipy: it answers with one text at one port. */
const PIPY = "flomesh/pipy";
const WEFT = "localhost/weft:test";

const NEVER = { "weft.dev/native-sidecar": "never" };
/** Ends at SIGTERM, as applications do. */
const PAUSE = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";
/** The line's end is what the kubelet waits for before it writes a log. */
const CALL = "curl -sf -m 10 -w '\\n' http://web:8080/";

function shell(script: string, fields: object = {}): object {
  return {
    name: "app",
    image: CURL,
    imagePullPolicy: "Never",
    command: ["sh", "-c", script],
    ...fields,
  };
}

function server(port: number | string, text: string): object {
  const script = `pipy().listen(${port}).serveHTTP(new Message('${text}'))`;
  return { name: "app", image: PIPY, imagePullPolicy: "Never", command: ["pipy", "-e", script] };
}

function pod(name: string, spec: object, metadata: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: NAMESPACE, labels: { app: name }, ...metadata },
    spec,
  };
}

function job(name: string, spec: object, annotations: object = {}): object {
  const template = { metadata: { annotations }, spec: { restartPolicy: "Never", ...spec } };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: NAMESPACE },
    spec: { backoffLimit: 0, template },
  };
}

const soon = { periodSeconds: 1, timeoutSeconds: 5 };

const WEB = [
  {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace: NAMESPACE },
    spec: { selector: { app: "web" }, ports: [{ name: "http", port: 8080 }] },
  },
  pod("web", {
    containers: [
      { ...server(8080, "web"), readinessProbe: { tcpSocket: { port: 8080 }, ...soon } },
      {
        ...server(8081, "probed"),
        name: "http",
        livenessProbe: { httpGet: { path: "/", port: 8081 } },
      },
      {
        ...server("'127.0.0.1:7000'", "private"),
        name: "private",
        readinessProbe: { exec: { command: ["true"] }, ...soon },
      },
    ],
  }),
];

/** Where nothing listens a probe must say so, whatever kind it is. */
const ABSENT = {
  "absent-tcp": { tcpSocket: { port: 9 } },
  "absent-http": { httpGet: { path: "/", port: 9 } },
  "absent-grpc": { grpc: { port: 9 } },
};

const PODS = [
  ...Object.entries(ABSENT).map(([name, probe]) =>
    pod(name, { containers: [shell(PAUSE, { readinessProbe: { ...probe, ...soon } })] })
  ),
  // The first call of the application, and of an init container.
  pod("native", {
    initContainers: [shell(CALL, { name: "first" })],
    containers: [shell(`${CALL} && ${PAUSE}`)],
  }),
  pod("logged", { containers: [shell(`${CALL} && ${PAUSE}`)] }, {
    annotations: { "weft.dev/sidecar-access-log": "json" },
  }),
  pod("excluded", { containers: [shell(`${CALL} && ${PAUSE}`)] }, {
    annotations: {
      "weft.dev/sidecar-access-log": "json",
      "flomesh.io/outbound-port-exclusion-list": "8080",
    },
  }),
  pod("opened", { containers: [server("'127.0.0.1:7000'", "opened")] }, {
    annotations: { "weft.dev/local-proxy-mode": "Localhost" },
  }),
  pod("ordinary", { restartPolicy: "Never", containers: [shell(`${CALL} && ${PAUSE}`)] }, {
    annotations: NEVER,
  }),
  job("native-job", {
    initContainers: [shell(CALL, { name: "first" })],
    containers: [shell(CALL)],
  }),
  job("ordinary-job", {
    containers: [shell(`${CALL} && curl -sf -X POST http://127.0.0.1:15000/quitquitquit`)],
  }, NEVER),
  pod("host", { hostNetwork: true, containers: [shell(PAUSE)] }),
  pod("other-mesh", { containers: [shell(PAUSE), shell(PAUSE, { name: "linkerd-proxy" })] }),
  pod("opted-out", { containers: [shell(PAUSE)] }, { labels: { "weft.dev/inject": "false" } }),
];

const apply = (objects: readonly object[], options = "") =>
  runOnNode(
    `kubectl apply ${options} -f -`,
    JSON.stringify({ apiVersion: "v1", kind: "List", items: objects }),
  );

const names = (list: readonly { name: string }[] = []) => list.map(({ name }) => name);
const inNamespace = (command: string) => `kubectl -n ${NAMESPACE} ${command}`;

async function ofPod(name: string) {
  return await get(`-n ${NAMESPACE} pod ${name}`);
}

interface Condition {
  readonly type: string;
  readonly status: string;
}

function holds(object: { status: { conditions?: readonly Condition[] } }, type: string): boolean {
  return object.status.conditions?.some((each) => each.type === type && each.status === "True") ??
    false;
}

const untilReady = (name: string) =>
  until(`pod ${name} is ready`, () => ofPod(name), (each) => holds(each, "Ready"));

const untilComplete = (name: string) =>
  until(`job ${name} ends`, () => get(`-n ${NAMESPACE} job ${name}`), (each) => {
    assert.ok(!holds(each, "Failed"), `job ${name} failed`);
    return holds(each, "Complete");
  });

/** Seconds from the order to end a pod until it is gone. */
async function secondsToEnd(name: string): Promise<number> {
  const started = performance.now();
  await insist(inNamespace(`delete pod ${name} --wait --timeout=60s`));
  return (performance.now() - started) / 1_000;
}

Deno.test({
  name: `injection: pods on a real node${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn(t) {
    await insist(`weft install --timeout 120s --image ${WEFT}`);
    await insist(`kubectl create namespace ${NAMESPACE}`);
    try {
      // Older than its namespace's membership.
      assert.equal((await apply([pod("early", { containers: [shell(PAUSE)] })])).code, 0);
      await insist(`weft namespace add ${NAMESPACE}`);
      await makePods(t);
      await lookAtPods(t);
      await tellsOfMissing(t);
      await tryRefused(t);
      await tryOffline(t);
      await tryCopies(t);
    } finally {
      await runOnNode(`kubectl delete namespace ${NAMESPACE} --wait=false`);
    }
  },
});

async function makePods(t: Deno.TestContext): Promise<void> {
  await t.step("a pod with probes of every kind is ready, behind its sidecar", async () => {
    const { code, text } = await apply(WEB);
    assert.equal(code, 0, text);
    const { spec } = await untilReady("web");
    assert.deepEqual(names(spec.initContainers), ["weft-init", "weft-proxy"]);
  });
  await t.step("what gets no sidecar is said to the one who applies it", async () => {
    const { code, text } = await apply(PODS);
    assert.equal(code, 0, text);
    assert.match(text, /Warning: no sidecar: it is on its node's network/);
    assert.match(text, /Warning: no sidecar: it has a sidecar of Linkerd/);
    for (const name of ["host", "other-mesh", "opted-out"]) {
      const { spec } = await ofPod(name);
      assert.ok(![...names(spec.containers), ...names(spec.initContainers)].includes("weft-proxy"));
    }
  });
}

async function lookAtPods(t: Deno.TestContext): Promise<void> {
  await t.step(
    "the first call of an init container and of the application is answered",
    async () => {
      const { spec, status } = await untilReady("native");
      assert.deepEqual(names(spec.initContainers), ["weft-init", "weft-proxy", "first"]);
      assert.equal(status.containerStatuses[0].restartCount, 0);
      // The application is what commands mean that name no container.
      assert.equal(await insist(inNamespace("logs native")), "web\n");
      assert.equal(await insist(inNamespace("exec native -- echo here")), "here\n");
    },
  );
  await t.step(
    "an ordinary sidecar is the first container, and holds the application",
    async () => {
      const { spec } = await untilReady("ordinary");
      assert.deepEqual(names(spec.containers), ["weft-proxy", "app"]);
      assert.deepEqual(names(spec.initContainers), ["weft-init"]);
      assert.equal(await insist(inNamespace("logs ordinary")), "web\n");
    },
  );
  await t.step("annotations count: a port that is excluded does not pass the sidecar", async () => {
    for (const name of ["logged", "excluded"]) {
      await untilReady(name);
      const answered = inNamespace(`logs ${name} -c app`);
      await until(`${name} is answered`, () => insist(answered), (text) => text === "web\n");
    }
    const log = (name: string) => insist(inNamespace(`logs ${name} -c weft-proxy`));
    await until("a record", () => log("logged"), (text) => text.includes('"web:8080"'));
    assert.doesNotMatch(await log("excluded"), /web:8080/);
  });
  await t.step("loopback is called where that is asked for", async () => {
    const { status: { podIP } } = await untilReady("opened");
    assert.equal(
      await insist(inNamespace(`exec logged -- curl -sf -m 10 http://${podIP}:7000/`)),
      "opened",
    );
  });
  await t.step("Jobs end", async () => {
    await untilComplete("native-job");
    await untilComplete("ordinary-job");
  });
  await t.step("a probe of a port where nothing listens fails, whatever its kind", async () => {
    for (const name of Object.keys(ABSENT)) {
      const events = inNamespace(`get events --field-selector involvedObject.name=${name}`);
      await until(
        `a probe of ${name} fails`,
        () => insist(events),
        (text) => /Unhealthy.*Readiness probe/.test(text),
      );
      assert.ok(!holds(await ofPod(name), "ContainersReady"), name);
    }
  });
  await t.step(
    "what listens on loopback stays private, and the application's port does not",
    async () => {
      const { podIP } = (await ofPod("web")).status;
      for (const from of ["native", "opted-out"]) {
        const ask = (port: number) =>
          runOnNode(inNamespace(`exec ${from} -- curl -sf -m 10 http://${podIP}:${port}/`));
        assert.equal((await ask(8080)).stdout, "web", from);
        const { code, stdout } = await ask(7000);
        assert.ok(code !== 0 && stdout === "", from);
      }
      assert.equal(
        await insist(inNamespace("exec web -c private -- wget -qO- 127.0.0.1:7000")),
        "private",
      );
    },
  );
  await t.step("pods end within their grace period, a native sidecar at once", async () => {
    const seconds = await Promise.all(["native", "ordinary"].map(secondsToEnd));
    const told = seconds.map((each) => each.toFixed(1)).join(" and ");
    console.log(`Pods with a native and an ordinary sidecar ended in ${told} s`);
    assert.ok(Math.max(...seconds) < 30, told);
  });
}

async function tellsOfMissing(t: Deno.TestContext): Promise<void> {
  await t.step("a pod that is older than its namespace's membership is told of", async () => {
    const { items } = await get("-n weft-system pods -l app=weft-controller");
    for (const { metadata: { name }, status: { podIP } } of items) {
      const log = `kubectl -n weft-system logs ${name}`;
      await until(
        "the log says so",
        () => insist(log),
        (text) => /"code":"sidecar-missing".*"object":"Pod injected\/early"/.test(text),
      );
      const metrics = inNamespace(`exec opted-out -- curl -sf http://${podIP}:15000/metrics`);
      await until(
        "the metric counts it",
        () => insist(metrics),
        (text) => text.includes("\nweft_controller_pods_without_sidecar 1\n"),
      );
    }
  });
}

async function tryRefused(t: Deno.TestContext): Promise<void> {
  await t.step(
    "a pod that would go past the mesh, or asks for what cannot be read, is refused",
    async () => {
      const refused: [RegExp, object][] = [
        [
          /runs as user 1500/,
          pod("no", { containers: [shell(PAUSE, { securityContext: { runAsUser: 1500 } })] }),
        ],
        [
          /annotation weft.dev\/sidecar-log-level cannot be "loud": write it like debug/,
          pod("no", { containers: [shell(PAUSE)] }, {
            annotations: { "weft.dev/sidecar-log-level": "loud" },
          }),
        ],
      ];
      for (const [message, object] of refused) {
        const { code, text } = await apply([object]);
        assert.notEqual(code, 0);
        assert.match(text, message);
      }
    },
  );
  await t.step("proxy-init by hand in a pod on its node's network captures nothing", async () => {
    const capabilities = { add: ["NET_ADMIN", "NET_RAW"] };
    const container = {
      name: "app",
      image: WEFT,
      imagePullPolicy: "Never",
      command: ["/usr/local/bin/weft", "proxy-init"],
      securityContext: { runAsUser: 0, runAsGroup: 0, capabilities },
    };
    const spec = { restartPolicy: "Never", hostNetwork: true, containers: [container] };
    assert.equal((await apply([pod("by-hand", spec)])).code, 0);
    const { status } = await until(
      "it ends",
      () => ofPod("by-hand"),
      ({ status: { phase } }) => phase === "Failed" || phase === "Succeeded",
    );
    assert.equal(status.containerStatuses[0].state.terminated.exitCode, 2);
    assert.match(await insist(inNamespace("logs by-hand")), /pod on its node's/);
  });
}

async function tryOffline(t: Deno.TestContext): Promise<void> {
  await t.step("weft inject gives the pods that the webhook gives", async () => {
    for (const annotations of [{}, NEVER]) {
      const plain = JSON.stringify(
        pod("offline", {
          initContainers: [shell("true", { name: "first" })],
          containers: [shell(PAUSE, { livenessProbe: { tcpSocket: { port: 80 } } })],
        }, { annotations }),
      );
      const dryRun = inNamespace("create --dry-run=server -o json -f -");
      const [byWebhook, offline] = await Promise.all([
        insist(dryRun, plain),
        insist("weft inject -f -", plain).then((text) => insist(dryRun, text)),
      ]);
      const { spec, metadata } = JSON.parse(offline);
      const expected = JSON.parse(byWebhook);
      // The API server adds a volume with a name of its own to each.
      const named = (value: unknown) =>
        JSON.parse(JSON.stringify(value).replace(/kube-api-access-\w+/g, "kube-api-access"));
      const byName = (list: { name: string }[]) =>
        list.toSorted((a, b) => a.name < b.name ? -1 : 1);
      const comparable = (value: typeof spec) => {
        const { volumes, ...rest } = named(value);
        return { ...rest, volumes: byName(volumes) };
      };
      assert.deepEqual(comparable(spec), comparable(expected.spec));
      assert.deepEqual(metadata.annotations, expected.metadata.annotations);
    }
  });
}

async function tryCopies(t: Deno.TestContext): Promise<void> {
  await t.step("a copy by kubectl debug has one sidecar, which serves", async () => {
    await insist(
      inNamespace(
        `debug web --copy-to=copy --container=http --image=${CURL} --set-image=http=${CURL} -- sleep 3600`,
      ),
    );
    const { spec } = await until(
      "the copy runs",
      () => ofPod("copy"),
      ({ status }) =>
        status.phase === "Running" &&
        status.initContainerStatuses?.some((each: { name: string; ready: boolean }) =>
          each.name === "weft-proxy" && each.ready
        ),
    );
    assert.deepEqual(names(spec.initContainers), ["weft-init", "weft-proxy"]);
    assert.equal(await insist(inNamespace(`exec copy -c http -- ${CALL}`)), "web\n");
  });
}
