/**
 * Rights on a real API server: a controller that has all of its own is refused nothing, and without any one of them something fails that says
 * so. Users of the mesh have theirs by Kubernetes' own roles.
 */
import assert from "node:assert/strict";
import { definitions } from "../../controller/install/definitions.ts";
import { newKeys } from "../../controller/install/keys.ts";
import { controlPlane } from "../../controller/install/objects.ts";
import { KEY_SECRETS, rootObject } from "../../controller/identity/root_certificate.ts";
import { readValues } from "../../controller/install/values.ts";
import { until } from "../support/until.ts";
import { testCertificates } from "../tls/certificates.ts";
import { Accounts, CONTROLLER_RIGHTS, type Right } from "./accounts.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { denying, PlayedIssuer, REQUEST_DEFINITION } from "./cert_manager.ts";
import { defineGatewayKinds } from "./gateway_definitions.ts";
import { definePolicyKinds } from "./policy_definitions.ts";
import { TestController } from "./test_controller.ts";

const nameOf = ({ verb, resource }: Right) => `${verb} ${resource}`;

/** What has to be done before a right is needed; the others are needed by the start. */
const OCCASIONS: Readonly<Record<string, (controller: TestController) => Promise<void>>> = {
  "create tokenreviews": connectAsProxy,
  "get trafficsplits": askForRollout,
  "create leases": removeLease,
  "create events": makeFaults,
  "patch trafficsplits/status": makeFaults,
  "patch trafficpolicies/status": makeFaults,
  "patch egresses/status": makeFaults,
  "patch ingressbackends/status": makeFaults,
  "patch meshconfigs/status": makeFaults,
  "patch meshrootcertificates/status": makeFaults,
  "patch httproutes/status": makeFaults,
  "patch grpcroutes/status": makeFaults,
  "patch tcproutes/status": makeFaults,
  "create certificaterequests": askIssuer,
  "get certificaterequests": askIssuer,
  "delete certificaterequests": askIssuer,
};

/** A root under which cert-manager signs: it is tried, and the issuer refuses. */
async function askIssuer(): Promise<void> {
  if (apiOf === null) return;
  const roots = testCertificates().authority.chainPem;
  const provider = { certManager: { issuerName: "none" } };
  const object = rootObject(`issuer-${++faults}`, "default", { role: "passive", roots, provider });
  await apiOf.apply(JSON.stringify(object));
  const client = apiOf.client();
  const issuer = new PlayedIssuer(client, denying);
  const isDone = async () => {
    const conditions = ["-o", "jsonpath={.status.conditions[0].message}"];
    return await apiOf?.answer(["get", "meshrootcertificate", `issuer-${faults}`, ...conditions]);
  };
  try {
    await until("it is tried", isDone, (message) => message !== "");
  } finally {
    await issuer.stop();
    client.close();
  }
}

/** What has to be done before the controller starts. */
const PREPARATIONS: Readonly<Record<string, () => Promise<void>>> = {
  "create secrets": forgetRoots,
  "create meshrootcertificates": forgetRoots,
};

/** As in a new mesh. */
async function forgetRoots(): Promise<void> {
  await apiOf?.kubectl(["delete", "meshrootcertificates", "--all"]);
  await apiOf?.kubectl(["delete", "secret", ...KEY_SECRETS, "--ignore-not-found"]);
}

/** Faults that no controller has said yet. */
async function makeFaults(): Promise<void> {
  await apiOf?.apply(FAULTS.replaceAll("none", `none-${++faults}`));
}

let faults = 0;

/** The controller leads once it has made it anew. */
async function removeLease(controller: TestController): Promise<void> {
  await until(
    "it looks for the lease",
    () => controller.log,
    (log) => log.some((line) => /This controller writes/.test(line)),
  );
  await apiOf?.kubectl(["delete", "lease", "weft-controller", "--ignore-not-found"]);
}

let apiOf: TestApiServer | null = null;

