/** The controller's admin port: whether it lives and serves, its metrics, and how far splits have come. It takes no orders. */
import { IDENTITY_PATH, replicaIdentity } from "./identity/answer.ts";
import type { IdentityIssuer } from "./identity/identity_issuer.ts";
import type { RolloutAnswers } from "./rollout/answers.ts";
import { REPLICA_PATH } from "./rollout/replicas.ts";
import { type ControllerCounts, renderControllerMetrics } from "./metrics.ts";

interface AdminParts {
  readonly address: string;
  readonly port: number;
  readonly counts: ControllerCounts;
  /** Why proxies are not served; null: they are. */
  readonly problem: () => string | null;
  /** Metrics are about to be shown. */
  readonly count: () => void;
  readonly rollouts: RolloutAnswers;
  readonly identity: IdentityIssuer;
}

/** @throws {Error} the address is taken */
export function serveAdmin(
  { address, port, counts, problem, count, rollouts, identity }: AdminParts,
): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve({ hostname: address, port, onListen() {} }, (request) => {
    const url = new URL(request.url);
    const isRollout = url.pathname === "/rollout/ready";
    if (request.method !== "GET" && !(isRollout && request.method === "POST")) {
      return text(405, "only GET\n");
    }
    if (url.pathname.startsWith("/rollout/") || url.pathname === IDENTITY_PATH) {
      const reason = problem();
      if (reason !== null) return text(503, `${reason}\n`);
    }
    switch (url.pathname) {
      case "/rollout/ready":
        return rollouts.answer(request);
      case REPLICA_PATH:
        return rollouts.ofReplica(url);
      case IDENTITY_PATH:
        return Response.json(replicaIdentity(identity));
      case "/healthz":
        return text(200, "ok\n");
      case "/readyz": {
        const reason = problem();
        return reason === null ? text(200, "ok\n") : text(503, `${reason}\n`);
      }
      case "/metrics":
        count();
        return new Response(renderControllerMetrics(counts), {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
        });
      default:
        return text(404, "there are /healthz, /readyz, /metrics, /identity and /rollout/ready\n");
    }
  });
}

function text(status: number, body: string): Response {
  return new Response(body, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
