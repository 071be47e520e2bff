/** The `ws` package at both ends of the proxy, with permessage-deflate: one lost, repeated or changed byte breaks all after it. */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";
import { soon } from "../support/until.ts";
import type { CarrierLine } from "./carriers.ts";

/** Everything is compressed, however short, and each message leans on those before. */
const OPTIONS = { perMessageDeflate: { threshold: 0 } };
const SIZES = [0, 1, 125, 126, 65_535, 65_536, 300_000, 1_048_576];
const CODE = 4_321;
const REASON = "\u00e9".repeat(61);

/** Half of it shrinks. */
function mixed(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(at + 32_768, length)));
  }
  return bytes;
}

/** A server that sends back what it gets; `closed`: how its client has closed. */
async function startEcho() {
  const http = createServer();
  const server = new WebSocketServer({ server: http, ...OPTIONS });
  const closed = new Promise<[number, string]>((resolve) => {
    server.on("connection", (socket: WebSocket) => {
      socket.on("message", (message: Uint8Array, binary: boolean) => {
        socket.send(message, { binary });
      });
      socket.on("close", (code: number, reason: Uint8Array) => {
        resolve([code, new TextDecoder().decode(reason)]);
      });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("Not listening");
  const stop = () => {
    for (const socket of server.clients) socket.terminate();
    server.close();
    http.close();
  };
  return { port: address.port, closed, [Symbol.dispose]: stop };
}

/** Sends every size and a ping at once, wants them back in order, and closes with a reason. */
export async function talkCompressed(line: CarrierLine): Promise<void> {
  using server = await startEcho();
  const port = await line.open(server.port);
  const client = new WebSocket(`ws://127.0.0.1:${port}/chat?x=1`, {
    headers: { host: "app" },
    ...OPTIONS,
  });
  const failed = new Promise<never>((_, reject) => client.on("error", reject));
  const heard = <Value>(what: string, value: Promise<Value>) =>
    soon(what, Promise.race([value, failed]));
  await heard("the handshake", new Promise((resolve) => client.on("open", resolve)));
  assert.match(client.extensions, /^permessage-deflate/);
  const messages = SIZES.map(mixed);
  const echoes: Uint8Array[] = [];
  const isWhole = new Promise<void>((resolve) => {
    client.on("message", (message: Uint8Array) => {
      echoes.push(message);
      if (echoes.length === messages.length) resolve();
    });
  });
  const pong = new Promise<Uint8Array>((resolve) => client.on("pong", resolve));
  for (const message of messages) client.send(message, { binary: true });
  client.ping("between");
  await heard("all echoes", isWhole);
  messages.forEach((message, i) => assert.equal(Buffer.compare(message, echoes[i]), 0));
  assert.equal(new TextDecoder().decode(await heard("a pong", pong)), "between");
  const over = new Promise<number>((resolve) => client.on("close", resolve));
  client.close(CODE, REASON);
  assert.equal(await heard("the client's end", over), CODE);
  assert.deepEqual(await heard("the server's end", server.closed), [CODE, REASON]);
}
