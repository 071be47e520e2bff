/**
 * Memory under many streams whose windows are full: clients of HTTP/2 that send all they may, for an endpoint that takes nothing.
 * Prints what the proxy holds meanwhile, and fails where something is left of it, or where the next client gets no answer.
 *
 *     deno run -A tests/soak/full_windows.ts [STREAMS] [STREAMS A CONNECTION]
 *
 * At most 16 streams a connection: more than that the window of the connection does not take.
 */
import { FramePeer } from "../http2/frame_peer.ts";
import { CLIENT_STARTED, concat, data, headers, settings } from "../protocol/http2/frames.ts";
import { RawSocket } from "../support/raw_socket.ts";
import { answering, ok, ScriptedOrigin } from "../support/scripted_origin.ts";
import { planOf } from "../support/test_proxy.ts";
import { soon, until } from "../support/until.ts";
import { SoakProxy } from "./proxy_process.ts";

const INITIAL_WINDOW_SIZE = 4;
const MEBIBYTE = 1_048_576;
/** What a stream may send before any of it is passed on. */
const WINDOW_BYTES = 65_535;

const streams = Number(Deno.args[0] ?? 10_000);
const perConnection = Number(Deno.args[1] ?? 10);

/** Takes requests and none of their bodies. */
const full = new ScriptedOrigin(async (socket) => {
  const peer = new FramePeer(socket);
  await peer.send(settings([INITIAL_WINDOW_SIZE, 0]));
  await socket.readRest();
}, { mayFail: true });
const sound = new ScriptedOrigin(answering(() => ok("sound")), { mayFail: true });

function upload(streamId: number): Uint8Array[] {
  const frames: Uint8Array[] = [
    headers(streamId, [
      [":method", "POST"],
      [":scheme", "http"],
      [":path", "/"],
      [":authority", "app"],
    ]),
  ];
  for (let left = WINDOW_BYTES; left > 0; left -= 16_384) {
    frames.push(data(streamId, "x".repeat(Math.min(left, 16_384))));
  }
  return frames;
}

const proxy = await SoakProxy.start(
  { driver: "native", applicationPort: 1, certificate: null, seed: 1 },
  planOf([full.port], "http2"),
);
await proxy.metric("weft_faults_total");
const report = async (when: string) => {
  const lent = await proxy.metric("weft_buffers_lent");
  const open = await proxy.metric("weft_connections_open");
  const resident = Math.round(proxy.residentBytes() / MEBIBYTE);
  const used = Math.round(await proxy.bytesInUse() / MEBIBYTE);
  console.log(
    `${when}: ${resident} MiB resident, ${used} MiB of heap, ${lent} buffers, ${open} clients`,
  );
};
await report("idle");

const startMs = performance.now();
const clients: RawSocket[] = [];
const ids = Array.from({ length: perConnection }, (_, i) => 2 * i + 1);
const all = concat([CLIENT_STARTED, ...ids.flatMap(upload)]);
for (let count = 0; count < streams; count += perConnection) {
  const client = await RawSocket.connect(proxy.ports.http);
  clients.push(client);
  await client.send(all);
}
let [before, rounds] = [-1, 0];
await until("the streams to be held", () => proxy.metric("weft_http2_streams_total"), (now) => {
  rounds = now === before ? rounds + 1 : 0;
  before = now;
  return rounds > 50;
});
const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
await report(`${streams} streams on ${clients.length} connections, after ${seconds} s`);

// A Service that is well is not held up for long: it is answered, or refused for want of a buffer.
await proxy.change(planOf([sound.port]));
await proxy.settle();
const other = await RawSocket.connect(proxy.ports.http);
await other.send("GET / HTTP/1.1\r\nHost: app\r\n\r\n");
const next = await soon("an answer meanwhile", other.readResponse()).catch(String);
console.log(`the next client: ${typeof next === "string" ? next : next.startLine}`);
other.close();

for (const client of clients) client.close();
await proxy.untilMetric("weft_connections_open", 0);
await proxy.untilMetric("weft_buffers_lent", 0);
await report("when they have gone");
if (await proxy.metric("weft_faults_total") > 0 || typeof next === "string") Deno.exitCode = 1;
await full[Symbol.asyncDispose]();
await sound[Symbol.asyncDispose]();
await proxy.stop();
