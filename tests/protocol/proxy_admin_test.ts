/** The admin port: where it listens, which methods it takes, and one line of text for whatever it does not understand. */
import { closedPort } from "../support/free_port.ts";
import assert from "node:assert/strict";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { HAS_OPENSSL_COMMAND, testCertificates } from "../tls/certificates.ts";
import { startProxy } from "../../proxy/run/start_proxy.ts";
import { planOf, TestProxy } from "../support/test_proxy.ts";

Deno.test({
  name: "admin: bad requests are one line and a status, and it listens nowhere else",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    await using running = await TestProxy.start("portable");
    const { port, address } = running.proxy.admin ?? assert.fail();
    assert.equal(address, "127.0.0.1");
    const ask = async (path: string, method = "GET") => {
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      const text = await response.text();
      return { status: response.status, type: response.headers.get("content-type"), text };
    };
    for (
      const [path, method, status] of [
        ["/explain", "GET", 400],
        ["/explain?url=nonsense", "GET", 400],
        ["/explain?url=http://app/&listener=7", "GET", 404],
        ["/explain?url=http://app/&side=inbound", "GET", 404],
        ["/tap?status=ok", "GET", 400],
        ["/tap?nonsense=1", "GET", 400],
        ["/nonsense", "GET", 404],
        ["/plan", "POST", 405],
        ["/metrics", "DELETE", 405],
        ["/quitquitquit", "GET", 405],
      ] as const
    ) {
      const answer = await ask(path, method);
      assert.equal(answer.status, status, path);
      assert.equal(answer.type, "text/plain; charset=utf-8", path);
      assert.match(answer.text, /^[A-Za-z][^\n]+\n$/, path);
    }
    const explained = await ask("/explain?url=http://app/a");
    assert.equal(explained.status, 200);
    assert.equal(JSON.parse(explained.text).request.path, "/a");
    const head = await ask("/metrics", "HEAD");
    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.equal(head.type, "text/plain; version=0.0.4; charset=utf-8");
    // 127.0.0.2 is this machine too, and was not asked for.
    if (Deno.build.os === "linux") {
      await assert.rejects(
        Deno.connect({ hostname: "127.0.0.2", port }),
        Deno.errors.ConnectionRefused,
      );
    }
  },
});

Deno.test({
  name: "health: what others than the pod may ask, and whether a port of the application is open",
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    const place = { address: "127.0.0.1", port: 0 };
    const application = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port: open } = application.addr as Deno.NetAddr;
    const proxy = await startProxy({
      driver: "portable",
      workers: 1,
      outbound: [],
      inbound: [{ ...place, application: { address: "127.0.0.1", port: 0 }, identity: "" }],
      admin: null,
      health: place,
      timeouts: DEFAULT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    }, null);
    const ask = async (path: string, method = "GET") => {
      const { port } = proxy.health ?? assert.fail();
      const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
      await response.body?.cancel();
      return response.status;
    };
    try {
      assert.equal(await ask("/readyz"), 503);
      await proxy.apply(planOf([]));
      assert.equal(await ask("/readyz"), 200);
      assert.equal(await ask("/healthz"), 200);
      assert.equal(await ask("/metrics"), 200);
      assert.equal(await ask(`/tcp/${open}`), 200);
      application.close();
      assert.equal(await ask(`/tcp/${open}`), 503);
      for (const path of ["/plan", "/tap", "/explain?url=http://app/", "/tcp/0", "/tcp/65536"]) {
        assert.equal(await ask(path), 404, path);
      }
      assert.equal(await ask("/quitquitquit", "POST"), 404);
    } finally {
      await proxy.stop();
    }
  },
});

Deno.test({
  name:
    "health: an HTTPS probe is asked of the application in the kubelet's place, and nothing else is",
  ignore: !HAS_OPENSSL_COMMAND,
  async fn() {
    const { server: { chainPem: cert, keyPem: key } } = testCertificates();
    const place = { address: "127.0.0.1", port: 0 };
    const asked: string[] = [];
    const statuses = [200, 204, 302, 503, 418];
    const application = Deno.serve(
      { hostname: "127.0.0.1", port: 0, cert, key, onListen() {} },
      ({ method, url, headers }) => {
        const { pathname, search } = new URL(url);
        asked.push(
          `${method} ${pathname}${search} ${headers.get("host")} ${headers.get("x-probe")}`,
        );
        return new Response(null, { status: statuses[asked.length - 1] });
      },
    );
    const { port: goneAt } = closedPort();
    const { port } = application.addr;
    const proxy = await startProxy({
      driver: "portable",
      workers: 1,
      outbound: [],
      inbound: [{
        ...{ ...place, application: { address: "127.0.0.1", port: 0 }, identity: "" },
        probes: [
          { port, path: "/live/../ready", isSecured: true },
          { port: goneAt, path: "/", isSecured: true },
          { port, path: "/plain" },
        ],
      }],
      admin: null,
      health: place,
      timeouts: DEFAULT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests: false,
    }, planOf([]));
    const ask = async (path: string, method = "GET") => {
      const url = `http://127.0.0.1:${proxy.health?.port}${path}`;
      const init = { method, headers: { "x-probe": "1" }, redirect: "manual" } as const;
      const response = await fetch(url, init);
      await response.body?.cancel();
      return response.status;
    };
    try {
      for (const status of statuses) {
        assert.equal(await ask(`/https/${port}/ready?deep=${status}`), status);
      }
      assert.deepEqual(
        asked,
        statuses.map((status) => `GET /ready?deep=${status} 127.0.0.1:${port} 1`),
      );
      assert.equal(await ask(`/https/${goneAt}/`), 503);
      const others = [`/https/${port}/other`, `/https/${port}/plain`, `/https/1/ready`];
      for (const path of others) assert.equal(await ask(path), 404, path);
      assert.equal(await ask(`/https/${port}/ready`, "POST"), 404);
      assert.equal(asked.length, statuses.length);
    } finally {
      await proxy.stop();
      await application.shutdown();
    }
  },
});
