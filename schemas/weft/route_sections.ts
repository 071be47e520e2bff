/**
 * The sections of a TrafficPolicy about requests on their way: tried again, cut off, limited, changed, disturbed,
 * copied, and kept together.
 */
import {
  type Fault,
  type HeaderChanges,
  type HeaderPolicy,
  headerTextBytes,
  type HeaderValue,
  type Mirror,
  type Rate,
  type RateLimit,
  type Retry,
  type RetryCondition,
  type SessionAffinity,
  type Timeouts,
} from "../../base/policy.ts";
import { type Field, hasNoPort } from "../fields.ts";
import type { Report } from "../report.ts";
import { suggest } from "../suggest.ts";
import {
  durationOr,
  headerValues,
  numberOr,
  onlyOneOf,
  requestKey,
  timeoutOr,
} from "./section_fields.ts";
import { HEADER_TEXT_BYTES_MAX } from "../../base/limits.ts";

/** Idempotent by RFC 9110 9.2.2; CONNECT opens a tunnel and is never sent twice. */
const IDEMPOTENT_METHODS = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"];

const CONDITIONS: readonly RetryCondition[] = [
  "5xx",
  "gateway-error",
  "reset",
  "connect-failure",
  "timeout",
];
const DEFAULT_CONDITIONS: readonly RetryCondition[] = ["gateway-error", "reset", "connect-failure"];

export function readRetry(section: Field, report: Report): Retry | undefined {
  const retryOn = readRetryOn(section.at("retryOn"), report);
  const perTryTimeoutMs = timeoutOr(section.at("perTryTimeout"), null, report);
  const backoffMs = durationOr(section.at("backoff"), 25, report);
  if (retryOn === undefined || perTryTimeoutMs === undefined || backoffMs === undefined) {
    return undefined;
  }
  const methods = section.at("methods");
  return {
    attempts: numberOr(section.at("attempts"), 2),
    ...retryOn,
    methods: methods.isPresent ? [...new Set(methods.strings())].sort() : IDEMPOTENT_METHODS,
    perTryTimeoutMs,
    budgetPercent: numberOr(section.at("budgetPercent"), 20),
    backoffMs,
  };
}

function readRetryOn(
  list: Field,
  report: Report,
): Pick<Retry, "conditions" | "statuses"> | undefined {
  if (!list.isPresent) return { conditions: DEFAULT_CONDITIONS, statuses: [] };
  const wanted = new Set<RetryCondition>();
  const statuses = new Set<number>();
  let isReadable = true;
  for (const item of list.list()) {
    const text = String(item.value);
    const condition = CONDITIONS.find((word) => word === text);
    if (condition !== undefined) wanted.add(condition);
    else if (/^[45][0-9][0-9]$/.test(text)) statuses.add(Number(text));
    else {
      isReadable = false;
      const meant = suggest(text, CONDITIONS);
      report(
        "schema-invalid",
        item.path,
        `"${text}" is neither ${CONDITIONS.join(", ")} nor a status from 400 to 599`,
        meant === undefined ? "Write one of these" : `Write "${meant}"`,
      );
    }
  }
  if (!isReadable) return undefined;
  return {
    conditions: CONDITIONS.filter((condition) => wanted.has(condition)),
    statuses: [...statuses].sort((a, b) => a - b),
  };
}

export function readTimeouts(section: Field, report: Report): Timeouts | undefined {
  const requestMs = timeoutOr(section.at("request"), 0, report);
  const idleMs = timeoutOr(section.at("idle"), 0, report);
  if (requestMs === undefined || idleMs === undefined) return undefined;
  return { requestMs, idleMs };
}

export function readRateLimit(section: Field, report: Report): RateLimit | undefined {
  const http = readRate(section.at("http"), "requests", report);
  const tcp = readRate(section.at("tcp"), "connections", report);
  const headers = section.at("headers");
  const areHeadersGood = checkHeaderNames(headers, report);
  if (http === undefined || tcp === undefined || !areHeadersGood) return undefined;
  if (!fitsHead(headers, headerValues(headers), report)) return undefined;
  if (http === null && tcp === null) {
    onlyOneOf(section, ["http", "tcp"], report);
    return undefined;
  }
  return { http, tcp, status: numberOr(section.at("status"), 429), headers: headerValues(headers) };
}

