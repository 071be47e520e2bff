/** Streams that endpoints of HTTP/2 reset or pass over: which requests are sent again, and how often (RFC 9113 8.7). */
import assert from "node:assert/strict";
import { outcomeOf } from "../policy/client.ts";
import { applyMesh } from "../policy/mesh.ts";
import { data, type Fields, goaway, headers, reset } from "../protocol/http2/frames.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { FramePeer } from "./frame_peer.ts";

const REFUSED_STREAM = 7;
const INTERNAL_ERROR = 2;
/** All that are known but REFUSED_STREAM, and some that are not. */
const CODES: readonly number[] = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 0x1234, 2 ** 31];

const METHODS = ["GET", "PUT", "POST"] as const;
type Method = typeof METHODS[number];

/** Acts on a request; the number is of all requests, over all connections of all endpoints. */
type Act = (peer: FramePeer, streamId: number, request: number) => Promise<void>;

class Endpoints implements AsyncDisposable {
  readonly origins: readonly ScriptedOrigin[];
  /** Requests that have come, by what came with them. */
  readonly bodies: string[] = [];

  constructor(count: number, act: Act) {
    this.origins = Array.from({ length: count }, () =>
      new ScriptedOrigin(async (socket) => {
        const peer = await FramePeer.accept(socket, false);
        for (;;) {
          const line = await peer.next(/^HEADERS /);
          const id = Number(line.split(" ")[1]);
          const request = this.bodies.push("") - 1;
          const hasBody = !line.startsWith(`HEADERS ${id} END`);
          if (hasBody) this.bodies[request] = await peer.next(new RegExp(`^DATA ${id} .* END$`));
          await act(peer, id, request);
        }
      }, { mayFail: true }));
  }

  get accepted(): readonly number[] {
    return this.origins.map(({ accepted }) => accepted);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const origin of this.origins) await origin[Symbol.asyncDispose]();
  }
}

/** Status and reason, for a client of either protocol. */
type Ask = (proxy: TestProxy, method: Method) => Promise<string>;

const CLIENTS: Readonly<Record<string, Ask>> = {
  async h1(proxy, method) {
    using client = await proxy.connect();
    const body = method === "GET" ? "\r\n" : "Content-Length: 4\r\n\r\nbody";
    await client.send(`${method} / HTTP/1.1\r\nHost: app\r\n${body}`);
    return outcomeOf(await client.readResponse());
  },
  async h2(proxy, method) {
    using client = await FramePeer.connect(proxy);
    const fields: Fields = [
      [":method", method],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "app"],
    ];
    const isEnd = method === "GET";
    await client.send(headers(1, fields, { isEnd }), ...(isEnd ? [] : [data(1, "body", true)]));
    const head = await client.next(/^HEADERS 1 /);
    const [, status, reason = ""] = /:status: (\d+)(?:.*x-weft-reason: ([\w-]+))?/.exec(head) ?? [];
    return `${status} ${reason}`;
  },
};

const ok: Act = (peer, id) => peer.send(headers(id, [[":status", "200"]], { isEnd: true }));

/** The connection has carried a request before, as most have. */
function afterOne(act: Act): Act {
  return (peer, id, request) => request === 0 ? ok(peer, id, request) : act(peer, id, request);
}

const ONCE: readonly ProxyCase[] = Object.entries(CLIENTS).flatMap(([client, ask]) =>
  METHODS.map((method) => ({
    name: `${client}: ${method} whose stream is reset reaches one endpoint once, whatever the code`,
    async run(proxy: TestProxy) {
      for (const code of CODES) {
        await using endpoints = new Endpoints(
          2,
          afterOne((peer, id) => peer.send(reset(id, code))),
        );
        await proxy.routeHttp2(...endpoints.origins);
        assert.equal(await ask(proxy, "GET"), "200 ");
        assert.equal(await ask(proxy, method), "502 upstream-reset", `code ${code}`);
        assert.equal(endpoints.bodies.length, 2, `code ${code}`);
      }
    },
  }))
);

/** The ways to say that a request was not looked at. */
const UNPROCESSED: Readonly<Record<string, Act>> = {
  "refused": (peer, id) => peer.send(reset(id, REFUSED_STREAM)),
  "left out by GOAWAY": (peer, id) => peer.send(goaway(Math.max(0, id - 2), 0)),
  "left out by GOAWAY with an error": (peer, id) =>
    peer.send(goaway(Math.max(0, id - 2), INTERNAL_ERROR)),
  "left out by GOAWAY, before the connection ends": async (peer, id) => {
    await peer.send(goaway(Math.max(0, id - 2), 0));
    peer.close();
  },
};

