/** Pods are made at a real API server that asks a controller's webhook, and another webhook that changes the same pods. */
import assert from "node:assert/strict";
import { createServer } from "node:https";
import { makeAuthority, makeCertificate } from "../../controller/certificates.ts";
import { webhooks } from "../../controller/install/webhooks.ts";
import { readValues } from "../../controller/install/values.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { until } from "../support/until.ts";
import { Accounts, CONTROLLER_RIGHTS } from "./accounts.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { TestController } from "./test_controller.ts";

const PODS = "/api/v1/namespaces/app/pods";
/** As many as a Deployment may ask for at once. */
const BURST = 1_000;
const AT_ONCE = 50;
/** Namespaces, each with a pod at once. */
const JOINING = 10;

const LATE = { name: "late", image: "late", readinessProbe: { tcpSocket: { port: 7 } } };

interface Container {
  readonly name: string;
  readonly args?: readonly string[];
  readonly readinessProbe?: { readonly tcpSocket?: object; readonly httpGet?: object };
}

interface MadePod {
  readonly metadata: { readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: {
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
}

function podOf(name: string, metadata: object = {}, spec: object = {}): object {
  const containers = [{ name: "app", image: "app" }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "app", ...metadata },
    // The API server under test has no admission that fills it in.
    spec: { serviceAccountName: "default", containers, ...spec },
  };
}

/** A webhook as others have them: it adds a container to pods with the label `late`, after ours has been asked. */
async function startOther(): Promise<{ configuration: object; stop: () => void }> {
  const authority = await makeAuthority();
  const server = createServer(
    await makeCertificate(authority, ["localhost"]),
    async (request, response) => {
      let text = "";
      for await (const chunk of request) text += chunk;
      const { apiVersion, kind, request: { uid, object } } = JSON.parse(text);
      const isThere = object.spec.containers.some(({ name }: Container) => name === LATE.name);
      const operations = isThere ? [] : [{ op: "add", path: "/spec/containers/-", value: LATE }];
      const patch = btoa(JSON.stringify(operations));
      const answer = { uid, allowed: true, patchType: "JSONPatch", patch };
      response.end(JSON.stringify({ apiVersion, kind, response: answer }));
    },
  );
  const listening = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", listening.resolve);
  await listening.promise;
  const bound = server.address();
  assert.ok(typeof bound === "object" && bound !== null);
  const rule = {
    apiGroups: [""],
    apiVersions: ["v1"],
    operations: ["CREATE"],
    resources: ["pods"],
  };
  const configuration = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "MutatingWebhookConfiguration",
    // They are asked in the order of their names.
    metadata: { name: "zz-other" },
    webhooks: [{
      name: "other.example.test",
      admissionReviewVersions: ["v1"],
      clientConfig: {
        url: `https://localhost:${bound.port}/`,
        caBundle: btoa(authority.cert),
      },
      objectSelector: { matchLabels: { late: "true" } },
      rules: [rule],
      sideEffects: "None",
    }],
  };
  const stop = () => {
    server.closeAllConnections();
    server.close();
  };
  return { configuration, stop };
}

const NAMESPACES = `
apiVersion: v1
kind: Namespace
metadata: {name: app, labels: {weft.dev/monitored-by: weft}}
---
apiVersion: v1
kind: Namespace
metadata: {name: outside}
`;

const SPLIT = {
  apiVersion: "split.smi-spec.io/v1alpha4",
  kind: "TrafficSplit",
  metadata: { name: "cold", namespace: "app" },
  spec: { service: "none", backends: [{ service: "none", weight: -1 }] },
};

/** Its account may not list Services, so that it never has all. Once it may, it serves. */
async function tryCold(
  api: TestApiServer,
  controller: TestController,
  create: (pod: object) => Promise<MadePod>,
): Promise<void> {
  const accounts = new Accounts(api);
  const may = CONTROLLER_RIGHTS.filter(({ verb, resource }) => `${verb} ${resource}` !== NEEDED);
  const failed = controller.launch({ kubeconfig: await accounts.with("cold", may) });
  const isStuck = () =>
    controller.log.some((line) => line.includes('cannot list resource \\"services'));
  await Promise.race([until("it lacks a right", isStuck, (stuck) => stuck), failed]);
  assert.equal((await controller.ask("/readyz")).status, 503);
  const refused = () => create(podOf("p")).then(() => "", String);
  // The API server learns of webhooks by a watch of its own.
  await until("the API server asks", refused, (said) => /failed calling webhook/.test(said));
  const optedOut = { labels: { "weft.dev/inject": "false" } };
  assert.deepEqual(names((await create(podOf("p", optedOut))).spec.initContainers), []);
  await api.apply(JSON.stringify(podOf("p", { namespace: "outside" })));
  await api.apply(JSON.stringify(SPLIT));
  await api.kubectl(["delete", "trafficsplit", "cold", "-n", "app"]);
  await accounts.with("cold", CONTROLLER_RIGHTS);
  const isUp = () => controller.log.some((line) => line.includes("Controller started"));
  await Promise.race([until("it serves", isUp, (up) => up), failed]);
}

const NEEDED = "list services";

