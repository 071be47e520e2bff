/** TrafficCounts in the columns of a table. */
import type { Cell } from "../../console/table.ts";
import type { TrafficCounts } from "../../controller/traffic/traffic.ts";

export const TRAFFIC_HEADS = ["RPS", "SUCCESS", "P50", "P90", "P99"] as const;

/** What JSON has of it; null where nothing was answered. */
export interface TrafficNumbers {
  readonly requestsPerSecond: number;
  readonly successRate: number | null;
  readonly p50Ms: number | null;
  readonly p90Ms: number | null;
  readonly p99Ms: number | null;
}

export function numbersOf(traffic: TrafficCounts, seconds: number): TrafficNumbers {
  return {
    requestsPerSecond: traffic.count / seconds,
    successRate: traffic.successRate,
    p50Ms: traffic.quantile(0.5),
    p90Ms: traffic.quantile(0.9),
    p99Ms: traffic.quantile(0.99),
  };
}

export function trafficCells(numbers: TrafficNumbers): Cell[] {
  const { requestsPerSecond, successRate, p50Ms, p90Ms, p99Ms } = numbers;
  const time = (ms: number | null) =>
    ms === null ? "" : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)}ms`;
  const isGood = successRate === null || successRate === 1;
  return [
    requestsPerSecond.toFixed(1),
    successRate === null
      ? ""
      : { text: `${(100 * successRate).toFixed(2)}%`, style: isGood ? "good" : "warning" },
    time(p50Ms),
    time(p90Ms),
    time(p99Ms),
  ];
}
