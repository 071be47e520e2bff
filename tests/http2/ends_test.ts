/** How messages of HTTP/2 end: answers with their head, whatever the client takes; requests that end a little after their data. */
import assert from "node:assert/strict";
import { INITIAL_WINDOW_SIZE } from "../../proxy/protocol/http2/settings.ts";
import {
  data,
  type Fields,
  GET_FIELDS,
  headers,
  ping,
  settings,
  windowUpdate,
} from "../protocol/http2/frames.ts";
import { ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { soon, until } from "../support/until.ts";
import { FramePeer } from "./frame_peer.ts";

function fieldsOf(method: string, path = "/", more: Fields = []): Fields {
  return [
    [":method", method],
    ...GET_FIELDS.slice(1, 2),
    [":path", path],
    [":authority", "app"],
    ...more,
  ];
}

const CALL: Fields = [["content-type", "application/grpc"]];
const LARGE_BYTES = 40_000_000;

/** Answers without a body, as either protocol says them, and the method that is answered so. */
interface Bodiless {
  readonly method: string;
  readonly http1: string;
  readonly http2: (peer: FramePeer, id: number) => Promise<void>;
}

function endOnHead(fields: Fields): Bodiless["http2"] {
  return (peer, id) => peer.send(headers(id, fields, { isEnd: true }));
}

const BODILESS: Readonly<Record<string, Bodiless>> = {
  "204": {
    method: "GET",
    http1: "HTTP/1.1 204 No\r\n\r\n",
    http2: endOnHead([[":status", "204"]]),
  },
  "304 with a length": {
    method: "GET",
    http1: "HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n",
    http2: endOnHead([[":status", "304"], ["content-length", "5"]]),
  },
  "205 with a length of 0": {
    method: "POST",
    http1: "HTTP/1.1 205 No\r\nContent-Length: 0\r\n\r\n",
    http2: endOnHead([[":status", "205"], ["content-length", "0"]]),
  },
  "200 with a length of 0": {
    method: "GET",
    http1: ok(""),
    http2: endOnHead([[":status", "200"], ["content-length", "0"]]),
  },
  "200 with no chunk but the last": {
    method: "GET",
    http1: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    http2: endOnHead([[":status", "200"]]),
  },
  "HEAD": {
    method: "HEAD",
    http1: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    http2: endOnHead([[":status", "200"], ["content-length", "5"]]),
  },
  "trailers alone": {
    method: "POST",
    http1: "HTTP/1.1 200 OK\r\nGrpc-Status: 5\r\nContent-Length: 0\r\n\r\n",
    http2: endOnHead([[":status", "200"], ["grpc-status", "5"]]),
  },
};

/** An endpoint that answers `/large` with much, and all else without a body. */
class BodilessOrigin extends ScriptedOrigin {
  #asked = 0;
  /** Of the large answer. */
  sentBytes = 0;

  constructor(answer: Bodiless, speaksHttp2: boolean) {
    super(async (socket) => {
      if (speaksHttp2) await this.#serveHttp2(await FramePeer.accept(socket, false), answer);
      for (;;) {
        const message = await socket.readRequest();
        if (message === null) return;
        if (message.startLine.includes("/large")) await this.#sendLarge(socket);
        else {
          this.#asked++;
          await socket.send(answer.http1);
        }
      }
    }, { mayFail: true });
  }

  get asked(): number {
    return this.#asked;
  }

  async #sendLarge(socket: { send(bytes: Uint8Array<ArrayBuffer>): Promise<void> }): Promise<void> {
    const head = `HTTP/1.1 200 OK\r\nContent-Length: ${LARGE_BYTES}\r\n\r\n`;
    await socket.send(new TextEncoder().encode(head));
    const block = new Uint8Array(100_000);
    for (; this.sentBytes < LARGE_BYTES; this.sentBytes += block.length) await socket.send(block);
  }

  async #serveHttp2(peer: FramePeer, { http2 }: Bodiless): Promise<void> {
    for (;;) {
      const line = await peer.next(/^HEADERS /);
      const id = Number(line.split(" ")[1]);
      if (line.includes("/large")) {
        await peer.send(headers(id, [[":status", "200"]]), data(id, "x".repeat(16_000)));
        continue;
      }
      this.#asked++;
      await http2(peer, id);
    }
  }
}