/** Each kind that has a status has an object with a fault, which is said on it. */
const FAULTS = `
apiVersion: v1
kind: Namespace
metadata: {name: mesh, labels: {weft.dev/monitored-by: weft}}
---
apiVersion: split.smi-spec.io/v1alpha4
kind: TrafficSplit
metadata: {name: fault, namespace: mesh}
spec: {service: none, backends: [{service: none, weight: 1}]}
---
apiVersion: weft.dev/v1alpha1
kind: TrafficPolicy
metadata: {name: fault, namespace: mesh}
spec: {targetRefs: [{kind: Service, name: none}], timeouts: {request: 1s}}
---
apiVersion: weft.dev/v1alpha1
kind: Egress
metadata: {name: fault, namespace: mesh}
spec:
  sources: [{kind: ServiceAccount, name: sa, namespace: mesh}]
  ports: [{number: 80, protocol: http}]
  matches: [{kind: HTTPRouteGroup, name: none}]
---
apiVersion: weft.dev/v1alpha1
kind: IngressBackend
metadata: {name: fault, namespace: mesh}
spec:
  backends: [{name: none, port: {number: 80, protocol: http}}]
  sources: [{kind: IPRange, name: 192.0.2.0/24}]
---
apiVersion: weft.dev/v1alpha1
kind: MeshConfig
metadata: {name: weft-mesh-config, namespace: default}
spec: {sidecar: {resources: {limits: {memory: none}}}}
---
apiVersion: weft.dev/v1alpha1
kind: MeshRootCertificate
metadata: {name: fault-none, namespace: default}
spec: {role: passive, roots: none, provider: {secret: {name: weft-identity-a}}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: fault, namespace: mesh}
spec: {parentRefs: [{group: "", kind: Service, name: none}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: fault, namespace: mesh}
spec: {parentRefs: [{group: "", kind: Service, name: none}]}
---
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: fault, namespace: mesh}
spec: {parentRefs: [{group: "", kind: Service, name: none}], rules: []}
`;

const SPLIT = {
  apiVersion: "split.smi-spec.io/v1alpha4",
  kind: "TrafficSplit",
  metadata: { name: "web", namespace: "default" },
  spec: { service: "web", backends: [{ service: "web", weight: 1 }] },
};

async function askForRollout(controller: TestController): Promise<void> {
  const path = "/rollout/ready?split=default/web";
  const answer = await until(
    "it knows of the split",
    () => controller.ask(path).catch(() => ({ status: 0, text: "" })),
    ({ status, text }) => status === 200 || /cannot be asked/.test(text),
  );
  controller.log.push(answer.text);
}

async function connectAsProxy({ ports }: TestController): Promise<void> {
  const connection = await until(
    "the stream listens",
    () =>
      Deno.connectTls({ hostname: "localhost", port: ports.stream, caCerts: [caOf] }).catch(() =>
        null
      ),
    (connected) => connected !== null,
  );
  const hello = { token: "t", pod: "p", namespace: "n", bootId: "b", version: 1 };
  await connection?.write(new TextEncoder().encode(`${JSON.stringify(hello)}\n`));
  connection?.close();
}

let caOf = "";

/** Runs a controller as this account until something that it says, or ends by, has all of `words`. */
async function saysAs(
  api: TestApiServer,
  kubeconfig: string,
  { words, prepare, occasion }: {
    words: readonly string[];
    prepare?: (() => Promise<void>) | undefined;
    occasion?: typeof connectAsProxy | undefined;
  },
): Promise<string> {
  await prepare?.();
  const controller = await TestController.prepare(api);
  caOf = controller.keys.authority.cert;
  let end = "";
  controller.launch({ kubeconfig, reviewsTokens: true }).catch((error) => end = String(error));
  try {
    await occasion?.(controller);
    const said = () =>
      [...controller.log, end].find((line) => words.every((w) => line.includes(w)));
    const what = `"${words.join(" ")}"; is that right needed?`;
    return await until(what, said, (line) => line !== undefined) ?? "";
  } finally {
    await controller.stop();
  }
}

