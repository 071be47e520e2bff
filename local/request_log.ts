/**
 * The request log of `weft up`: a line a request as long as a person could follow, then a count. Keeps the totals for the
 * status line. Time is given, so that a test decides it.
 */
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import type { Output } from "../console/output.ts";
import { formatForPerson } from "../sidecar/access_log.ts";
import { printable } from "../console/text.ts";
import { LINES_PER_SECOND_MAX } from "./limits.ts";

export class RequestLog {
  readonly #output: Output;
  readonly #totals = new Map<string, number>();
  #second = 0;
  #linesInSecond = 0;
  #hiddenInSecond = 0;
  #countInSecond = 0;
  #rate = 0;
  #count = 0;
  #failures = 0;

  constructor(output: Output) {
    this.#output = output;
  }

  /**
   * Lines to print for an answered request: none, one, or also the count of those not shown.
   * @param whyDenied asked only where the line is shown
   */
  add(record: RequestRecord, clients: string, nowMs: number, whyDenied = () => ""): string[] {
    const lines = this.tick(nowMs);
    this.#count++;
    this.#countInSecond++;
    if (record.status >= 500) this.#failures++;
    const target = record.pod || record.endpoint || "mesh";
    this.#totals.set(target, (this.#totals.get(target) ?? 0) + 1);
    if (this.#linesInSecond >= LINES_PER_SECOND_MAX) {
      this.#hiddenInSecond++;
      return lines;
    }
    this.#linesInSecond++;
    return [...lines, this.#line(record, clients, whyDenied())];
  }

  /** To be called now and then: ends a second that is over. */
  tick(nowMs: number): string[] {
    const second = Math.floor(nowMs / 1_000);
    if (second === this.#second) return [];
    const hidden = this.#hiddenInSecond;
    this.#rate = second === this.#second + 1 ? this.#countInSecond : 0;
    this.#second = second;
    this.#linesInSecond = 0;
    this.#hiddenInSecond = 0;
    this.#countInSecond = 0;
    return hidden === 0 ? [] : [this.#output.style("faint", `  and ${hidden} more requests`)];
  }

  /** `1204 requests, 300/s: httpbin-v1-0 75%, httpbin-v2-0 25%`. */
  summary(): string {
    if (this.#count === 0) return "no requests yet";
    const shares = [...this.#totals].sort((a, b) => b[1] - a[1]).slice(0, 4)
      .map(([pod, count]) => `${printable(pod)} ${Math.round(100 * count / this.#count)}%`);
    const failures = this.#failures === 0 ? "" : `, ${this.#failures} failed`;
    return `${this.#count} requests, ${this.#rate}/s${failures}: ${shares.join(", ")}`;
  }

  #line(record: RequestRecord, clients: string, why: string): string {
    const nearest = why === "" ? "" : `; nearest TrafficTarget ${printable(why)}`;
    return `${printable(clients)}: ${formatForPerson(this.#output, record)}${nearest}`;
  }
}
