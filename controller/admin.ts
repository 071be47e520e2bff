/** The controller's admin port: whether it lives, whether it serves, and its metrics. It tells nothing of the mesh, and takes no orders. */
import { type ControllerCounts, renderControllerMetrics } from "./metrics.ts";

interface AdminParts {
  readonly address: string;
  readonly port: number;
  readonly counts: ControllerCounts;
  /** Why proxies are not served; null: they are. */
  readonly problem: () => string | null;
}

/** @throws {Error} the address is taken */
export function serveAdmin(
  { address, port, counts, problem }: AdminParts,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: address, port, onListen() {} }, (request) => {
    if (request.method !== "GET") return text(405, "only GET\n");
    switch (new URL(request.url).pathname) {
      case "/healthz":
        return text(200, "ok\n");
      case "/readyz": {
        const reason = problem();
        return reason === null ? text(200, "ok\n") : text(503, `${reason}\n`);
      }
      case "/metrics":
        return new Response(renderControllerMetrics(counts), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
      default:
        return text(404, "there are /healthz, /readyz and /metrics\n");
    }
  });
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
