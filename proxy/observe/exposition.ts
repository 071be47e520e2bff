/** What a proxy counted, as Prometheus text: its event loops added up, and what is counted outside them. */
import {
  countsOf,
  type MetricSample,
  type MetricsFormat,
  renderMetrics,
  samplesOf,
} from "../../base/metrics.ts";
import type { CertificateExpiry } from "../tls/config.ts";
import { CERTIFICATES, LOST, PLAN_KEEPING, PLANS, PROXY_METRICS, SAVED_PLANS } from "./metrics.ts";

/** What an event loop tells of itself; plain data, to go from its thread to the one that is asked. */
export interface LoopSnapshot {
  readonly samples: readonly MetricSample[];
  /** Of the plan in force. */
  readonly planHash: string;
  /** Stack of the last fault; empty if there was none. */
  readonly lastFault: string;
}

/** What there is to tell of keeping plans for the next start. */
export interface PlanKeeping {
  /** Milliseconds since 1970; null: the plan in force is not saved. */
  readonly savedAtMs: number | null;
  /** The plan in force is one that an earlier run saved: no source has given one yet. */
  readonly isRestored: boolean;
  /** Plans that could not be saved. */
  readonly failures: number;
}

/** What is counted outside the event loops. */
interface OutsideCounts {
  /** Empty: none are made. */
  readonly spans: readonly MetricSample[];
  /** Lines of the access log that found no reader. */
  readonly accessesLost: number;
  /** Records that readers of taps were too slow for. */
  readonly tapsLost: number;
  /** Null: plans are not kept. */
  readonly planKeeping: PlanKeeping | null;
  /** Those that the proxy shows. */
  readonly certificates: readonly CertificateExpiry[];
}

export function renderProxyMetrics(
  loops: readonly LoopSnapshot[],
  outside: OutsideCounts,
  format: MetricsFormat = "prometheus",
): string {
  const samples = loops.flatMap(({ samples }) => samples);
  return renderMetrics(PROXY_METRICS, [...samples, ...outsideSamples(loops, outside)], format);
}

function* outsideSamples(
  loops: readonly LoopSnapshot[],
  { spans, accessesLost, tapsLost, planKeeping, certificates }: OutsideCounts,
): Iterable<MetricSample> {
  yield* spans;
  yield* samplesOf(countsOf(LOST, {}, { accesses: accessesLost, tapped: tapsLost }));
  for (const hash of new Set(loops.map(({ planHash }) => planHash))) {
    yield* samplesOf(countsOf(PLANS, { hash }, { inForce: 1 }));
  }
  for (const { side, expiresAtMs } of certificates) {
    yield* samplesOf(countsOf(CERTIFICATES, { side }, { expiry: expiresAtMs / 1_000 }));
  }
  if (planKeeping === null) return;
  const { savedAtMs, isRestored, failures } = planKeeping;
  yield* samplesOf(countsOf(PLAN_KEEPING, {}, { isRestored: isRestored ? 1 : 0, failures }));
  if (savedAtMs !== null) {
    yield* samplesOf(countsOf(SAVED_PLANS, {}, { savedAt: savedAtMs / 1_000 }));
  }
}
