/**
 * Which time counts: the policy's or the proxy's own, and what counts as silence. That time has passed is seen from a request to
 * the host `witness`, which was sent before and has no policy: the proxy's own time ends it.
 */
import assert from "node:assert/strict";
import { data, type Fields, headers, POST_FIELDS, windowUpdate } from "../protocol/http2/frames.ts";
import { FramePeer } from "../http2/frame_peer.ts";
import type { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { skipWithoutLinux, unreachable } from "../support/unreachable.ts";
import { until } from "../support/until.ts";
import { GET, outcomeOf, want } from "./client.ts";
import { applyMesh } from "./mesh.ts";

const CALL: Fields = [
  ...POST_FIELDS.slice(0, 3),
  [":authority", "app"],
  ["content-type", "application/grpc"],
];
const CHUNKED_POST = "POST / HTTP/1.1\r\nHost: app\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNKED_OK = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
const TICK = "4\r\ntick\r\n";
const OUTCOME = "504 upstream-timeout";

/** Takes requests and never answers. */
function silent(): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => void await socket.readRest());
}

/** The proxy with `app` and `witness`; the sections are for `app`. */
async function route(
  proxy: TestProxy,
  app: ScriptedOrigin,
  witness: ScriptedOrigin,
  { portName = "http", sections = {} } = {},
): Promise<void> {
  const services = { app: [app], witness: [witness] };
  const policies = Object.keys(sections).length === 0 ? {} : { app: sections };
  await applyMesh(proxy, { services, policies, portName });
}

/** A request that is quiet; resolves with what became of it. */
async function startWitness(proxy: TestProxy): Promise<{ isOver: boolean; end: Promise<string> }> {
  const client = await proxy.connect();
  await client.send(GET.replace("app", "witness"));
  const read = async () => {
    const outcome = outcomeOf(await client.readResponse());
    client.close();
    witness.isOver = true;
    return outcome;
  };
  const witness = { isOver: false, end: Promise.resolve("") };
  witness.end = read();
  return witness;
}

/** A case in which the request to `app`, sent before that of the witness, is answered after it. */
function outlasting(name: string, sections: Readonly<Record<string, unknown>>): ProxyCase {
  return {
    name,
    async run(proxy) {
      const release = Promise.withResolvers<void>();
      let asked = 0;
      await using app = new ScriptedOrigin(async (socket) => {
        await socket.readRequest();
        asked++;
        await release.promise;
        await socket.send(ok("late"));
        await socket.readRest();
      });
      await using quiet = silent();
      await route(proxy, app, quiet, { sections });
      using client = await proxy.connect();
      await client.send(GET);
      await until("the endpoint to be asked", () => asked, (count) => count === 1);
      assert.equal(await (await startWitness(proxy)).end, OUTCOME);
      release.resolve();
      assert.equal(outcomeOf(await client.readResponse()), "200 late");
    },
  };
}

testThroughProxy("times of policies, and of the proxy for requests", [
  outlasting("a longer time for requests replaces the proxy's", { timeouts: { request: "1h" } }),
  outlasting("0s for requests replaces the proxy's: no limit", { timeouts: { request: "0s" } }),
  {
    name: "a policy that says nothing of requests leaves the proxy's time in force",
    async run(proxy) {
      await using quiet = silent();
      await route(proxy, quiet, quiet, { sections: { timeouts: { idle: "1h" } } });
      using client = await proxy.connect();
      await client.send(GET);
      assert.equal(outcomeOf(await client.readResponse()), OUTCOME);
    },
  },
], { timeouts: { responseMs: 150 } });

testThroughProxy("no limits but for silence", [
  {
    name: "requests are answered",
    async run(proxy) {
      await using app = new ScriptedOrigin(answering(() => ok("here")));
      await route(proxy, app, app);
      using client = await proxy.connect();
      await want(client, "200 here");
      await want(client, "200 here");
    },
  },
  {
    name: "an endpoint that takes no connection is given up",
    skip: skipWithoutLinux,
    async run(proxy) {
      await using app = await unreachable();
      await applyMesh(proxy, { services: { app: [app] } });
      using client = await proxy.connect();
      await want(client, OUTCOME);
    },
  },
  {
    name: "a request that waits for a connection is given up",
    async run(proxy) {
      await using app = silent();
      await route(proxy, app, app, { sections: { connectionLimits: { maxConnections: 1 } } });
      using first = await proxy.connect();
      await first.send(GET);
      await until("the endpoint to be asked", () => app.accepted, (count) => count === 1);
      using second = await proxy.connect();
      await second.send(GET);
      assert.equal(outcomeOf(await first.readResponse()), OUTCOME);
      assert.equal(outcomeOf(await second.readResponse()), OUTCOME);
      assert.ok(app.accepted <= 2);
    },
  },
], {
  timeouts: {
    connectMs: Infinity,
    egressConnectMs: Infinity,
    pendingMs: Infinity,
    responseMs: Infinity,
    requestHeadMs: Infinity,
    clientIdleMs: Infinity,
    upstreamIdleMs: Infinity,
    stallMs: 300,
  },
});

