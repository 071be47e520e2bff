/** The mesh cases of the Gateway API, by the routing core and through the real proxy. */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import { decodePlan, encodePlan } from "../../routing/plan_codec.ts";
import type { Plan } from "../../routing/plan.ts";
import { requestHeadOf } from "../../routing/request.ts";
import { buildTable } from "../../routing/table/build.ts";
import { explain } from "../../routing/table/explain.ts";
import { SplitState } from "../../routing/table/split.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { headerOf, type RawMessage, statusOf } from "../support/raw_socket.ts";
import { answering, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";
import { ask } from "../policy/client.ts";
import { MESH_CASES, type MeshCase, type MeshRequest, type RouteSpec } from "./mesh_cases.ts";

const GROUP = "gateway.networking.k8s.io";
/** By namespace and name: those that have endpoints. */
const SERVICES = ["default/echo", "default/echo-v1", "default/echo-v2", "far/far"];
const PORTS = [{ name: "http", port: 80 }, { name: "http-alt", port: 8080 }];

function manifestsOf(
  { routes, grants = [] }: MeshCase,
  endpointsOf: (service: string) => { readonly address: string; readonly port: number },
): unknown[] {
  const services = [...SERVICES, "default/empty"].map((service) => {
    const [namespace, name] = service.split("/");
    return {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace },
      spec: { ports: PORTS },
    };
  });
  const slices = SERVICES.map((service) => {
    const [namespace, name] = service.split("/");
    const { address, port } = endpointsOf(service);
    return {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name, namespace, labels: { "kubernetes.io/service-name": name } },
      ports: PORTS.map(({ name }) => ({ name, port })),
      endpoints: [{ addresses: [address] }],
    };
  });
  const granted = grants.map((grant) => ({
    apiVersion: `${GROUP}/v1beta1`,
    kind: "ReferenceGrant",
    metadata: { name: "grant", namespace: grant.in },
    spec: {
      from: [{ group: GROUP, kind: "HTTPRoute", namespace: grant.from }],
      to: [{ group: "", kind: "Service" }],
    },
  }));
  return [...services, ...slices, ...routes.map(manifestOf), ...granted];
}

function manifestOf(
  {
    kind = "HTTPRoute",
    namespace = "default",
    parent = "echo:80",
    name = "route",
    createdAt,
    rules,
  }: RouteSpec,
): unknown {
  const [, of, service, port] = /^(?:(\w+)\/)?([^:]+)(?::(\d+))?$/.exec(parent) ?? [];
  return {
    apiVersion: `${GROUP}/v1`,
    kind,
    metadata: { name, namespace, creationTimestamp: createdAt },
    spec: {
      parentRefs: [{
        ...{ group: "", kind: "Service", name: service, namespace: of ?? "default" },
        ...(port === undefined ? {} : { port: Number(port) }),
      }],
      rules,
    },
  };
}

function planOf(given: MeshCase, endpointsOf: Parameters<typeof manifestsOf>[1]): Plan {
  const text = manifestsOf(given, endpointsOf).map((each) => JSON.stringify(each)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "mesh.yaml", text }]);
  assert.deepEqual(findings, []);
  const decoded = decodePlan(encodePlan(compile(snapshot).plan));
  assert.ok(decoded.ok, decoded.ok ? "" : decoded.message);
  return decoded.plan;
}

function targetOf({ request }: Pick<MeshRequest, "request">) {
  const [method, target] = request.split(" ");
  const url = target.startsWith("/") ? `http://echo${target}` : target;
  const [, host, path] = /^http:\/\/([^/]+)(.*)$/.exec(url) ?? [];
  return { method, url, host, path };
}

for (const given of MESH_CASES) {
  Deno.test(`gateway, by the routing core: ${given.name}`, () => {
    const plan = planOf(given, () => ({ address: "10.0.0.1", port: 8080 }));
    assert.equal(plan.requires?.includes("gateway-routes") ?? false, given.routes.length > 0);
    const table = buildTable(plan, { namespace: "default", identity: "", seed: null });
    const state = new SplitState(table);
    for (const asked of given.asks ?? []) {
      const { method, url } = targetOf(asked);
      const head = requestHeadOf({ method, url, headers: Object.entries(asked.headers ?? {}) });
      const { outcome, backend, status, location } = explain(table, head, 80, state);
      assert.equal(
        outcome === "forward" ? backend?.split("/")[1] : status,
        asked.to,
        asked.request,
      );
      assert.equal(location, asked.answered?.location ?? undefined, asked.request);
    }
  });
}

/** An endpoint that answers with what it got. */
function echo(name: string): ScriptedOrigin {
  return new ScriptedOrigin(
    answering((request) => {
      const body = JSON.stringify({ name, line: request.startLine, headers: request.headers });
      return `HTTP/1.1 200 OK\r\nx-from: ${name}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    }),
    { mayFail: true },
  );
}

function requestText(asked: MeshRequest): string {
  const { method, host, path } = targetOf(asked);
  const lines = Object.entries(asked.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = method === "POST" ? "content-length: 0\r\n" : "";
  return `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n${length}${lines.join("")}\r\n`;
}

function check(asked: MeshRequest, answer: RawMessage): void {
  const from = headerOf(answer, "x-from");
  assert.equal(from ?? statusOf(answer), asked.to, asked.request);
  for (const [name, value] of Object.entries(asked.answered ?? {})) {
    assert.equal(headerOf(answer, name) ?? null, value, `${asked.request} ${name}`);
  }
  if (from === undefined) return;
  const seen: Pick<RawMessage, "headers"> & { readonly line: string } = JSON.parse(answer.body);
  const { path, host } = targetOf(asked);
  assert.equal(seen.line.split(" ")[1], asked.path ?? path, asked.request);
  const got = (name: string) =>
    seen.headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value);
  assert.deepEqual(got("host"), [asked.host ?? host], asked.request);
  for (const [name, value] of Object.entries(asked.sees ?? {})) {
    assert.equal(got(name).join(", ") || null, value, `${asked.request} ${name}`);
  }
}

testThroughProxy(
  "routes of the Gateway API",
  MESH_CASES.map((given): ProxyCase => ({
    name: given.name,
    async run(proxy) {
      await using echoes = new AsyncDisposableStack();
      const ports = new Map(
        SERVICES.map((service) => [service, echoes.use(echo(service.split("/")[1])).port]),
      );
      const endpointsOf = (service: string) => ({
        address: "127.0.0.1",
        port: ports.get(service) ?? 1,
      });
      await proxy.proxy.apply(planOf(given, endpointsOf));
      using client = await proxy.connect();
      for (const asked of given.asks ?? []) check(asked, await ask(client, requestText(asked)));
      if (given.shares === undefined) return;
      const { request, of } = given.shares;
      const counts: Record<string, number> = {};
      const total = Object.values(of).reduce((sum, count) => sum + count, 0);
      for (let i = 0; i < total; i++) {
        const answer = await ask(client, requestText({ request, to: 0 }));
        const outcome = headerOf(answer, "x-from") ?? String(statusOf(answer));
        counts[outcome] = (counts[outcome] ?? 0) + 1;
      }
      assert.deepEqual(counts, of);
    },
  })),
);
