/** How much of real traffic a change is about: each request of an access log, routed by both plans. */
import type { Environment } from "../../console/environment.ts";
import type { RequestSender } from "../../console/values.ts";
import type { Plan } from "../../routing/plan.ts";
import { assumeEndpoints } from "../assume_endpoints.ts";
import { LogRouter } from "../replay/log_router.ts";
import { readLog } from "../replay/read_log.ts";

export interface Traffic {
  /** Null: no line could be read. */
  readonly format: string | null;
  /** Those that went to the mesh. */
  readonly requests: number;
  /** By `trafficKey`. */
  readonly byRoutes: ReadonlyMap<string, number>;
  /** They had a route and would have none: their Service or port is gone. */
  readonly lost: number;
  /** They depend on headers that the log does not have. */
  readonly undecided: number;
}

/** What decides of requests on both sides. */
export function trafficKey(service: string, port: number, before: string, after: string): string {
  return `${service}:${port} ${before} ${after}`;
}

interface TrafficOptions {
  readonly log: string;
  readonly host: string | null;
  readonly sender: RequestSender;
}

export async function weighTraffic(
  plans: readonly [before: Plan, after: Plan],
  { log, host, sender }: TrafficOptions,
  environment: Environment,
): Promise<Traffic> {
  const byRoutes = new Map<string, number>();
  const counts = { requests: 0, lost: 0, undecided: 0 };
  const { format } = await readLog(log, host, (format) => {
    const [old, now] = plans.map((plan) => new LogRouter(routed(plan), sender, format));
    return (request) => {
      if (request.outcome?.service === "") return;
      const [before, after] = [old.answer(request), now.answer(request)];
      if (before.dependsOn !== null || after.dependsOn !== null) {
        counts.requests++;
        counts.undecided++;
      } else if (before.route !== null) {
        counts.requests++;
        if (after.route === null) counts.lost++;
        else {
          const { service, port, route } = after.route;
          const key = trafficKey(service, port.port, before.route.route.id, route.id);
          byRoutes.set(key, (byRoutes.get(key) ?? 0) + 1);
        }
      }
    };
  }, environment);
  return { format, byRoutes, ...counts };
}

/** Where requests go, of any caller. */
function routed(plan: Plan): Plan {
  return assumeEndpoints({ ...plan, permissive: true, targets: [] });
}
