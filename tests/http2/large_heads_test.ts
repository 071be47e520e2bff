/** Heads of up to 60 KiB and 1,000 fields pass whole, either way, by every pair of protocols; one byte more is refused. */
import assert from "node:assert/strict";
import {
  HEAD_BYTES_DEFAULT,
  PASSING_HEAD_BUFFERS,
  REQUEST_HEAD_BUFFERS,
} from "../../proxy/limits.ts";
import { CLIENT_STARTED, concat } from "../protocol/http2/frames.ts";
import type { Fields } from "../protocol/http2/frames.ts";
import { bytesOf } from "../support/bytes_notation.ts";
import { headerOf, RawSocket, statusOf } from "../support/raw_socket.ts";
import { ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, type TestProxy, testThroughProxy } from "../support/test_proxy.ts";
import { until } from "../support/until.ts";
import {
  connectClient,
  fieldBytes,
  fieldOf,
  fixedAnswerBytes,
  fixedBytes,
  HeadOrigin,
  HeadPeer,
  type Pieces,
} from "./head_peers.ts";
import type { Version } from "./node_peers.ts";
import { HEADERS_MAX } from "../../routing/limits.ts";

const VERSIONS: readonly Version[] = ["h1", "h2"];
const PIECES: readonly Pieces[] = ["whole", "byte by byte", "cut at random"];
const EMPTY: Fields = [[":status", "200"], ["content-length", "0"]];

/** So many fields that a head with them, and with `fixed` bytes more, has `bytes`. */
function fieldsOf(version: Version, count: number, bytes: number): Fields {
  const names = Array.from({ length: count }, (_, i) => `x-field-${i}`);
  const nameBytes = names.reduce((sum, name) => sum + fieldBytes(version, name), 0);
  const each = Math.floor((bytes - nameBytes) / count);
  const last = bytes - nameBytes - each * (count - 1);
  return names.map((name, i) => {
    const length = i === count - 1 ? last : each;
    return [name, `${i}.`.padEnd(length, String.fromCharCode(97 + i % 26)).slice(0, length)];
  });
}

function wantAll(seen: Fields, sent: Fields, context: string): void {
  const own = seen.filter(([name]) => name.startsWith("x-field-"));
  assert.equal(own.length, sent.length, context);
  for (const [i, [name, value]] of sent.entries()) {
    assert.ok(
      own[i][0] === name && own[i][1] === value,
      `${context}: field ${i} of ${sent.length}`,
    );
  }
}

async function routeTo(proxy: TestProxy, version: Version, origin: { readonly port: number }) {
  if (version === "h2") await proxy.routeHttp2(origin);
  else await proxy.route(origin);
}

function forEachPair(
  name: string,
  run: (proxy: TestProxy, client: Version, endpoint: Version) => Promise<void>,
): ProxyCase[] {
  return VERSIONS.flatMap((client) =>
    VERSIONS.map((endpoint): ProxyCase => ({
      name: `${client} to ${endpoint}: ${name}`,
      run: (proxy) => run(proxy, client, endpoint),
    }))
  );
}

/** Counts of fields, each with the bytes that all of them take, where `most` is what a head may have. */
function shapesOf(most: number): readonly (readonly [count: number, bytes: number])[] {
  return [[1, 51_200], [300, most - 200], [1, most], [HEADERS_MAX - 20, 40_000], [5, 20_000]];
}

