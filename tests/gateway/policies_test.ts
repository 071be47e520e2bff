/** What rules of routes do with requests on their way: times, retries, copies, and rewrites to endpoints that speak HTTP/2. */
import assert from "node:assert/strict";
import http2 from "node:http2";
import type { AddressInfo } from "node:net";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { ask, outcomeOf, request } from "../policy/client.ts";
import { headerOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";

/** Services by the port of their endpoint; a rule of a route of `app`. */
async function route(
  proxy: TestProxy,
  services: Readonly<Record<string, { readonly port: number }>>,
  rule: Readonly<Record<string, unknown>>,
  portName = "http",
): Promise<void> {
  const documents = Object.entries(services).flatMap(([name, { port }]) => [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ports: [{ name: portName, port: 80 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name, labels: { "kubernetes.io/service-name": name } },
      ports: [{ name: portName, port }],
      endpoints: [{ addresses: ["127.0.0.1"] }],
    },
  ]);
  const text = [...documents, {
    apiVersion: "gateway.networking.k8s.io/v1",
    kind: "HTTPRoute",
    metadata: { name: "app" },
    spec: {
      parentRefs: [{ group: "", kind: "Service", name: "app" }],
      rules: [{ backendRefs: [{ name: "app", port: 80 }], ...rule }],
    },
  }].map((each) => JSON.stringify(each)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "mesh.yaml", text }]);
  const { plan, findings: compiled } = compile(snapshot);
  assert.deepEqual([...findings, ...compiled], []);
  await proxy.proxy.apply(plan);
}

const SILENT = () =>
  new ScriptedOrigin(async (socket) => void await socket.readRequest(), { mayFail: true });

const CASES: readonly ProxyCase[] = [
  {
    name: "a request that is not answered in its time is answered 504",
    async run(proxy) {
      const never = Promise.withResolvers<string>();
      await using app = new ScriptedOrigin(answering(() => never.promise), { mayFail: true });
      using client = await proxy.connect();
      await route(proxy, { app }, { timeouts: { request: "100ms" } });
      assert.equal(outcomeOf(await ask(client)), "504 deadline-exceeded");
      await route(proxy, { app }, { timeouts: { backendRequest: "100ms" } });
      assert.equal(outcomeOf(await ask(client)), "504 upstream-timeout");
    },
  },
  {
    name: "a status that the rule names, and a reset, are tried again, whatever the method",
    async run(proxy) {
      let calls = 0;
      const answers = ["503 Service Unavailable", "200 OK"];
      await using app = new ScriptedOrigin(
        answering(() => `HTTP/1.1 ${answers[calls++ % 2]}\r\nContent-Length: 0\r\n\r\n`),
        { mayFail: true },
      );
      using client = await proxy.connect();
      await route(proxy, { app }, { retry: { codes: [503], attempts: 1, backoff: "1ms" } });
      assert.equal(outcomeOf(await ask(client)), "200 ");
      assert.equal(outcomeOf(await ask(client, request("POST", { body: "x" }))), "200 ");
      assert.equal(calls, 4);
      await using silent = SILENT();
      await route(proxy, { app: silent }, { retry: { attempts: 2, backoff: "1ms" } });
      assert.equal(outcomeOf(await ask(client)), "502 upstream-reset");
      assert.equal(silent.accepted, 3);
    },
  },
  {
    name: "copies go to the mirror as the request goes out",
    async run(proxy) {
      const seen: string[] = [];
      await using app = new ScriptedOrigin(answering(() => ok("app")));
      await using copy = new ScriptedOrigin(
        answering(({ startLine }) => {
          seen.push(startLine);
          return ok("copy");
        }),
        { mayFail: true },
      );
      using client = await proxy.connect();
      await route(proxy, { app, copy }, {
        filters: [
          { type: "RequestMirror", requestMirror: { backendRef: { name: "copy", port: 80 } } },
          {
            type: "URLRewrite",
            urlRewrite: { path: { type: "ReplaceFullPath", replaceFullPath: "/x" } },
          },
        ],
      });
      assert.equal(outcomeOf(await ask(client)), "200 app");
      await until("the copy", () => seen.join(), (lines) => lines === "GET /x HTTP/1.1");
    },
  },
  {
    name: "a rewrite to an endpoint that speaks HTTP/2, tried again from the target as it came",
    async run(proxy) {
      const seen: string[] = [];
      const server = http2.createServer();
      server.on("stream", (stream, headers) => {
        seen.push(`${headers[":authority"]} ${headers[":path"]}`);
        stream.respond({ ":status": seen.length === 1 ? 503 : 200 });
        stream.end();
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const app = { port: (server.address() as AddressInfo).port };
        using client = await proxy.connect();
        const path = { type: "ReplacePrefixMatch", replacePrefixMatch: "/new" };
        await route(proxy, { app }, {
          matches: [{ path: { value: "/old" } }],
          filters: [
            { type: "URLRewrite", urlRewrite: { hostname: "other.example", path } },
            {
              type: "ResponseHeaderModifier",
              responseHeaderModifier: { add: [{ name: "x-route", value: "app" }] },
            },
          ],
          retry: { codes: [503], attempts: 1, backoff: "1ms" },
        }, "http2");
        const answer = await ask(client, "GET /old/a?b=1 HTTP/1.1\r\nHost: app\r\n\r\n");
        assert.equal(outcomeOf(answer), "200 ");
        assert.equal(headerOf(answer, "x-route"), "app");
        assert.deepEqual(seen, ["other.example /new/a?b=1", "other.example /new/a?b=1"]);
      } finally {
        await proxy.route();
        server.close();
      }
    },
  },
];

testThroughProxy("what rules of the Gateway API do with requests", CASES);
