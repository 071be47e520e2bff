/**
 * Mutual TLS between injected pods of a real node: on the wire, beside pods without a sidecar, where callers must come by it, and with
 * traffic targets enforced by who callers are (OSM's demo). Installs the mesh unless another test has.
 */
import assert from "node:assert/strict";
import { readLines } from "../../../base/lines.ts";
import { until } from "../../support/until.ts";
import { get, insist, NODE, OFF_NODE, runOnNode } from "./on_node.ts";

const NAMESPACE = "books";
const OUTSIDE = "outside";
const WEFT = "localhost/weft:test";
/** What the bookstore answers: to look for on the wire. */
const SECRET = "fourteen-books-sold";
const LINE_BYTES_MAX = 1_000;
const PAUSE = "trap 'exit 0' TERM; while :; do sleep 3600 & wait $!; done";

const account = (name: string) => ({
  apiVersion: "v1",
  kind: "ServiceAccount",
  metadata: { name, namespace: NAMESPACE },
});

function pod(namespace: string, name: string, container: object, annotations = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels: { app: name }, annotations },
    spec: {
      ...(namespace === NAMESPACE ? { serviceAccountName: name } : {}),
      containers: [{ name: "app", imagePullPolicy: "Never", ...container }],
    },
  };
}

const CURL = { image: "curlimages/curl", command: ["sh", "-c", PAUSE] };
/** Its pod does not have the secret in one piece, for etcd hears of the pod in plain; nor do answers to the kubelet, which asks in plain. */
const STORE = {
  image: "curlimages/curl",
  command: [
    "sh",
    "-c",
    "mkdir /www; how=fourteen; echo >/www/ready; for path in books-bought other index.html; do printf $how-books-sold >/www/$path; done; " +
    "exec httpd -f -p 8080 -h /www",
  ],
  readinessProbe: { httpGet: { path: "/ready", port: 8080 }, periodSeconds: 1 },
};

/** It is ready if probes by HTTPS, TCP and a command come through where all callers must come by mutual TLS. */
const PROBED = {
  image: "weft-test/load",
  command: ["/bin/load", "https", "well", "8443", "close"],
  startupProbe: { exec: { command: ["true"] }, periodSeconds: 1 },
  livenessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
  readinessProbe: { httpGet: { path: "/", port: 8443, scheme: "HTTPS" }, periodSeconds: 1 },
};

const SERVICE = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "bookstore", namespace: NAMESPACE },
  spec: {
    selector: { app: "bookstore" },
    ports: [{ name: "http", port: 14001, targetPort: 8080 }],
  },
};

const TARGETS = [
  {
    apiVersion: "specs.smi-spec.io/v1alpha4",
    kind: "HTTPRouteGroup",
    metadata: { name: "bookstore-service-routes", namespace: NAMESPACE },
    spec: { matches: [{ name: "books-bought", pathRegex: "/books-bought", methods: ["GET"] }] },
  },
  {
    apiVersion: "access.smi-spec.io/v1alpha3",
    kind: "TrafficTarget",
    metadata: { name: "bookstore", namespace: NAMESPACE },
    spec: {
      destination: { kind: "ServiceAccount", name: "bookstore", namespace: NAMESPACE },
      rules: [{
        kind: "HTTPRouteGroup",
        name: "bookstore-service-routes",
        matches: ["books-bought"],
      }],
      sources: [{ kind: "ServiceAccount", name: "bookbuyer", namespace: NAMESPACE }],
    },
  },
];

async function apply(...items: readonly object[]): Promise<void> {
  await insist("kubectl apply -f -", JSON.stringify({ apiVersion: "v1", kind: "List", items }));
}

/** The status and the body that a pod gets of the bookstore. */
async function ask(
  namespace: string,
  from: string,
  path = "/books-bought",
  host = `bookstore.${NAMESPACE}:14001`,
): Promise<string> {
  const curl = `curl -s -m 10 -w ' %{http_code}' http://${host}${path}`;
  const { stdout } = await runOnNode(`kubectl -n ${namespace} exec ${from} -c app -- ${curl}`);
  return stdout;
}

const untilAnswer = (from: string, wanted: RegExp, path?: string) =>
  until(`${from} gets ${wanted}`, () => ask(NAMESPACE, from, path), (text) => wanted.test(text));

const untilOutsider = (wanted: RegExp) =>
  until(`outsider gets ${wanted}`, () => ask(OUTSIDE, "outsider"), (text) => wanted.test(text));

const ANSWERED = new RegExp(`^${SECRET} 200$`);
const DENIED = / 403$/;

