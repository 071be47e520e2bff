/** Routes of the Gateway API are watched once their definitions are there, and their status says what became of them. On a real API server. */
import assert from "node:assert/strict";
import { until } from "../support/until.ts";
import { APP_NAMESPACE, endpointsManifest, serviceManifest } from "./app_manifests.ts";
import { HAS_API_SERVER, TestApiServer } from "./api_server.ts";
import { defineGatewayKinds, GATEWAY_GROUP_NAME } from "./gateway_definitions.ts";
import { TestController } from "./test_controller.ts";

const ROUTES = `/apis/${GATEWAY_GROUP_NAME}/v1/namespaces/app/httproutes`;

const MESH = APP_NAMESPACE + serviceManifest("web") + endpointsManifest("web");

function routeTo(backend: string, parent = "web") {
  return {
    apiVersion: `${GATEWAY_GROUP_NAME}/v1`,
    kind: "HTTPRoute",
    metadata: { name: "web" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: parent }],
      rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
    },
  };
}

interface Parent {
  readonly controllerName: string;
  readonly parentRef: Readonly<Record<string, unknown>>;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: string;
    readonly reason: string;
    readonly observedGeneration: number;
  }[];
}

Deno.test({
  name: "routes of the Gateway API: watched when they are there, and told what became of them",
  ignore: !HAS_API_SERVER,
  sanitizeResources: false,
  sanitizeOps: false,
  async fn(t) {
    const api = await TestApiServer.start();
    const client = api.client();
    const controller = TestController.prepare(api);
    const parents = async () => {
      const route = await client.call("GET", `${ROUTES}/web`) as {
        status?: { parents?: readonly Parent[] };
      };
      return route.status?.parents ?? [];
    };
    /** Conditions under our name, as `Type=Status Reason`. */
    const said = async () =>
      (await parents()).filter(({ controllerName }) => controllerName === "weft.dev/mesh")
        .flatMap(({ conditions }) => conditions)
        .map(({ type, status, reason, observedGeneration }) =>
          `${type}=${status} ${reason} ${observedGeneration}`
        ).join();
    const patch = (spec: unknown) =>
      client.call("PATCH", `${ROUTES}/web`, {
        body: { spec },
        contentType: "application/merge-patch+json",
      });
    const saidSoon = (wanted: string) => until(wanted, said, (is) => is === wanted);
    try {
      await api.apply(MESH);
      await controller.start();
      await until("it leads", () => controller.metric("weft_controller_leader"), (is) => is === 1);
      await t.step("a definition that comes later", async () => {
        await defineGatewayKinds(api);
        await until("routes can be made", async () => {
          try {
            await client.call("POST", ROUTES, { body: routeTo("web") });
            return "made";
          } catch (error) {
            return String(error);
          }
        }, (is) => is === "made");
        await saidSoon("Accepted=True Accepted 1,ResolvedRefs=True ResolvedRefs 1");
      });
      await t.step("a backend that is not there, one that is not granted, no parent", async () => {
        await patch({ rules: routeTo("none").spec.rules });
        await saidSoon("Accepted=True Accepted 2,ResolvedRefs=False BackendNotFound 2");
        await patch({ rules: [{ backendRefs: [{ name: "web", namespace: "other", port: 80 }] }] });
        await saidSoon("Accepted=True Accepted 3,ResolvedRefs=False RefNotPermitted 3");
        await patch(routeTo("web", "none").spec);
        await saidSoon("Accepted=False NoMatchingParent 4,ResolvedRefs=True ResolvedRefs 4");
      });
      await t.step("what other controllers say stays", async () => {
        const other = {
          controllerName: "example.com/gateway",
          parentRef: { name: "gateway" },
          conditions: [],
        };
        const own = await parents();
        await client.call("PATCH", `${ROUTES}/web/status`, {
          body: { status: { parents: [other, ...own] } },
          contentType: "application/merge-patch+json",
        });
        await patch(routeTo("web").spec);
        await saidSoon("Accepted=True Accepted 5,ResolvedRefs=True ResolvedRefs 5");
        const now = await parents();
        assert.deepEqual(now.map(({ controllerName }) => controllerName), [
          "example.com/gateway",
          "weft.dev/mesh",
        ]);
        assert.deepEqual(now[1].parentRef, { group: "", kind: "Service", name: "web" });
      });
    } finally {
      await controller.stop();
      await api.stop();
    }
  },
});
