import assert from "node:assert/strict";
import { headerOf, type RawSocket, statusOf } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { type ProxyCase, testThroughProxy } from "../support/test_proxy.ts";

const CONNECT = "CONNECT app:80 HTTP/1.1\r\nHost: app:80\r\n\r\n";
const UPGRADE = "GET /chat HTTP/1.1\r\nHost: app\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
const SWITCHED = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n";

/** Sends back what comes, and ends when the other side has. */
async function echo(socket: RawSocket): Promise<void> {
  while (await socket.readMore()) await socket.send(socket.takeAll());
}

const CASES: readonly ProxyCase[] = [
  {
    name: "upgrade: both sides talk, from the first byte after the heads",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const request = await socket.readRequest();
        assert.equal(request && headerOf(request, "connection"), "upgrade");
        assert.equal(request && headerOf(request, "upgrade"), "echo");
        // The first words come in one segment with the head.
        await socket.send(`${SWITCHED}welcome\n`);
        await echo(socket);
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${UPGRADE}early\n`);
      const head = await client.readResponse();
      assert.equal(statusOf(head), 101);
      assert.equal(headerOf(head, "connection"), "upgrade");
      assert.equal(headerOf(head, "upgrade"), "echo");
      assert.equal(await client.readThrough("\n"), "welcome\n");
      assert.equal(await client.readThrough("\n"), "early\n");
      await client.send("GET / HTTP/1.1\r\n\r\n\0\xff\n");
      assert.equal(await client.readThrough("\xff\n"), "GET / HTTP/1.1\r\n\r\n\0\xff\n");
      await client.endSending();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "upgrade: an endpoint that goes on in HTTP does not end up in a tunnel",
    async run(proxy) {
      await using origin = new ScriptedOrigin(answering(({ startLine }) => ok(startLine)));
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(UPGRADE);
      assert.equal((await client.readResponse()).body, "GET /chat HTTP/1.1");
      await client.send("GET /next HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal((await client.readResponse()).body, "GET /next HTTP/1.1");
    },
  },
  {
    name: "CONNECT: bytes both ways, those sent with the request too",
    async run(proxy) {
      await using origin = new ScriptedOrigin(echo);
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${CONNECT}early\n`);
      assert.equal(await client.readThrough("\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
      assert.equal(await client.readThrough("\n"), "early\n");
      await client.send("more\n");
      assert.equal(await client.readThrough("\n"), "more\n");
      await client.endSending();
      assert.equal(await client.readRest(), "");
    },
  },
  {
    name: "CONNECT: to a server that speaks first",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.send("220 ready\r\n");
        await echo(socket);
      });
      await proxy.route(origin);
      for (let i = 0; i < 10; i++) {
        using client = await proxy.connect();
        await client.send(CONNECT);
        await client.readThrough("\r\n\r\n");
        assert.equal(await client.readThrough("\n"), "220 ready\r\n");
        await client.endSending();
        assert.equal(await client.readRest(), "");
      }
    },
  },
  {
    name: "CONNECT: takes no pooled connection, and nothing of it goes back to the pool",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket, connection) => {
        if (connection === 1) return await echo(socket);
        await answering(() => ok(`${connection}`))(socket, connection);
      });
      await proxy.route(origin);
      using plain = await proxy.connect();
      await plain.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal((await plain.readResponse()).body, "0");
      using client = await proxy.connect();
      await client.send(`${CONNECT}hello\n`);
      await client.readThrough("\r\n\r\n");
      assert.equal(await client.readThrough("\n"), "hello\n");
      client.close();
      await plain.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
      assert.equal((await plain.readResponse()).body, "0");
    },
  },
  {
    name: "CONNECT: refused where the host is not known, or asks for a path",
    async run(proxy) {
      for (const target of ["nowhere:80", "app", "/"]) {
        using client = await proxy.connect();
        await client.send(CONNECT.replace("app:80", target));
        const refusal = await client.readResponse();
        assert.ok([400, 404].includes(statusOf(refusal)), refusal.raw);
      }
    },
  },
  {
    name: "half-close: the client ends first, and the endpoint goes on",
    async run(proxy) {
      await using origin = new ScriptedOrigin(async (socket) => {
        const all = await socket.readRest();
        await socket.send(`${all.length} bytes`);
        await socket.send(", and bye");
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(`${CONNECT}hello`);
      await client.endSending();
      await client.readThrough("\r\n\r\n");
      assert.equal(await client.readRest(), "5 bytes, and bye");
      assert.equal(client.failure, "");
    },
  },
  {
    name: "half-close: the endpoint ends first, and the client goes on",
    async run(proxy) {
      const received = Promise.withResolvers<string>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.send("bye");
        await socket.endSending();
        received.resolve(await socket.readRest());
      });
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(CONNECT);
      await client.readThrough("\r\n\r\n");
      assert.equal(await client.readRest(), "bye");
      await client.send("and ");
      await client.send("more");
      await client.endSending();
      assert.equal(await received.promise, "and more");
    },
  },
  {
    name: "much both ways at once, and both ends without waiting",
    async run(proxy) {
      const block = "x".repeat(65_536);
      const blocks = 64;
      const talk = async (socket: RawSocket): Promise<number> => {
        const counting = socket.skip(Infinity);
        for (let i = 0; i < blocks; i++) await socket.send(block);
        await socket.endSending();
        return await counting;
      };
      const atOrigin = Promise.withResolvers<number>();
      await using origin = new ScriptedOrigin(async (socket) =>
        atOrigin.resolve(await talk(socket))
      );
      await proxy.route(origin);
      using client = await proxy.connect();
      await client.send(CONNECT);
      await client.readThrough("\r\n\r\n");
      assert.equal(await talk(client), blocks * block.length);
      assert.equal(await atOrigin.promise, blocks * block.length);
      assert.equal(client.failure, "");
    },
  },
  {
    name: "one end goes away: so does the other",
    async run(proxy) {
      const ended = Promise.withResolvers<void>();
      await using origin = new ScriptedOrigin(async (socket) => {
        await socket.readRest();
        ended.resolve();
      });
      await proxy.route(origin);
      const client = await proxy.connect();
      await client.send(`${CONNECT}hello`);
      await client.readThrough("\r\n\r\n");
      client.close();
      await ended.promise;
    },
  },
];

testThroughProxy("tunnels", CASES);