Deno.test({
  name: "rights: the controller has those that it needs, and no others",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    try {
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      const isTaken = () => api.apply(JSON.stringify(SPLIT)).then(() => true, () => false);
      await until("the definition is established", isTaken, (taken) => taken);
      await api.apply(REQUEST_DEFINITION);
      await api.established("certificaterequests.cert-manager.io");
      await defineGatewayKinds(api);
      await definePolicyKinds(api);
      apiOf = api;
      const accounts = new Accounts(api);
      await t.step("with all of them it is refused nothing", async () => {
        const kubeconfig = await accounts.with("whole", CONTROLLER_RIGHTS);
        await until(
          "the API server knows the rights",
          () => api.answer(["auth", "can-i", "list", "nodes", "--kubeconfig", kubeconfig]),
          (answer) => answer === "yes",
        );
        const controller = await TestController.prepare(api);
        caOf = controller.keys.authority.cert;
        const failed = controller.launch({ kubeconfig, reviewsTokens: true });
        const isRefused = () => controller.log.some((line) => /Proxy refused/.test(line));
        for (const occasion of Object.values(OCCASIONS)) await occasion(controller);
        await Promise.race([until("all has been done", isRefused, (is) => is), failed]);
        await controller.stop();
        assert.deepEqual(
          controller.log.filter((line) => /is forbidden|cannot \w+ resource/.test(line)),
          [],
        );
      });
      for (const [i, right] of CONTROLLER_RIGHTS.entries()) {
        await t.step(`without ${nameOf(right)} it says that it cannot`, async () => {
          const kubeconfig = await accounts.with(
            `less-${i}`,
            CONTROLLER_RIGHTS.filter((each) => each !== right),
          );
          const words = ["is forbidden", `cannot ${right.verb} resource`, right.resource];
          await saysAs(api, kubeconfig, {
            words,
            prepare: PREPARATIONS[nameOf(right)],
            occasion: OCCASIONS[nameOf(right)],
          });
        });
      }
    } finally {
      await api.stop();
    }
  },
});

Deno.test({
  name: "rights: who may view or edit a namespace may do so with objects of the mesh",
  ignore: !HAS_API_SERVER,
  async fn() {
    const api = await TestApiServer.start();
    api.startControllers(["clusterrole-aggregation-controller"]);
    try {
      const values = readValues({});
      const roles = controlPlane(values, await newKeys(values)).filter(({ kind }) =>
        kind === "ClusterRole"
      );
      await api.apply(definitions().map((each) => JSON.stringify(each)).join("\n---\n"));
      await api.apply(roles.map((each) => JSON.stringify(each)).join("\n---\n"));
      for (const role of ["view", "edit", "admin"]) {
        await api.kubectl([
          "create",
          "rolebinding",
          role,
          `--clusterrole=${role}`,
          `--user=${role}`,
        ]);
      }
      const can = (role: string, verb: string, kind: string) =>
        api.answer(["auth", "can-i", verb, kind, "--as", role]);
      const kinds = [
        "trafficsplits.split.smi-spec.io",
        ...["trafficpolicies.weft.dev", "ingressbackends.weft.dev"],
      ];
      for (const kind of kinds) {
        for (const [role, verb] of [["view", "list"], ["edit", "create"], ["admin", "delete"]]) {
          const ask = () => can(role, verb, kind);
          assert.equal(await until(`${role}: ${verb}`, ask, (answer) => answer === "yes"), "yes");
        }
        assert.equal(await can("view", "create", kind), "no");
        assert.equal(await can("stranger", "list", kind), "no");
      }
      const views = () => can("view", "list", "egresses.weft.dev");
      assert.equal(await until("view: list", views, (answer) => answer === "yes"), "yes");
      for (const role of ["edit", "admin"]) {
        assert.equal(await can(role, "create", "egresses.weft.dev"), "no", role);
      }
    } finally {
      await api.stop();
    }
  },
});