/** Sends ticks from one side, each once the other has the one before, until the witness's time is over. */
async function tick(
  proxy: TestProxy,
  send: () => Promise<void>,
  take: () => Promise<void>,
): Promise<void> {
  const witness = await startWitness(proxy);
  while (!witness.isOver) {
    await send();
    await take();
  }
  assert.equal(await witness.end, OUTCOME);
}

/** A full-duplex exchange in HTTP/1.1 of which both heads are through. */
async function withStreams(
  proxy: TestProxy,
  run: (client: RawSocket, endpoint: RawSocket) => Promise<void>,
): Promise<void> {
  const ready = Promise.withResolvers<RawSocket>();
  const over = Promise.withResolvers<void>();
  await using app = new ScriptedOrigin(async (socket) => {
    await socket.readThrough("\r\n\r\n");
    await socket.send(CHUNKED_OK);
    ready.resolve(socket);
    await over.promise;
  });
  await using quiet = silent();
  await route(proxy, app, quiet);
  using client = await proxy.connect();
  await client.send(CHUNKED_POST);
  await client.readThrough("\r\n\r\n");
  await run(client, await ready.promise);
  over.resolve();
}

/** The same with a call by gRPC. */
async function withCall(
  proxy: TestProxy,
  run: (client: FramePeer, endpoint: FramePeer) => Promise<void>,
): Promise<void> {
  const ready = Promise.withResolvers<FramePeer>();
  const over = Promise.withResolvers<void>();
  await using app = new ScriptedOrigin(async (socket) => {
    const peer = await FramePeer.accept(socket, false);
    await peer.next(/^HEADERS 1 /);
    await peer.send(headers(1, [[":status", "200"], ["content-type", "application/grpc"]]));
    ready.resolve(peer);
    await over.promise;
  });
  await using quiet = new ScriptedOrigin(async (socket) => {
    await FramePeer.accept(socket, false);
    await socket.readRest();
  });
  await route(proxy, app, quiet, { portName: "http2" });
  using client = await FramePeer.connect(proxy);
  await client.send(headers(1, CALL));
  await client.next(/^HEADERS 1 /);
  await run(client, await ready.promise);
  over.resolve();
}

async function tickFrames(proxy: TestProxy, from: FramePeer, to: FramePeer): Promise<void> {
  let count = 0;
  await tick(proxy, () => from.send(data(1, "tick")), async () => {
    await to.next(/^DATA 1 "tick"/);
    if (++count % 1_000 === 0) await to.send(windowUpdate(0, 4_000), windowUpdate(1, 4_000));
  });
}

async function tickChunks(proxy: TestProxy, from: RawSocket, to: RawSocket): Promise<void> {
  await tick(proxy, () => from.send(TICK), async () => void await to.readThrough(TICK));
}

testThroughProxy("times of policies, and of the proxy for silence", [
  outlasting("a longer time of silence replaces the proxy's", { timeouts: { idle: "1h" } }),
  outlasting("0s of silence replaces the proxy's: no limit", { timeouts: { idle: "0s" } }),
  {
    name: "HTTP/1.1: an exchange on which only the endpoint sends is not silent",
    run: (proxy) => withStreams(proxy, (client, endpoint) => tickChunks(proxy, endpoint, client)),
  },
  {
    name: "HTTP/1.1: an exchange on which only the client sends is not silent",
    run: (proxy) => withStreams(proxy, (client, endpoint) => tickChunks(proxy, client, endpoint)),
  },
  {
    name: "gRPC: a call on which only the endpoint sends is not silent",
    run: (proxy) => withCall(proxy, (client, endpoint) => tickFrames(proxy, endpoint, client)),
  },
  {
    name: "gRPC: a call on which only the client sends is not silent",
    run: (proxy) => withCall(proxy, (client, endpoint) => tickFrames(proxy, client, endpoint)),
  },
], { timeouts: { stallMs: 300 } });
