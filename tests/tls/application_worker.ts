/** An application on a thread of its own, for tests whose own thread stands still. Names method and path, and echoes what it is sent. */
/// <reference lib="deno.worker" />
const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
  if (request.body !== null) return new Response(request.body);
  return new Response(`${request.method} ${new URL(request.url).pathname}\n`);
});
self.postMessage(server.addr.port);
