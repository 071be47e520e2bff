// A pod ends: its application is gone, its sidecar still answers. Real sidecars on both sides, over HTTP/1.1.
import assert from "node:assert/strict";
import { unreachedMark } from "../../proxy/route/unreached.ts";
import { headerOf, type RawMessage, RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { closedPort } from "../support/free_port.ts";
import { TestPod } from "../support/test_pod.ts";
import { type Driver, DRIVERS, TestProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";

const POST = post("x".repeat(1_000));

function post(body: string): string {
  return `POST / HTTP/1.1\r\nHost: app\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Refused by this proxy or that one, with nothing in it that is for proxies. */
function wantRefused(answer: RawMessage): void {
  assert.equal(`${statusOf(answer)} ${headerOf(answer, "x-weft-reason")}`, "503 upstream-refused");
  assert.equal(headerOf(answer, "x-weft-unreached"), undefined);
}

function wantOk(answer: RawMessage, body: string): void {
  assert.deepEqual([statusOf(answer), answer.body], [200, body]);
  assert.equal(headerOf(answer, "x-weft-unreached"), undefined);
}

async function untilAsked(pod: TestPod, count: number): Promise<void> {
  await until(`${count} requests`, () => Promise.resolve(pod.asked.length), (n) => n === count);
}

/** What a client without a sidecar gets. */
async function askDirectly({ port }: { readonly port: number }): Promise<RawMessage> {
  using client = await RawSocket.connect(port);
  await client.send(POST);
  return await client.readResponse();
}

type Case = (proxy: TestProxy, driver: Driver) => Promise<void>;

const CASES: Readonly<Record<string, Case>> = {
  async "a POST goes to another endpoint, whole, and to the client as its answer"(proxy, driver) {
    await using app = new ScriptedOrigin(answering(({ body }) => ok(body)));
    await using dying = await TestPod.start(driver, closedPort());
    await using living = await TestPod.start(driver, app);
    await proxy.route(dying, living);
    using client = await proxy.connect();
    // Both have a turn.
    for (let i = 0; i < 2; i++) {
      await client.send(POST);
      wantOk(await client.readResponse(), "x".repeat(1_000));
    }
    await untilAsked(dying, 1);
    await untilAsked(living, 2);
    assert.equal(dying.asked[0].reason, "upstream-refused");
  },

  async "so does a chunked one, and the endpoint is passed over from then on"(proxy, driver) {
    await using app = new ScriptedOrigin(answering(({ body }) => ok(body)));
    await using dying = await TestPod.start(driver, closedPort());
    await using living = await TestPod.start(driver, app);
    await proxy.route(dying, living);
    using client = await proxy.connect();
    for (let i = 0; i < 6; i++) {
      await client.send(
        "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      );
      wantOk(await client.readResponse(), "abc");
    }
    await untilAsked(living, 6);
    // A slow machine may take longer than it is passed over.
    assert.ok(dying.asked.length <= 2, `${dying.asked.length}`);
    assert.equal(await proxy.metric("weft_upstream_retries_total"), dying.asked.length);
  },

  async "where every application is gone each is asked once, and the client is told"(
    proxy,
    driver,
  ) {
    await using one = await TestPod.start(driver, closedPort());
    await using other = await TestPod.start(driver, closedPort());
    await proxy.route(one, other);
    using client = await proxy.connect();
    await client.send(POST);
    wantRefused(await client.readResponse());
    await untilAsked(one, 1);
    await untilAsked(other, 1);
    // They are all passed over now, so there is no better choice.
    await client.send(POST);
    wantRefused(await client.readResponse());
  },

  async "the only endpoint is asked once"(proxy, driver) {
    await using pod = await TestPod.start(driver, closedPort());
    await proxy.route(pod);
    using client = await proxy.connect();
    await client.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
    wantRefused(await client.readResponse());
    await untilAsked(pod, 1);
  },

  async "a body that is not held any more is not sent again, and the next request goes elsewhere"(
    proxy,
    driver,
  ) {
    await using app = new ScriptedOrigin(answering(({ body }) => ok(body)));
    await using dying = await TestPod.start(driver, closedPort());
    await using living = await TestPod.start(driver, app);
    await proxy.route(dying);
    using client = await proxy.connect();
    await client.send("POST / HTTP/1.1\r\nHost: app\r\nContent-Length: 9000000\r\n\r\n");
    const part = client.send("x".repeat(500_000)).catch(() => {});
    wantRefused(await client.readResponse());
    client.close();
    await part;
    await proxy.route(dying, living);
    using next = await proxy.connect();
    await next.send(POST);
    wantOk(await next.readResponse(), "x".repeat(1_000));
  },

  async "an upgrade goes to another endpoint"(proxy, driver) {
    await using app = new ScriptedOrigin(async (socket) => {
      await socket.readRequest();
      await socket.send(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
      );
      await socket.readRest();
    });
    await using dying = await TestPod.start(driver, closedPort());
    await using living = await TestPod.start(driver, app);
    await proxy.route(dying, living);
    for (let i = 0; i < 2; i++) {
      using client = await proxy.connect();
      await client.send(
        "GET / HTTP/1.1\r\nHost: app\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n",
      );
      assert.equal(statusOf(await client.readResponse()), 101);
    }
    await untilAsked(dying, 1);
  },

  async "an application's own answer is passed on, whatever marks it has copied or made up"(
    proxy,
    driver,
  ) {
    await using gone = await TestPod.start(driver, closedPort());
    const genuine = await askDirectly(gone);
    assert.equal(headerOf(genuine, "x-weft-unreached"), unreachedMark(`127.0.0.1:${gone.port}`));
    let requests = 0;
    let forged = "";
    await using app = new ScriptedOrigin(answering(({ headers }) => {
      requests++;
      const echoed = headers.map(([name, value]) => `${name}: ${value}\r\n`)
        .filter((line) => !line.startsWith("content-length"));
      return `HTTP/1.1 503 Service Unavailable\r\nContent-Length: 3\r\n${forged}${
        echoed.join("")
      }\r\nown`;
    }));
    await using pod = await TestPod.start(driver, app);
    await using other = await TestPod.start(driver, app);
    await proxy.route(pod, other);
    const places = [pod, app, gone].map(({ port }) => unreachedMark(`127.0.0.1:${port}`));
    const copied = genuine.headers.filter(([name]) => name.startsWith("x-weft"));
    const lines = [
      ...places.map((mark) => `X-Weft-Unreached: ${mark}\r\n`),
      copied.map(([name, value]) => `${name}: ${value}\r\n`).join(""),
    ];
    using client = await proxy.connect();
    for (const [i, line] of lines.entries()) {
      forged = line;
      await client.send(POST.replace("Host", `X-Weft-Unreached: ${places[0]}\r\nHost`));
      const answer = await client.readResponse();
      assert.deepEqual([statusOf(answer), answer.body], [503, "own"]);
      assert.equal(headerOf(answer, "x-weft-unreached"), undefined);
      assert.equal(requests, i + 1, line);
    }
  },

  async "nor does a server without a sidecar say for itself what another one's said"(
    proxy,
    driver,
  ) {
    await using gone = await TestPod.start(driver, closedPort());
    const genuine = await askDirectly(gone);
    let requests = 0;
    await using plain = new ScriptedOrigin(answering(() => {
      requests++;
      return genuine.raw;
    }));
    await using other = await TestPod.start(driver, plain);
    await proxy.route(plain, other);
    using client = await proxy.connect();
    await client.send(POST);
    wantRefused(await client.readResponse());
    assert.equal(requests, 1);
  },

  async "a connection that ends without an answer says nothing: a POST is not sent again"(
    proxy,
    driver,
  ) {
    let requests = 0;
    await using app = new ScriptedOrigin(async (socket) => {
      await socket.readRequest();
      requests++;
    });
    await using pod = await TestPod.start(driver, app);
    await using other = await TestPod.start(driver, app);
    await proxy.route(pod, other);
    using client = await proxy.connect();
    await client.send(POST);
    const answer = await client.readResponse();
    assert.equal(headerOf(answer, "x-weft-reason"), "upstream-reset");
    assert.equal(requests, 1);
  },
};

for (const driver of DRIVERS) {
  Deno.test({
    name: `proxy (${driver}): the application behind an endpoint is gone`,
    // The proxy outlives each step; what is left of it is checked by `checkNothingLeft`.
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(test) {
      for (const [name, run] of Object.entries(CASES)) {
        await test.step(name, async () => {
          await using proxy = await TestProxy.start(driver);
          await run(proxy, driver);
          await proxy.checkNothingLeft();
        });
      }
    },
  });
}

Deno.test("the mark of a place is the same however its address is written", () => {
  const mark = unreachedMark("[2001:db8::1]:80");
  assert.match(mark, /^[0-9a-f]{16}$/);
  assert.equal(unreachedMark("[2001:DB8:0:0:0:0:0:1]:80"), mark);
  assert.equal(unreachedMark("[::ffff:192.0.2.1]:80"), unreachedMark("192.0.2.1:80"));
  assert.notEqual(unreachedMark("[2001:db8::1]:81"), mark);
});
