/** Sections of a traffic policy, each in one line for a person. */
import type {
  ConnectionLimits,
  Fault,
  HeaderChanges,
  HeaderPolicy,
  LoadBalancing,
  OutlierDetection,
  Rate,
  RateLimit,
  RequestKey,
  Retry,
  SessionAffinity,
  SlowStart,
  Timeouts,
} from "../base/policy.ts";
import type { PlanPathChange, PlanRewrite, PlanSectionName } from "../routing/plan.ts";
import { formatDuration } from "../base/duration.ts";
import { counted } from "../base/text.ts";

/** What the words of a section are made of; the mirror of a plan and of a resource both have these. */
interface MirrorText {
  readonly service: string;
  readonly percent: number;
}

const DESCRIPTIONS: { readonly [Section in PlanSectionName]: (settings: never) => string } = {
  loadBalancing: ({ algorithm, hashKey, maxLoadPercent }: LoadBalancing) =>
    algorithm + (hashKey === null ? "" : ` by ${keyText(hashKey)}`) +
    (maxLoadPercent === undefined ? "" : `, ${maxLoadPercent}% of the average at most`),
  outlierDetection: (it: OutlierDetection) =>
    `${it.consecutiveFailures} failures eject for ${formatDuration(it.ejectionTimeMs)}, ` +
    `${it.maxEjectedPercent}% at most, none below ${it.panicThresholdPercent}% left`,
  slowStart: ({ windowMs }: SlowStart) => `over ${formatDuration(windowMs)}`,
  connectionLimits: ({ maxConnections, maxPending, maxRequests }: ConnectionLimits) =>
    listOf([
      maxConnections === null ? "" : `${maxConnections} connections, ${maxPending} waiting`,
      maxRequests === null ? "" : `${maxRequests} requests`,
    ]),
  retry: (it: Retry) =>
    `${counted(it.attempts, "more attempt")} on ${
      listOf([...it.conditions, ...it.statuses.map(String)])
    }; ` +
    `${it.methods.join("|")}; ` +
    (it.perTryTimeoutMs === null ? "" : `each ${formatDuration(it.perTryTimeoutMs)}; `) +
    `budget ${it.budgetPercent}%, backoff ${formatDuration(it.backoffMs)}`,
  timeouts: ({ requestMs, idleMs }: Timeouts) =>
    listOf([
      requestMs === null ? "" : `request ${timeoutText(requestMs)}`,
      idleMs === null ? "" : `idle ${timeoutText(idleMs)}`,
    ]),
  rateLimit: ({ http, tcp, status }: RateLimit) =>
    listOf([
      http === null ? "" : `${rateText(http, "requests")}, else ${status}`,
      tcp === null ? "" : rateText(tcp, "connections"),
    ]),
  headers: ({ request, response }: HeaderPolicy) =>
    listOf([changesText("request", request), changesText("response", response)]),
  fault: ({ delay, abort }: Fault) =>
    listOf([
      delay === null ? "" : `${delay.percent}% wait ${formatDuration(delay.durationMs)}`,
      abort === null ? "" : `${abort.percent}% are answered ${abort.status}`,
    ]),
  rewrite: ({ host, path }: PlanRewrite) =>
    listOf([host === null ? "" : `host ${host}`, path === null ? "" : pathText(path)]),
  mirror: ({ service, percent }: MirrorText) => `${percent}% to ${service}`,
  sessionAffinity: ({ key, ttlSeconds }: SessionAffinity) =>
    keyText(key) + (ttlSeconds === null ? "" : ` for ${formatDuration(ttlSeconds * 1_000)}`),
};

function pathText(change: PlanPathChange): string {
  const { value } = change;
  return change.kind === "full" ? `path ${value}` : `${change.prefix} by ${value}`;
}

/** `2s` for a section `timeouts`, and so on; `-` for one that asks for nothing. */
export function describeSection(section: PlanSectionName, settings: unknown): string {
  return DESCRIPTIONS[section](settings as never) || "-";
}

function timeoutText(milliseconds: number): string {
  return milliseconds === 0 ? "none" : formatDuration(milliseconds);
}

function keyText({ source, name }: RequestKey): string {
  return source === "source-ip" ? "source address" : `${source} ${name}`;
}

function rateText({ count, perMs, burst }: Rate, noun: string): string {
  const rate = `${count} ${noun} per ${formatDuration(perMs)}`;
  return burst === count ? rate : `${rate}, ${burst} at once`;
}

function changesText(side: string, { set, add, remove }: HeaderChanges): string {
  const changes = listOf([
    ...set.map(({ name, value }) => `${name}=${value}`),
    ...add.map(({ name, value }) => `+${name}=${value}`),
    ...remove.map((name) => `-${name}`),
  ]);
  return changes === "" ? "" : `${side} ${changes}`;
}

function listOf(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join(", ");
}