const AGAIN: readonly ProxyCase[] = Object.entries(CLIENTS).flatMap(([client, ask]) =>
  Object.entries(UNPROCESSED).flatMap(([what, act]) =>
    METHODS.map((method) => ({
      name: `${client}: ${method} that is ${what} is sent again, whole`,
      async run(proxy: TestProxy) {
        for (const count of [1, 2]) {
          await using endpoints = new Endpoints(
            count,
            (peer, id, request) => request === 1 ? act(peer, id, request) : ok(peer, id, request),
          );
          await proxy.routeHttp2(...endpoints.origins);
          assert.equal(await ask(proxy, "GET"), "200 ");
          assert.equal(await ask(proxy, method), "200 ");
          assert.equal(endpoints.bodies.length, 3);
          assert.equal(endpoints.bodies[1].length, endpoints.bodies[2].length);
          // A second try takes another endpoint, or another connection.
          if (count === 1) assert.deepEqual(endpoints.accepted, [2]);
        }
      },
    }))
  )
);

const BOUNDED: readonly ProxyCase[] = [1, 3].flatMap((attempts) =>
  ["reset", "refused"].map((what) => ({
    name: `retry.attempts ${attempts} of streams that are ${what} are as many more requests`,
    async run(proxy: TestProxy) {
      const code = what === "refused" ? REFUSED_STREAM : INTERNAL_ERROR;
      const retry = {
        attempts,
        retryOn: ["reset", "connect-failure"],
        backoff: "1ms",
        budgetPercent: 100,
      };
      for (const count of [1, 3]) {
        await using endpoints = new Endpoints(count, (peer, id) => peer.send(reset(id, code)));
        await applyMesh(proxy, {
          services: { app: endpoints.origins },
          policies: { app: { retry } },
          portName: "http2",
        });
        const reason = what === "refused" ? "503 upstream-refused" : "502 upstream-reset";
        assert.equal(await CLIENTS.h1(proxy, "GET"), reason);
        // What was refused is sent three times without any policy.
        const least = what === "refused" ? 3 : 0;
        assert.equal(endpoints.bodies.length, Math.max(least, 1 + attempts));
      }
    },
  }))
);

const OTHERS: readonly ProxyCase[] = [
  {
    name: "GOAWAY leaves what it does not leave out: an answer that was under way arrives",
    async run(proxy) {
      await using endpoints = new Endpoints(1, async (peer, id) => {
        await peer.send(headers(id, [[":status", "200"]]), goaway(id, 0), data(id, "", true));
      });
      await proxy.routeHttp2(...endpoints.origins);
      for (const ask of Object.values(CLIENTS)) assert.equal(await ask(proxy, "POST"), "200 ");
      assert.equal(endpoints.bodies.length, 2);
      assert.deepEqual(endpoints.accepted, [2]);
    },
  },
  {
    name: "a call by gRPC whose stream is refused everywhere is UNAVAILABLE",
    async run(proxy) {
      await using endpoints = new Endpoints(2, (peer, id) => peer.send(reset(id, REFUSED_STREAM)));
      await proxy.routeHttp2(...endpoints.origins);
      using client = await FramePeer.connect(proxy);
      const fields: Fields = [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", "/"],
        [":authority", "app"],
        ["content-type", "application/grpc"],
      ];
      await client.send(headers(1, fields), data(1, "\0\0\0\0\0", true));
      assert.match(await client.next(/^HEADERS 1 /), /END :status: 200, .*grpc-status: 14/);
      assert.equal(endpoints.bodies.length, 3);
    },
  },
  {
    name: "a stream that is reset after its head is not sent again, and no whole answer",
    async run(proxy) {
      await using endpoints = new Endpoints(1, async (peer, id) => {
        await peer.send(headers(id, [[":status", "200"]]), reset(id, REFUSED_STREAM));
      });
      await proxy.routeHttp2(...endpoints.origins);
      using client = await FramePeer.connect(proxy);
      const fields: Fields = [
        [":method", "GET"],
        [":scheme", "http"],
        [":path", "/"],
        [":authority", "app"],
      ];
      await client.send(headers(1, fields, { isEnd: true }));
      await client.next(/^HEADERS 1 :status: 200/);
      assert.equal(await client.next(/^RST_STREAM 1/), "RST_STREAM 1 REFUSED_STREAM");
      assert.equal(endpoints.bodies.length, 1);
    },
  },
];

testThroughProxy("HTTP/2 resets", [...ONCE, ...AGAIN, ...BOUNDED, ...OTHERS]);