async function routeTo(proxy: TestProxy, origin: ScriptedOrigin, isHttp2: boolean): Promise<void> {
  if (isHttp2) await proxy.routeHttp2(origin);
  else await proxy.route(origin);
}

/** Wants END_STREAM on the head of each of these streams, and nothing after it. */
async function wantEndOnHeads(client: FramePeer, ids: readonly number[]): Promise<void> {
  for (const id of ids) assert.match(await client.next(new RegExp(`^HEADERS ${id} `)), / END /);
  client.wantNone(new RegExp(`^(DATA|RST_STREAM) (${ids.join("|")}) `));
}

const ANSWERS: readonly ProxyCase[] = Object.entries(BODILESS).flatMap(([what, answer]) =>
  [false, true].map((isHttp2): ProxyCase => ({
    name: `${what} of HTTP/${isHttp2 ? "2" : "1.1"} ends with its head, though no window is left`,
    async run(proxy) {
      await using origin = new BodilessOrigin(answer, isHttp2);
      await routeTo(proxy, origin, isHttp2);
      using client = await FramePeer.connect(proxy);
      await client.send(settings([INITIAL_WINDOW_SIZE, 0]));
      const ids = Array.from({ length: 10 }, (_, i) => 2 * i + 1);
      const fields = fieldsOf(answer.method, "/", what === "trailers alone" ? CALL : []);
      for (const id of ids) await client.send(headers(id, fields, { isEnd: true }));
      await wantEndOnHeads(client, ids);
    },
  }))
);

/** Another one for the connection: its socket takes nothing while a large answer is not read. */
const STALLED: readonly ProxyCase[] = Object.entries(BODILESS).map(([what, answer]) => ({
  name: `${what}: a hundred of them end with their heads, for a client that reads late`,
  async run(proxy: TestProxy) {
    await using origin = new BodilessOrigin(answer, false);
    await proxy.route(origin);
    using client = await FramePeer.connect(proxy);
    await client.send(
      settings([INITIAL_WINDOW_SIZE, LARGE_BYTES]),
      windowUpdate(0, LARGE_BYTES),
      headers(1, fieldsOf("GET", "/large"), { isEnd: true }),
    );
    let [before, rounds] = [0, 0];
    await until("the client's socket to be full", () => origin.sentBytes, (now) => {
      rounds = now > 0 && now === before ? rounds + 1 : 0;
      before = now;
      return rounds > 20;
    });
    const ids = Array.from({ length: 100 }, (_, i) => 2 * i + 3);
    const fields = fieldsOf(answer.method);
    for (const id of ids) await client.send(headers(id, fields, { isEnd: true }));
    await until("the endpoint to be asked", () => origin.asked, (count) => count === 100);
    await wantEndOnHeads(client, ids);
  },
}));

const REFUSED: readonly ProxyCase[] = [
  {
    name: "a refusal whose text the client's window does not take is a head with END_STREAM",
    async run(proxy) {
      await proxy.route();
      using client = await FramePeer.connect(proxy);
      await client.send(settings([INITIAL_WINDOW_SIZE, 0]));
      for (const [id, method] of [[1, "GET"], [3, "POST"], [5, "HEAD"]] as const) {
        await client.send(headers(id, fieldsOf(method), { isEnd: true }));
        assert.match(
          await client.next(new RegExp(`^HEADERS ${id} `)),
          /END :status: 503, .*x-weft-reason: no-endpoints/,
        );
      }
      client.wantNone(/^(DATA|RST_STREAM) /);
    },
  },
  {
    name: "a call by gRPC is refused by a head with END_STREAM",
    async run(proxy) {
      await proxy.route();
      using client = await FramePeer.connect(proxy);
      await client.send(settings([INITIAL_WINDOW_SIZE, 0]));
      await client.send(headers(1, fieldsOf("POST", "/", CALL), { isEnd: true }));
      assert.match(await client.next(/^HEADERS 1 /), /END :status: 200, .*grpc-status: 14/);
    },
  },
];

/** An endpoint that answers once it has the whole body, by its length. */
function measuring(): ScriptedOrigin {
  return new ScriptedOrigin(async (socket) => {
    for (;;) {
      const message = await socket.readRequest();
      if (message === null) return;
      await socket.send(ok(message.body));
    }
  }, { mayFail: true });
}

const POST = fieldsOf("POST", "/", [["content-length", "4"]]);

async function answered(client: FramePeer): Promise<void> {
  await client.next(/^HEADERS 1 :status: 200/);
  await client.next(/^DATA 1 "body" END$/);
}

