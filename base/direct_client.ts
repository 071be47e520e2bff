/**
 * An HTTP client that goes straight to where a URL says. Deno's own follows `http_proxy`, which in a mesh names a sidecar: what
 * tells of the mesh must not go through it.
 */
export function directClient(url: URL): Deno.HttpClient {
  return Deno.createHttpClient({
    proxy: {
      transport: "tcp",
      hostname: url.hostname.replace(/^\[(.*)\]$/, "$1"),
      port: Number(url.port || 80),
    },
  });
}
