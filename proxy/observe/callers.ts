/**
 * Callers: who was turned away from the application beside the proxy, and who calls it without mutual TLS. Counted by caller, of which there
 * may be any number: those that come when there are many share one series.
 */
import { CALLERS_COUNTED_MAX } from "../limits.ts";
import { countsOf, labelKey, type MetricSample, samplesOf } from "../../base/metrics.ts";
import { CALLERS } from "./metrics.ts";

const OTHERS = "others";

export class CallerCounts {
  readonly #counts = countsOf(CALLERS, {});
  readonly #known = new Set<string>();

  /** @param source `namespace/serviceaccount`, or the address of a caller that is not known */
  denied(source: string, destination: string, reason: string): void {
    this.#counts.denied.add(labelKey(this.#labelOf(source), destination, reason));
  }

  /** @param peer its address */
  plain(peer: string, isAccepted: boolean): void {
    const outcome = isAccepted ? "accepted" : "refused";
    this.#counts.plain.add(labelKey(this.#labelOf(peer), outcome));
  }

  get samples(): Iterable<MetricSample> {
    return samplesOf(this.#counts);
  }

  #labelOf(source: string): string {
    if (this.#known.has(source)) return source;
    if (this.#known.size >= CALLERS_COUNTED_MAX) return OTHERS;
    this.#known.add(source);
    return source;
  }
}