/** What may follow a body whose length is met, once the answer is there. */
const LATE_ENDS: Readonly<Record<string, readonly Uint8Array[]>> = {
  "an empty DATA": [data(1, "", true)],
  "an empty DATA, and another": [data(1, ""), data(1, "", true)],
  "trailers": [headers(1, [["x-sum", "1"]], { isEnd: true })],
};

const REQUESTS: readonly ProxyCase[] = [
  ...Object.entries(LATE_ENDS).map(([what, frames]): ProxyCase => ({
    name: `a request that ends by ${what} after its answer is not reset`,
    async run(proxy) {
      await using origin = measuring();
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST), data(1, "body"));
      await answered(client);
      await client.send(...frames);
      await client.send(ping("12345678"));
      await client.next(/^PING ACK/);
      client.wantNone(/^(RST_STREAM|GOAWAY)/);
    },
  })),
  {
    name: "a request that never ends is reset with NO_ERROR, a while after its answer",
    async run(proxy) {
      await using origin = measuring();
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST), data(1, "body"));
      await answered(client);
      assert.equal(await client.next(/^RST_STREAM/), "RST_STREAM 1 NO_ERROR");
    },
  },
  {
    name: "an answer before the whole body: END_STREAM, then RST_STREAM with NO_ERROR",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readThrough("\r\n\r\n");
        await socket.send("HTTP/1.1 413 No\r\nConnection: close\r\nContent-Length: 4\r\n\r\nmuch");
        await socket.readRest();
      }, { mayFail: true });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, fieldsOf("POST")));
      for (let i = 0; i < 4; i++) await client.send(data(1, "x".repeat(16_000)));
      assert.equal(await client.next(/^DATA 1 /), 'DATA 1 "much" END');
      assert.equal(await client.next(/^RST_STREAM/), "RST_STREAM 1 NO_ERROR");
      // The connection's window is whole again: others can use all of it.
      for (const id of [3, 5, 7]) {
        await client.send(headers(id, fieldsOf("POST")), data(id, "x".repeat(16_000), true));
        assert.equal(await client.next(new RegExp(`^DATA ${id} `)), `DATA ${id} "much" END`);
      }
    },
  },
  ...[["longer", "body and more"], ["shorter", "bod"]].map(([what, body]): ProxyCase => ({
    name: `a body that is ${what} than its length is reset, and never a whole request`,
    async run(proxy) {
      const got = Promise.withResolvers<string>();
      await using origin = new ScriptedOrigin(async (socket) => {
        got.resolve(await socket.readRest());
      }, { mayFail: true });
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST));
      await until("the endpoint", () => origin.accepted, (count) => count === 1);
      await client.send(data(1, body, true));
      assert.equal(await client.next(/^RST_STREAM/), "RST_STREAM 1 PROTOCOL_ERROR");
      assert.doesNotMatch(await soon("the endpoint to be told", got.promise), /\r\n\r\nbody/);
    },
  })),
  {
    name: "more than the length after the answer is a fault of the client",
    async run(proxy) {
      await using origin = measuring();
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      await client.send(headers(1, POST), data(1, "body"));
      await answered(client);
      await client.send(data(1, "more", true));
      assert.equal(await client.next(/^RST_STREAM/), "RST_STREAM 1 PROTOCOL_ERROR");
    },
  },
  {
    name: "a client that sends all of the default window before it reads anything",
    async run(proxy) {
      await using origin = measuring();
      await proxy.route(origin);
      using client = await FramePeer.connect(proxy);
      for (const length of [65_535, 65_534, 16_384]) {
        const id = 65_535 - length + 1 | 1;
        const fields = fieldsOf("POST", "/", [["content-length", `${length}`]]);
        await client.send(headers(id, fields));
        for (let left = length; left > 0;) {
          const count = Math.min(left, 16_000);
          left -= count;
          await client.send(data(id, "x".repeat(count), left === 0));
        }
        await client.send(windowUpdate(0, length), windowUpdate(id, length));
        assert.match(await client.next(new RegExp(`^HEADERS ${id} `)), /:status: 200/);
        assert.equal(await client.countData(id), length);
      }
    },
  },
];

testThroughProxy("answers without a body", [...ANSWERS, ...STALLED, ...REFUSED]);
testThroughProxy("ends of requests", REQUESTS);