async function configure(traffic: object): Promise<void> {
  await apply({
    apiVersion: "weft.dev/v1alpha1",
    kind: "MeshConfig",
    metadata: { name: "weft-mesh-config", namespace: "weft-system" },
    spec: { traffic },
  });
}

/** How many frames of the node had the secret in them meanwhile. */
async function overheard(during: () => Promise<void>): Promise<number> {
  const network = `weft-${Deno.readTextFileSync(`${NODE}/network`).trim()}`;
  const child = new Deno.Command("nsenter", {
    args: [`--net=/run/netns/${network}`, "sniff", SECRET],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = readLines(child.stdout, () => LINE_BYTES_MAX);
  assert.equal((await lines.next()).value, "ready");
  try {
    await during();
  } finally {
    await child.stdin.close();
  }
  const { value } = await lines.next();
  await child.status;
  return Number(value);
}

Deno.test({
  name: `mutual TLS: pods on a real node${OFF_NODE}`,
  ignore: NODE === undefined,
  async fn(t) {
    await insist(`weft install --timeout 120s --image ${WEFT}`);
    await insist(`kubectl create namespace ${NAMESPACE}; kubectl create namespace ${OUTSIDE}`);
    try {
      await insist(`weft namespace add ${NAMESPACE}`);
      const accounts = ["bookstore", "bookbuyer", "bookthief", "probed"];
      await apply(
        ...accounts.map(account),
        SERVICE,
        pod(NAMESPACE, "bookstore", STORE),
        pod(NAMESPACE, "bookbuyer", CURL),
        pod(NAMESPACE, "bookthief", CURL),
        pod(NAMESPACE, "probed", PROBED, { "weft.dev/mtls-mode": "strict" }),
        pod(OUTSIDE, "outsider", CURL),
        pod(OUTSIDE, "shelf", STORE),
      );
      for (
        const [namespace, name] of [
          ...accounts.map((each) => [NAMESPACE, each]),
          ...["outsider", "shelf"].map((each) => [OUTSIDE, each]),
        ]
      ) {
        await insist(
          `kubectl -n ${namespace} wait --for=condition=Ready pod/${name} --timeout=120s`,
        );
      }
      await onTheWire(t);
      await inPlain(t);
      await whereCallersMust(t);
      await whereTargetsCount(t);
      await whatLeaves(t);
    } finally {
      await configure({});
      await runOnNode(`kubectl delete namespace ${NAMESPACE} ${OUTSIDE} --wait=false`);
    }
  },
});

/** What a pod gets without printing it: the kubelet itself would carry that over the node's loopback. */
async function askQuietly(namespace: string, from: string, host: string): Promise<string> {
  const curl = `curl -s -m 10 -o /dev/null -w '%{http_code} %{size_download}' http://${host}/`;
  return await insist(`kubectl -n ${namespace} exec ${from} -c app -- ${curl}`);
}

async function onTheWire(t: Deno.TestContext): Promise<void> {
  await t.step("no byte of an answer between sidecars is seen in plain", async () => {
    const { podIP } = (await get(`-n ${NAMESPACE} pod bookstore`)).status;
    const host = `bookstore.${NAMESPACE}:14001`;
    const whole = `200 ${SECRET.length}`;
    await untilAnswer("bookbuyer", ANSWERED);
    const heard = await overheard(async () => {
      for (let i = 0; i < 20; i++) {
        assert.equal(await askQuietly(NAMESPACE, "bookbuyer", host), whole);
      }
    });
    assert.equal(heard, 0);
    const ofPod = await overheard(async () => {
      assert.equal(await askQuietly(NAMESPACE, "bookbuyer", `${podIP}:8080`), whole);
    });
    assert.equal(ofPod, 0);
    // It would have been heard: a pod without a sidecar is.
    const ofOutsider = await overheard(async () => {
      assert.equal(await askQuietly(OUTSIDE, "outsider", host), whole);
    });
    assert.ok(ofOutsider > 0);
  });
}

async function inPlain(t: Deno.TestContext): Promise<void> {
  await t.step("who calls in plain is named by workload", async () => {
    const text = await insist(`weft status --plain -n ${NAMESPACE} -o json`);
    const callers: { caller: string; called: string; accepted: number; hasSidecar: boolean }[] =
      JSON.parse(text);
    const named = callers.map(({ caller, called, hasSidecar }) => ({ caller, called, hasSidecar }));
    const outsider = { caller: `${OUTSIDE}/Pod/outsider`, hasSidecar: false };
    assert.deepEqual(named.filter(({ caller }) => !/^node|^null/.test(`${caller}`)), [
      { ...outsider, called: `${NAMESPACE}/Pod/bookstore` },
    ]);
  });
}

async function whereCallersMust(t: Deno.TestContext): Promise<void> {
  const annotate = (text: string) =>
    insist(`kubectl annotate namespace ${NAMESPACE} --overwrite ${text}`);
  await t.step(
    "strict, by namespace: callers without a sidecar are refused, probes are not",
    async () => {
      await annotate("weft.dev/mtls-mode=strict");
      await untilOutsider(DENIED);
      assert.match(await ask(NAMESPACE, "bookbuyer"), ANSWERED);
      // Three of its probes have come meanwhile.
      const restarts = await get(`-n ${NAMESPACE} pod bookstore`);
      assert.ok(
        restarts.status.conditions.some((each: { type: string; status: string }) =>
          each.type === "Ready" && each.status === "True"
        ),
      );
      await annotate("weft.dev/mtls-mode=strict,8080=permissive");
      await untilOutsider(ANSWERED);
      await annotate("weft.dev/mtls-mode-");
    },
  );
  await t.step("strict, by the MeshConfig", async () => {
    await configure({ mtlsMode: "strict" });
    await untilOutsider(DENIED);
    assert.match(await ask(NAMESPACE, "bookbuyer"), ANSWERED);
    const { podIP } = (await get(`-n ${OUTSIDE} pod outsider`)).status;
    await apply({
      apiVersion: "weft.dev/v1alpha1",
      kind: "IngressBackend",
      metadata: { name: "outsider", namespace: NAMESPACE },
      spec: {
        backends: [{ name: "bookstore", port: { number: 8080, protocol: "http" } }],
        sources: [{ kind: "IPRange", name: `${podIP}/32` }],
      },
    });
    await untilOutsider(ANSWERED);
    await insist(`kubectl -n ${NAMESPACE} delete ingressbackends.weft.dev outsider`);
    await untilOutsider(DENIED);
    await configure({ mtlsMode: "permissive" });
    await untilOutsider(ANSWERED);
  });
}

async function whatLeaves(t: Deno.TestContext): Promise<void> {
  await t.step("without egress only what an Egress allows leaves the mesh", async () => {
    const { podIP } = (await get(`-n ${OUTSIDE} pod shelf`)).status;
    const untilShelf = (from: string, wanted: RegExp) =>
      until(
        `${from} gets ${wanted} of the shelf`,
        () => ask(NAMESPACE, from, "/books-bought", `${podIP}:8080`),
        (text) => wanted.test(text),
      );
    await untilShelf("bookthief", ANSWERED);
    await configure({ enableEgress: false });
    for (const from of ["bookthief", "bookbuyer"]) await untilShelf(from, DENIED);
    await apply({
      apiVersion: "weft.dev/v1alpha1",
      kind: "Egress",
      metadata: { name: "shelf", namespace: NAMESPACE },
      spec: {
        sources: [{ kind: "ServiceAccount", name: "bookbuyer", namespace: NAMESPACE }],
        ipAddresses: [`${podIP}/32`],
        ports: [{ number: 8080, protocol: "http" }],
      },
    });
    await untilShelf("bookbuyer", ANSWERED);
    assert.match(await ask(NAMESPACE, "bookthief", "/books-bought", `${podIP}:8080`), DENIED);
    // Inside the mesh nothing changes.
    assert.match(await ask(NAMESPACE, "bookthief"), ANSWERED);
    await configure({ enableEgress: true });
    await untilShelf("bookthief", ANSWERED);
  });
}

async function whereTargetsCount(t: Deno.TestContext): Promise<void> {
  await t.step("the bookbuyer may buy, and the bookthief may not", async () => {
    await apply(...TARGETS);
    assert.match(await ask(NAMESPACE, "bookthief"), ANSWERED);
    await configure({ enablePermissiveTrafficPolicyMode: false });
    await untilAnswer("bookthief", DENIED);
    await untilAnswer("bookbuyer", ANSWERED);
    assert.match(await ask(NAMESPACE, "bookbuyer", "/other"), DENIED);
    await untilOutsider(DENIED);
    const log = await insist(
      `kubectl -n ${NAMESPACE} wait --for=condition=Ready pod/bookstore --timeout=30s`,
    );
    assert.match(log, /condition met/);
    await configure({ enablePermissiveTrafficPolicyMode: true });
    await untilAnswer("bookthief", ANSWERED);
  });
}
