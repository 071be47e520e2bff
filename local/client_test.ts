// Tests of the client against servers that answer in every way HTTP/1.1 has to end a body.
import assert from "node:assert/strict";
import { MeshClient, MeshUnreachable } from "./client.ts";
import { usablePlace } from "./places.ts";

/** A server that answers each request on a connection with the next of `answers`, and what it was sent. */
function scripted(answers: readonly string[]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received: string[] = [];
  let connections = 0;
  const serve = async (connection: Deno.TcpConn) => {
    connections++;
    const chunk = new Uint8Array(65_536);
    for (;;) {
      const count = await connection.read(chunk);
      if (count === null) break;
      received.push(new TextDecoder().decode(chunk.subarray(0, count)));
      const answer = answers[received.length - 1] ?? "";
      // Byte by byte, so that no answer arrives whole.
      for (const byte of new TextEncoder().encode(answer)) {
        await connection.write(new Uint8Array([byte]));
      }
      if (/connection: close/i.test(answer) || answer === "") break;
    }
    connection.close();
  };
  (async () => {
    for await (const connection of listener) serve(connection).catch(() => {});
  })();
  return {
    place: { address: "127.0.0.1", port: listener.addr.port },
    received,
    connections: () => connections,
    close: () => listener.close(),
  };
}

const url = "http://web.shop:8080/path?query#fragment";

Deno.test("client: lengths, chunks, no bodies and interim answers over one connection", async () => {
  const server = scripted([
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nA: b\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 0\r\n\r\n",
  ]);
  const client = new MeshClient(server.place);
  const text = async (method: string) => {
    const { body } = await client.send({ method, url });
    return new TextDecoder().decode(body);
  };
  assert.equal(await text("GET"), "hello");
  assert.equal(await text("GET"), "abcde");
  assert.equal(await text("DELETE"), "");
  assert.equal(await text("HEAD"), "");
  const created = await client.send({ method: "POST", url, body: "é", headers: [["X-B", "c"]] });
  assert.equal(created.statusLine, "HTTP/1.1 201 Created");
  assert.deepEqual(created.headers, [["X-A", "1"], ["x-a", "2"], ["Content-Length", "0"]]);
  assert.equal(server.connections(), 1);
  assert.equal(
    server.received[0],
    "GET http://web.shop:8080/path?query HTTP/1.1\r\nHost: web.shop:8080\r\n\r\n",
  );
  assert.equal(
    server.received[4],
    "POST http://web.shop:8080/path?query HTTP/1.1\r\n" +
      "Host: web.shop:8080\r\nContent-Length: 2\r\nX-B: c\r\n\r\né",
  );
  client.close();
  server.close();
});

Deno.test("client: a body that ends with the connection, and a new connection after it", async () => {
  const server = scripted([
    "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end",
    "HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
  ]);
  const client = new MeshClient(server.place);
  const first = await client.send({ method: "GET", url });
  assert.equal(new TextDecoder().decode(first.body), "until the end");
  const second = await client.send({ method: "GET", url });
  assert.equal(new TextDecoder().decode(second.body), "ok");
  assert.equal(server.connections(), 2);
  client.close();
  server.close();
});

Deno.test("client: what is no answer is an error of one line", async () => {
  for (
    const answer of [
      "",
      "nonsense\r\n\r\n",
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nab",
    ]
  ) {
    const server = scripted([answer]);
    const client = new MeshClient(server.place);
    await assert.rejects(
      client.send({ method: "GET", url }),
      /^Error: (The answer|The connection)[^\n]*$/,
    );
    client.close();
    server.close();
  }
});

Deno.test("client: nothing listens", async () => {
  const client = new MeshClient(usablePlace({ address: "127.0.0.1", port: 0 }));
  await assert.rejects(client.send({ method: "GET", url }), MeshUnreachable);
});