const names = (list: readonly Container[] = []) => list.map(({ name }) => name);

Deno.test({
  name: "injection: pods on a real API server, beside another webhook",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const controller = TestController.prepare(api);
    const other = await startOther();
    const create = (pod: object) =>
      client.call("POST", `${PODS}?dryRun=All`, { body: pod }) as Promise<MadePod>;
    try {
      await api.apply(NAMESPACES);
      await api.takesSplits();
      const nodeInfo = { kubeletVersion: "v1.29.0" };
      await client.call("POST", "/api/v1/nodes", {
        body: {
          apiVersion: "v1",
          kind: "Node",
          metadata: { name: "node" },
          status: { nodeInfo },
        },
      });
      for (const object of webhooks(readValues({}), controller.keys)) {
        await api.apply(JSON.stringify(controller.atAddress(object)));
      }
      await t.step("a controller that has not read the cluster blocks nothing but its pods", () => {
        return tryCold(api, controller, create);
      });
      await api.apply(JSON.stringify(other.configuration));
      // The API server learns of webhooks by a watch of its own.
      await until(
        "both webhooks are asked",
        () => create(podOf("p", { labels: { late: "true" } })),
        ({ spec }) => spec.containers.length === 2 && spec.initContainers !== undefined,
      );
      await t.step(
        "what another webhook adds later has its probe rewritten, and there is one sidecar",
        async () => {
          const { spec } = await create(podOf("p", { labels: { late: "true" } }));
          assert.deepEqual(names(spec.initContainers), ["weft-init", "weft-proxy"]);
          assert.deepEqual(names(spec.containers), ["app", "late"]);
          const { tcpSocket, httpGet } = spec.containers[1].readinessProbe ?? {};
          assert.equal(tcpSocket, undefined);
          assert.deepEqual(httpGet, { path: "/tcp/7", port: 15010, scheme: "HTTP" });
        },
      );
      await t.step("what must not have a sidecar has none", async () => {
        const mirror = { annotations: { "kubernetes.io/config.mirror": "x" } };
        const optedOut = { labels: { "weft.dev/inject": "false" } };
        for (
          const pod of [
            podOf("p", optedOut),
            podOf("p", {}, { hostNetwork: true }),
            podOf("p", mirror, { nodeName: "node" }),
          ]
        ) {
          const { spec } = await create(pod);
          assert.deepEqual([names(spec.containers), names(spec.initContainers)], [["app"], []]);
        }
      });
      await t.step("a namespace that has just joined has its say at once", async () => {
        for (let i = 0; i < JOINING; i++) {
          const name = `joining-${i}`;
          await client.call("POST", "/api/v1/namespaces", {
            body: {
              apiVersion: "v1",
              kind: "Namespace",
              metadata: {
                name,
                labels: { "weft.dev/monitored-by": "weft" },
                annotations: { "weft.dev/sidecar-injection": i % 2 === 0 ? "disabled" : "enabled" },
              },
            },
          });
          const path = `/api/v1/namespaces/${name}/pods?dryRun=All`;
          const body = podOf("p", { namespace: name });
          // On a busy machine the controller's watch may be later than it waits; then the pod is refused, and not guessed about.
          const make = () =>
            client.call("POST", path, { body }).catch((error: Error) => {
              assert.match(error.message, /is not known to the mesh yet/);
              return null;
            }) as Promise<MadePod | null>;
          const made = await until("it is known", make, (pod) => pod !== null);
          const count = made?.spec.initContainers?.length ?? 0;
          assert.equal(count, i % 2 === 0 ? 0 : 2, name);
        }
      });
      await t.step("a wrong value is refused in our words, an unknown one warned of", async () => {
        await assert.rejects(
          create(podOf("p", { annotations: { "weft.dev/sidecar-log-level": "loud" } })),
          /inject\.weft\.dev.*annotation weft\.dev\/sidecar-log-level cannot be "loud": write it like debug/,
        );
        const typo = { "weft.dev/sidecar-log-levl": "debug" };
        assert.match(
          await api.kubectlWarnings(podOf("typo", { annotations: typo })),
          /Warning: annotation weft\.dev\/sidecar-log-levl says nothing to Weft: is it weft\.dev\/sidecar-log-level\?/,
        );
      });
      await t.step("a thousand pods at once all have their sidecar", async () => {
        let made = 0;
        const makeSome = async () => {
          while (made < BURST) {
            const { spec } = await create(podOf(`burst-${made++}`));
            assert.equal(spec.initContainers?.length, 2);
          }
        };
        await Promise.all(Array.from({ length: AT_ONCE }, makeSome));
        const { text } = await controller.ask("/metrics");
        const answered = readPrometheus(text).filter(({ name, labels }) =>
          name === "weft_controller_admission_seconds_bucket" && labels["webhook"] === "inject"
        );
        const all = Math.max(...answered.map(({ value }) => value));
        assert.ok(all >= BURST);
        const bound = answered.find(({ value }) => value >= 0.99 * all)?.labels["le"];
        console.log(`99 of 100 pods were answered within ${bound} s`);
      });
    } finally {
      other.stop();
      await controller.stop();
      client.close();
      await api.stop();
    }
  },
});
