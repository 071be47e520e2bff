/** What traffic policies did, as Prometheus series: one set a backend or a policy's target, so bounded by the plan. */
import type {
  BackendPolicyCounts,
  CountedSection,
  PolicyCounts,
  RoutePolicyCounts,
} from "../policy/policy_counts.ts";
import { labelText } from "../../base/series.ts";
import type { Series } from "../../base/series.ts";

type Labels = Readonly<Record<string, string | number>>;

/** One series in the making; lines with the same labels, from several event loops, are added. */
class Sums {
  readonly #sums = new Map<string, number>();

  add(labels: Labels, value: number): void {
    const key = labelText(labels);
    this.#sums.set(key, (this.#sums.get(key) ?? 0) + value);
  }

  series(name: string, kind: Series["kind"], help: string): Series {
    const lines = Array.from(this.#sums, ([labels, value]) => `${name}{${labels}} ${value}`);
    return { name, kind, help, lines };
  }
}

/** @param counts of every listener of every event loop */
export function policySeries(counts: readonly PolicyCounts[]): Series[] {
  const backends = counts.flatMap(({ backends }) => backends);
  const routes = counts.flatMap(({ routes }) => routes);
  return [...ejectionSeries(backends), ...limitSeries(backends), ...routeSeries(routes)];
}

function ejectionSeries(backends: readonly BackendPolicyCounts[]): Series[] {
  const active = new Sums();
  const total = new Sums();
  const panic = new Sums();
  for (const { listener, backend, ejections } of backends) {
    if (ejections === null) continue;
    const labels = { listener, backend };
    active.add(labels, ejections.active);
    panic.add(labels, ejections.isPanic ? 1 : 0);
    for (const [cause, count] of Object.entries(ejections.byCause)) {
      total.add({ ...labels, cause }, count);
    }
  }
  return [
    active.series("weft_ejections_active", "gauge", "Endpoints that are ejected now"),
    total.series(
      "weft_ejections_total",
      "counter",
      "Ejections of endpoints, by the last of the failures that led to them",
    ),
    panic.series(
      "weft_panic",
      "gauge",
      "Event loops that use ejected endpoints too, because too few others are left",
    ),
  ];
}

function limitSeries(backends: readonly BackendPolicyCounts[]): Series[] {
  const pending = new Sums();
  const hits = new Sums();
  for (const { listener, backend, limits } of backends) {
    if (limits === null) continue;
    const labels = { listener, backend };
    pending.add(labels, limits.pending);
    for (const [limit, count] of Object.entries(limits.hits)) {
      hits.add({ ...labels, limit }, count);
    }
  }
  return [
    pending.series("weft_pending_requests", "gauge", "Requests that wait for a connection"),
    hits.series(
      "weft_limit_hits_total",
      "counter",
      "How often a limit of connections, waiting requests or requests under way was reached",
    ),
  ];
}

function routeSeries(routes: readonly RoutePolicyCounts[]): Series[] {
  const limited = new Sums();
  const exhausted = new Sums();
  const faults = new Sums();
  const mirrored = new Sums();
  const drops = new Sums();
  const record: Readonly<
    Record<CountedSection, (labels: Labels, from: RoutePolicyCounts) => void>
  > = {
    rateLimit(labels, { rateLimited }) {
      limited.add({ ...labels, kind: "http" }, rateLimited.http);
      limited.add({ ...labels, kind: "tcp" }, rateLimited.tcp);
    },
    retry: (labels, { budgetExhausted }) => exhausted.add(labels, budgetExhausted),
    fault(labels, { faults: { delay, abort } }) {
      faults.add({ ...labels, kind: "delay" }, delay);
      faults.add({ ...labels, kind: "abort" }, abort);
    },
    mirror(labels, { mirrored: count, mirrorDrops }) {
      mirrored.add(labels, count);
      for (const [reason, dropped] of Object.entries(mirrorDrops)) {
        drops.add({ ...labels, reason }, dropped);
      }
    },
  };
  for (const route of routes) {
    const { listener, service, port, target } = route;
    record[route.section]({ listener, service, port, target }, route);
  }
  return [
    limited.series(
      "weft_rate_limited_total",
      "counter",
      "Requests and relayed connections refused because of a rate limit",
    ),
    exhausted.series(
      "weft_retry_budget_exhausted_total",
      "counter",
      "Retries that were not made because their budget was used up",
    ),
    faults.series("weft_faults_injected_total", "counter", "Faults that a policy injected"),
    mirrored.series(
      "weft_mirrored_requests_total",
      "counter",
      "Copies that their mirror has answered",
    ),
    drops.series(
      "weft_mirror_drops_total",
      "counter",
      "Requests not copied, or whose copy was not answered, and why",
    ),
  ];
}