const CASES: readonly ProxyCase[] = [
  ...forEachPair(
    "requests with large heads pass, however they come",
    async (proxy, client, endpoint) => {
      await using origin = new HeadOrigin(endpoint, () => EMPTY);
      await routeTo(proxy, endpoint, origin);
      using one = await connectClient(client, proxy);
      const most = HEAD_BYTES_DEFAULT - fixedBytes(client);
      for (const pieces of PIECES) {
        for (const [count, bytes] of shapesOf(most)) {
          const sent = fieldsOf(client, count, bytes);
          const context = `${count} fields of ${bytes} bytes, ${pieces}`;
          const answer = await one.ask(sent, pieces);
          assert.equal(fieldOf({ fields: answer }, ":status"), "200", `${context}: ${answer}`);
          const seen = origin.seen.at(-1)?.fields ?? [];
          wantAll(seen, sent, context);
          assert.equal(fieldOf({ fields: seen }, "x-forwarded-for"), "127.0.0.1");
        }
      }
    },
  ),
  ...forEachPair(
    "answers with large heads pass, however they come",
    async (proxy, client, endpoint) => {
      const most = HEAD_BYTES_DEFAULT - fixedAnswerBytes(endpoint);
      const zero: Fields = [["content-length", "0"]];
      const rest = fieldBytes(endpoint, "content-length") + 1;
      for (const pieces of PIECES) {
        let sent: Fields = [];
        await using origin = new HeadOrigin(
          endpoint,
          () => [[":status", "200"], ...zero, ...sent],
          pieces,
        );
        await routeTo(proxy, endpoint, origin);
        using one = await connectClient(client, proxy);
        for (const [count, bytes] of shapesOf(most - rest)) {
          sent = fieldsOf(endpoint, count, bytes);
          const context = `${count} fields of ${bytes} bytes, ${pieces}`;
          const answer = await one.ask([]);
          assert.equal(fieldOf({ fields: answer }, ":status"), "200", context);
          wantAll(answer, sent, context);
        }
      }
    },
  ),
  ...forEachPair(
    "one byte, or one field, too many in a request: 431",
    async (proxy, client, endpoint) => {
      await using origin = new HeadOrigin(endpoint, () => EMPTY);
      await routeTo(proxy, endpoint, origin);
      const most = HEAD_BYTES_DEFAULT - fixedBytes(client);
      const fields = HEADERS_MAX + 1 - (client === "h1" ? 1 : 0);
      const tooLarge: readonly (readonly [Fields, RegExp])[] = [
        [fieldsOf(client, 1, most + 1), /^head-too-large$/],
        [fieldsOf(client, 300, most + 1), /^head-too-large$/],
        [fieldsOf(client, fields, 20_000), /^(too-many-headers|head-too-large)$/],
      ];
      for (const pieces of PIECES) {
        for (const [sent, reason] of tooLarge) {
          using one = await connectClient(client, proxy);
          const answer = { fields: await one.ask(sent, pieces) };
          assert.equal(fieldOf(answer, ":status"), "431");
          assert.match(fieldOf(answer, "x-weft-reason") ?? "", reason);
          if (client === "h1") {
            assert.equal(fieldOf(answer, "connection"), "close");
            continue;
          }
          const next = { fields: await one.ask(fieldsOf(client, 10, 30_000)) };
          assert.equal(fieldOf(next, ":status"), "200", "The connection goes on");
        }
      }
    },
  ),
  ...forEachPair(
    "one byte, or one field, too many in an answer: 502",
    async (proxy, client, endpoint) => {
      const most = HEAD_BYTES_DEFAULT - fixedAnswerBytes(endpoint);
      for (const pieces of PIECES) {
        for (const [count, bytes] of [[1, most + 1], [300, most + 1], [HEADERS_MAX + 1, 20_000]]) {
          const sent = fieldsOf(endpoint, count, bytes);
          await using origin = new HeadOrigin(
            endpoint,
            (_, number) => number === 0 ? [[":status", "200"], ...sent] : EMPTY,
            pieces,
          );
          await routeTo(proxy, endpoint, origin);
          using one = await connectClient(client, proxy);
          const answer = { fields: await one.ask([]) };
          assert.equal(fieldOf(answer, ":status"), "502");
          assert.equal(fieldOf(answer, "x-weft-reason"), "upstream-head-too-large");
          assert.equal(origin.seen.length, 1, "It is not asked again");
          const next = { fields: await one.ask([]) };
          assert.equal(fieldOf(next, ":status"), "200", "The endpoint is not given up");
        }
      }
    },
  ),
  {
    name: "a gRPC call with too large a head is answered by RESOURCE_EXHAUSTED, in one head",
    async run(proxy) {
      await using origin = new HeadOrigin("h2", () => EMPTY);
      await proxy.routeHttp2(origin);
      using client = await HeadPeer.connect(proxy);
      const call: Fields = [
        [":method", "POST"],
        [":scheme", "http"],
        [":path", "/"],
        [":authority", "app"],
      ];
      const type: Fields = [["content-type", "application/grpc+proto"], ["te", "trailers"]];
      const large = fieldsOf("h2", 3, HEAD_BYTES_DEFAULT);
      const many = fieldsOf("h2", HEADERS_MAX + 1, 30_000);
      const calls = [[...type, ...large], [...large, ...type], [...type, ...many]];
      for (const [i, fields] of calls.entries()) {
        await client.sendHead(2 * i + 1, [...call, ...fields], { isEnd: false });
        const answer = await client.nextHead();
        assert.ok(answer !== null && answer.isEnd);
        const told = [":status", "content-type", "grpc-status"].map((name) =>
          fieldOf(answer, name)
        );
        assert.deepEqual(told, ["200", "application/grpc", "8"], `call ${i}`);
      }
    },
  },
  ...VERSIONS.map((client): ProxyCase => ({
    name: `${client}: large heads come one behind the other, with bodies between them`,
    async run(proxy) {
      await using origin = new HeadOrigin("h1", () => EMPTY);
      await proxy.route(origin);
      if (client === "h2") {
        using one = await HeadPeer.connect(proxy);
        const head: Fields = [[":method", "GET"], [":scheme", "http"], [":path", "/"], [
          ":authority",
          "app",
        ]];
        for (let i = 0; i < 20; i++) {
          await one.sendHead(2 * i + 1, [...head, ...fieldsOf("h2", 7, 50_000 - i)]);
        }
        for (let i = 0; i < 20; i++) assert.equal((await one.nextHead())?.fields[0][1], "200");
        return;
      }
      using one = await proxy.connect();
      let text = "";
      for (let i = 0; i < 20; i++) {
        const lines = fieldsOf("h1", 7, 50_000 - i).map(([name, value]) => `${name}: ${value}\r\n`);
        const body = "b".repeat(i % 2 === 0 ? 100 : 30_000);
        text += `POST /${i} HTTP/1.1\r\nhost: app\r\ncontent-length: ${body.length}\r\n` +
          `${lines.join("")}\r\n${body}GET /small HTTP/1.1\r\nhost: app\r\n\r\n`;
      }
      const sending = one.send(text);
      for (let i = 0; i < 40; i++) assert.equal(statusOf(await one.readResponse()), 200, `${i}`);
      await sending;
      const sizes = origin.seen.map(({ fields }) =>
        fields.filter(([name]) => /^x-field/.test(name)).length
      );
      assert.deepEqual(sizes, Array.from({ length: 40 }, (_, i) => i % 2 === 0 ? 7 : 0));
    },
  })),
  ...VERSIONS.map((client): ProxyCase => ({
    name: `${client}: more large requests than there are buffers for them are all answered`,
    async run(proxy) {
      const released = Promise.withResolvers<void>();
      await using origin = new HeadOrigin("h1", async () => {
        await released.promise;
        return EMPTY;
      });
      await proxy.route(origin);
      const sent = fieldsOf("h1", 4, 40_000);
      const asking = Array.from({ length: REQUEST_HEAD_BUFFERS + 30 }, async () => {
        using one = await connectClient(client, proxy);
        return fieldOf({ fields: await one.ask(sent) }, ":status");
      });
      await until(
        "the buffers to be used up",
        () => origin.seen.length,
        (n) => n === REQUEST_HEAD_BUFFERS,
      );
      released.resolve();
      assert.deepEqual(new Set(await Promise.all(asking)), new Set(["200"]));
      for (const { fields } of origin.seen) wantAll(fields, sent, "many at once");
    },
  })),
  {
    name: "more large answers than there are buffers for them all arrive",
    async run(proxy) {
      const count = PASSING_HEAD_BUFFERS + 30;
      const asked = Promise.withResolvers<void>();
      const sent = fieldsOf("h1", 4, 40_000);
      const lines = sent.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      const text = `HTTP/1.1 200 OK\r\ncontent-length: 0\r\n${lines}\r\n`;
      let begun = 0;
      await using origin = new ScriptedOrigin(async (socket) => {
        if (await socket.readRequest() === null) return;
        await socket.send(text.slice(0, 30_000));
        if (++begun === count) asked.resolve();
        await asked.promise;
        await socket.send(text.slice(30_000));
        await socket.readRequest();
      }, { mayFail: true });
      await proxy.route(origin);
      const asking = Array.from({ length: count }, async () => {
        using one = await connectClient("h1", proxy);
        wantAll(await one.ask([]), sent, "many at once");
      });
      await Promise.all(asking);
    },
  },
  {
    name:
      "a client that reads nothing of a body does not keep the buffer that the answer's head came in",
    async run(proxy) {
      const count = PASSING_HEAD_BUFFERS + 10;
      const lines = fieldsOf("h1", 4, 40_000).map(([name, value]) => `${name}: ${value}\r\n`);
      const head = `HTTP/1.1 200 OK\r\ncontent-length: 4000000\r\n${lines.join("")}\r\n`;
      const answer = concat([bytesOf(head), new Uint8Array(4_000_000)]);
      await using origin = new ScriptedOrigin(async (socket) => {
        if (await socket.readRequest() === null) return;
        await socket.send(answer);
      }, { mayFail: true });
      await proxy.route(origin);
      const sockets: RawSocket[] = [];
      for (let i = 0; i < count; i++) {
        const socket = await proxy.connect();
        sockets.push(socket);
        await socket.send("GET / HTTP/1.1\r\nhost: app\r\n\r\n");
        assert.match(await socket.readThrough("\r\n\r\n"), /^HTTP.1.1 200 /);
      }
      for (const socket of sockets) socket.close();
    },
  },
  {
    name: "a request with a large head asks for HTTP/2, and is the first to be answered in it",
    async run(proxy) {
      await using origin = new HeadOrigin("h1", () => EMPTY);
      await proxy.route(origin);
      const sent = fieldsOf("h1", 5, 50_000);
      const lines = sent.map(([name, value]) => `${name}: ${value}\r\n`).join("");
      using client = new HeadPeer(await proxy.connect());
      await client.socket.send(
        "GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade, http2-settings\r\n" +
          `upgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n${lines}\r\n`,
      );
      assert.match(await client.socket.readThrough("\r\n\r\n"), /^HTTP.1.1 101 /);
      await client.socket.send(CLIENT_STARTED);
      const answer = await client.nextHead();
      assert.equal(answer === null ? "" : fieldOf(answer, ":status"), "200");
      wantAll(origin.seen[0].fields, sent, "upgraded");
    },
  },
  {
    name: "a tunnel is asked for and opened by large heads",
    async run(proxy) {
      const lines = fieldsOf("h1", 4, 50_000).map(([name, value]) => `${name}: ${value}\r\n`).join(
        "",
      );
      await using origin = new ScriptedOrigin(async (socket) => {
        const request = await socket.readThrough("\r\n\r\n");
        assert.ok(request.includes(lines));
        await socket.send(
          `HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n${lines}\r\nhello`,
        );
        await socket.send((await socket.readExactly(100_000)).toUpperCase());
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(
        `GET / HTTP/1.1\r\nhost: app\r\nconnection: upgrade\r\nupgrade: echo\r\n${lines}\r\n`,
      );
      assert.ok((await client.readThrough("\r\n\r\n")).includes(lines));
      assert.equal(await client.readExactly(5), "hello");
      await client.send("d".repeat(100_000));
      assert.equal(await client.readExactly(100_000), "D".repeat(100_000));
    },
  },
];

testThroughProxy("large heads", CASES);

testThroughProxy("large heads that find no buffer", [{
  name: "503 no-buffer when its time is over",
  async run(proxy) {
    await using origin = new HeadOrigin("h1", () => new Promise<Fields>(() => {}));
    await proxy.route(origin);
    const sent = fieldsOf("h1", 4, 40_000);
    const clients = await Promise.all(
      Array.from({ length: REQUEST_HEAD_BUFFERS }, () => connectClient("h1", proxy)),
    );
    for (const client of clients) client.ask(sent).catch(() => {});
    await until(
      "the buffers to be used up",
      () => origin.seen.length,
      (n) => n === REQUEST_HEAD_BUFFERS,
    );
    for (const version of VERSIONS) {
      using client = await connectClient(version, proxy);
      const answer = { fields: await client.ask(sent) };
      assert.equal(fieldOf(answer, ":status"), "503", version);
      assert.equal(fieldOf(answer, "x-weft-reason"), "no-buffer");
      using other = await proxy.connect();
      await other.send("GET /ordinary HTTP/1.1\r\nhost: nowhere\r\n\r\n");
      assert.equal(headerOf(await other.readResponse(), "x-weft-reason"), "host-unknown");
    }
    for (const client of clients) client.socket.close();
  },
}], { timeouts: { requestHeadMs: 300 } });

for (const headBytesMax of [8_192, 98_304]) {
  testThroughProxy(
    `heads of up to ${headBytesMax} bytes`,
    forEachPair("as large as is said, and no larger", async (proxy, client, endpoint) => {
      const zero: Fields = [["content-length", "0"]];
      const rest = fieldBytes(endpoint, "content-length") + 1 + fixedAnswerBytes(endpoint);
      for (const extra of [0, 1]) {
        const answer = fieldsOf(endpoint, 50, headBytesMax - rest + extra);
        await using origin = new HeadOrigin(
          endpoint,
          (
            { fields },
          ) => [
            [":status", "200"],
            ...zero,
            ...(fields.some(([name]) => name === "x-field-1") ? [] : answer),
          ],
        );
        await routeTo(proxy, endpoint, origin);
        using one = await connectClient(client, proxy);
        const asked = fieldsOf(client, 50, headBytesMax - fixedBytes(client) + extra);
        const refused = { fields: await one.ask(asked) };
        assert.equal(fieldOf(refused, ":status"), extra === 0 ? "200" : "431");
        using other = await connectClient(client, proxy);
        const told = { fields: await other.ask([]) };
        assert.equal(fieldOf(told, ":status"), extra === 0 ? "200" : "502");
        if (extra === 0) wantAll(told.fields, answer, "an answer");
      }
    }),
    { headBytesMax },
  );
}