function readRate(section: Field, counted: string, report: Report): Rate | null | undefined {
  if (!section.isPresent) return null;
  const perMs = durationOr(section.at("per"), 1_000, report);
  const count = numberOr(section.at(counted), 0);
  if (perMs === undefined) return undefined;
  return { count, perMs, burst: numberOr(section.at("burst"), count) };
}

export function readHeaderPolicy(section: Field, report: Report): HeaderPolicy | undefined {
  const request = readHeaderChanges(section.at("request"), report);
  const response = readHeaderChanges(section.at("response"), report);
  return request && response && { request, response };
}

function readHeaderChanges(section: Field, report: Report): HeaderChanges | undefined {
  const set = section.at("set");
  const add = section.at("add");
  const remove = section.at("remove");
  // Not "&&" alone: every bad name is reported at once.
  const areGood = [set, add, remove].map((list) => checkHeaderNames(list, report)).every(Boolean);
  if (!areGood) return undefined;
  const changes = {
    set: headerValues(set),
    add: headerValues(add),
    remove: remove.strings().map((name) => name.toLowerCase()),
  };
  return fitsHead(section, [...changes.set, ...changes.add], report) ? changes : undefined;
}

function fitsHead(section: Field, headers: readonly HeaderValue[], report: Report): boolean {
  if (headerTextBytes(headers) <= HEADER_TEXT_BYTES_MAX) return true;
  report(
    "schema-invalid",
    section.path,
    `The headers take more than ${HEADER_TEXT_BYTES_MAX} bytes together`,
    "Write fewer headers, or shorter values",
  );
  return false;
}

/**
 * They frame a message or route it, so that another value makes another message of it (RFC 9110 7.6.1, 9112 6), or the
 * proxy itself writes them.
 */
export const RESERVED_HEADERS: readonly string[] = [
  "connection",
  "content-length",
  "host",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-forwarded-for",
  "x-forwarded-proto",
];

/** The items are names, or objects with a name. */
function checkHeaderNames(list: Field, report: Report): boolean {
  let areGood = true;
  for (const item of list.list()) {
    const field = typeof item.value === "string" ? item : item.at("name");
    const name = field.string() ?? "";
    if (!RESERVED_HEADERS.includes(name.toLowerCase())) continue;
    areGood = false;
    report(
      "schema-invalid",
      field.path,
      `Header "${name}" belongs to the connection or to routing and is not for a policy to change`,
      "Remove it from the list",
    );
  }
  return areGood;
}

export function readFault(section: Field, report: Report): Fault | undefined {
  const delay = section.at("delay");
  const abort = section.at("abort");
  const durationMs = durationOr(delay.at("duration"), 0, report);
  if (durationMs === undefined) return undefined;
  return {
    delay: delay.isPresent ? { percent: numberOr(delay.at("percent"), 100), durationMs } : null,
    abort: abort.isPresent
      ? { percent: numberOr(abort.at("percent"), 100), status: numberOr(abort.at("status"), 503) }
      : null,
  };
}

export function readMirror(section: Field, report: Report): Mirror | undefined {
  const name = section.at("service");
  const service = hasNoPort(name, report) ? name.requiredString() : undefined;
  return service === undefined
    ? undefined
    : { service, percent: numberOr(section.at("percent"), 100) };
}

export function readSessionAffinity(section: Field, report: Report): SessionAffinity | undefined {
  const chosen = onlyOneOf(section, ["cookie", "header"], report);
  const ttlMs = durationOr(section.at("ttl"), null, report);
  if (chosen === undefined || ttlMs === undefined) return undefined;
  const key = requestKey(chosen) as SessionAffinity["key"];
  if (key.source === "header" && ttlMs !== null) {
    report(
      "schema-invalid",
      section.at("ttl").path,
      "Only a cookie has a time to live; a header comes with each request",
      'Remove "ttl", or write "cookie" in place of "header"',
    );
    return undefined;
  }
  return { key, ttlSeconds: ttlMs === null ? null : Math.ceil(ttlMs / 1_000) };
}
