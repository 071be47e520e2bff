/** One proxy on the stream, over a connection in memory: what it is told, and why it is let go. */
import { deepEqual, equal } from "node:assert/strict";
import { createLog } from "../../base/log.ts";
import { MeshParts } from "../../routing/source/mesh.ts";
import { decodeUpdate } from "../../routing/source/wire.ts";
import { HELLO_BYTES_MAX } from "../limits.ts";
import { IdentityIssuer } from "../identity/identity_issuer.ts";
import { controllerCounts } from "../metrics.ts";
import { ProxyConnection } from "./proxy_connection.ts";

const HEADER = { version: 2, clusterDomain: "cluster.local", permissive: true } as const;
const HELLO = JSON.stringify({ token: "t", namespace: "app", pod: "web-1" });

/** The far end of a connection that takes what is written only when it is told to. */
class FakeConnection {
  readonly remoteAddr = { transport: "tcp", hostname: "10.0.0.1", port: 1 } as const;
  readonly lines: string[] = [];
  #input: (string | null)[] = [];
  #wake = () => {};
  /** Where a write waits. */
  held: PromiseWithResolvers<void> | null = null;
  onLine = () => {};
  onAcknowledged = () => {};
  onWrite = () => {};

  say(...lines: string[]): void {
    this.#input.push(...lines.map((line) => `${line}\n`));
    this.#wake();
  }

  close(): void {
    this.#input = [null];
    this.#wake();
  }

  handshake = () => Promise.resolve({ alpnProtocol: null });

  async read(buffer: Uint8Array): Promise<number | null> {
    while (this.#input.length === 0) await new Promise<void>((wake) => this.#wake = wake);
    const text = this.#input.shift() ?? null;
    if (text === null) return null;
    const { read, written } = new TextEncoder().encodeInto(text, buffer);
    if (read < text.length) this.#input.unshift(text.slice(read));
    return written;
  }

  async write(bytes: Uint8Array): Promise<number> {
    this.onWrite();
    await this.held?.promise;
    this.lines.push(new TextDecoder().decode(bytes).trimEnd());
    this.onLine();
    return bytes.length;
  }

  /** So many lines have been written. */
  async written(count: number): Promise<void> {
    while (this.lines.length < count) await new Promise<void>((wake) => this.onLine = wake);
  }
}

function start() {
  const connection = new FakeConnection();
  const mesh = new MeshParts(HEADER);
  const counts = controllerCounts();
  const log = createLog({ level: "error", format: "json", sink() {}, now: () => 0 });
  const proxy = new ProxyConnection({
    connection: connection as unknown as Deno.TlsConn,
    mesh,
    identity: new IdentityIssuer({ trustDomain: "cluster.local", counts, log }),
    tokens: null,
    counts,
    log,
    events: { came() {}, acknowledged: () => connection.onAcknowledged(), went() {} },
  });
  return { connection, mesh, counts, proxy, served: proxy.serve() };
}

Deno.test("proxy connection: what changes while a line is on its way is told in one, the latest", async () => {
  const { connection, mesh, counts, served, proxy } = start();
  const key = "access app/web" as const;
  connection.say(HELLO, JSON.stringify({ ask: [key], drop: [], held: {} }));
  await connection.written(1);
  equal(counts.proxies, 1);
  connection.held = Promise.withResolvers();
  const target = (name: string) => ({
    targets: [{ destination: "app/web", sources: [], name }],
  });
  const change = (name: string) => mesh.change([[key, target(name) as never]]);
  const begun = new Promise<void>((begin) => connection.onWrite = begin);
  change("first");
  await begun;
  for (const name of ["second", "third", "fourth"]) change(name);
  connection.held.resolve();
  await connection.written(3);
  const names = connection.lines.slice(1).map((line) => /"name":"(\w+)"/.exec(line)?.[1]);
  deepEqual(names, ["first", "fourth"]);
  connection.say(`{"ack":"${"a".repeat(64)}"}`);
  proxy.end("stop");
  await served;
  deepEqual([counts.proxies, counts.connectionEnds.stop], [0, 1]);
});

Deno.test("proxy connection: the first update says which mesh it is", async () => {
  const { connection, served } = start();
  connection.say(HELLO, JSON.stringify({ ask: [], drop: [], held: {} }));
  await connection.written(1);
  const decoded = decodeUpdate(connection.lines[0]);
  deepEqual(decoded, { ok: true, message: { header: HEADER, answers: [], parts: [] } });
  connection.close();
  await served;
});

Deno.test("proxy connection: who does not keep to the protocol is let go", async () => {
  const cases = [
    ["not JSON"],
    ["{}"],
    ["x".repeat(HELLO_BYTES_MAX + 1)],
    [HELLO, "not JSON"],
    [HELLO, '{"ask":["host"],"drop":[]}'],
    [HELLO, '{"ack":"x"}'],
  ];
  for (const lines of cases) {
    const { connection, counts, served } = start();
    connection.say(...lines);
    await served;
    equal(counts.connectionEnds.protocol, 1, lines.at(-1)?.slice(0, 40));
    equal(counts.proxies, 0);
  }
});

Deno.test("proxy connection: a part is in force once the update that told of it is acknowledged", async () => {
  const { connection, mesh, served, proxy } = start();
  const key = "access app/web" as const;
  const change = (name: string) =>
    mesh.change([[key, { targets: [{ destination: "app/web", sources: [], name }] } as never]]);
  const acknowledge = async () => {
    const acknowledged = new Promise<void>((resolve) => connection.onAcknowledged = resolve);
    connection.say(`{"ack":"${"a".repeat(64)}"}`);
    await acknowledged;
  };
  change("first");
  equal(proxy.inForce(key), undefined);
  connection.say(HELLO, JSON.stringify({ ask: [key], drop: [], held: {} }));
  await connection.written(1);
  deepEqual([proxy.name, proxy.inForce(key)], ["app/web-1", ""]);
  await acknowledge();
  const first = mesh.hashed(key)?.hash;
  equal(proxy.inForce(key), first);
  change("second");
  await connection.written(2);
  equal(proxy.inForce(key), "");
  await acknowledge();
  equal(proxy.inForce(key), mesh.hashed(key)?.hash);
  equal(proxy.behindSinceMs, null);
  // More acknowledgements than updates say nothing about what is still to come.
  await acknowledge();
  change("third");
  await connection.written(3);
  equal(proxy.inForce(key), "");
  connection.close();
  await served;
});
