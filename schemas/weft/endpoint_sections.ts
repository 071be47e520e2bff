/**
 * The sections of a TrafficPolicy about a backend's endpoints: which one takes a request, which are left alone, and
 * how much they are given at once.
 */
import {
  BALANCING_ALGORITHM_NAMES,
  BALANCING_ALGORITHMS,
  type BalancingAlgorithm,
} from "../../base/policy.ts";
import type {
  ConnectionLimits,
  LoadBalancing,
  OutlierDetection,
  RequestKey,
  SlowStart,
} from "../../base/policy.ts";
import type { Field } from "../fields.ts";
import type { Report } from "../report.ts";
import { durationOr, numberOr, onlyOneOf, requestKey } from "./section_fields.ts";

/** `"RingHash"`: the algorithms that take a hash key. */
const HASHING = BALANCING_ALGORITHM_NAMES
  .filter((name) => BALANCING_ALGORITHMS[name].isHashing)
  .map((name) => `"${name}"`)
  .join(" or ");

export function readLoadBalancing(section: Field, report: Report): LoadBalancing | undefined {
  const algorithm = section.at("algorithm").string() as BalancingAlgorithm;
  const hashKey = section.at("hashKey");
  const maxLoad = section.at("maxLoadPercent");
  if (BALANCING_ALGORITHMS[algorithm].isHashing) {
    const key = hashKey.isPresent ? readHashKey(hashKey, report) : undefined;
    if (!hashKey.isPresent) {
      report(
        "schema-invalid",
        hashKey.path,
        `Field "hashKey" is missing: ${algorithm} needs to know what to hash`,
        'Add "hashKey" with "header", "cookie" or "sourceIp"',
      );
    }
    const bound = maxLoad.isPresent ? { maxLoadPercent: numberOr(maxLoad, 0) } : {};
    return key && { algorithm, hashKey: key, ...bound };
  }
  for (const [name, field] of [["hashKey", hashKey], ["maxLoadPercent", maxLoad]] as const) {
    if (!field.isPresent) continue;
    report(
      "schema-invalid",
      field.path,
      `${algorithm} has no use for "${name}"`,
      `Set "algorithm" to ${HASHING}, or remove "${name}"`,
    );
    return undefined;
  }
  return { algorithm, hashKey: null };
}

function readHashKey(field: Field, report: Report): RequestKey | undefined {
  const chosen = onlyOneOf(field, ["header", "cookie", "sourceIp"], report);
  if (chosen === undefined) return undefined;
  if (chosen.path.at(-1) !== "sourceIp") return requestKey(chosen);
  if (chosen.value === true) return { source: "source-ip", name: "" };
  report(
    "schema-invalid",
    chosen.path,
    "Nothing is left to hash",
    'Write "sourceIp: true", or "header" or "cookie" in its place',
  );
  return undefined;
}

export function readOutlierDetection(
  section: Field,
  report: Report,
): OutlierDetection | undefined {
  const ejectionTimeMs = durationOr(section.at("ejectionTime"), 30_000, report);
  if (ejectionTimeMs === undefined) return undefined;
  return {
    consecutiveFailures: numberOr(section.at("consecutiveFailures"), 5),
    ejectionTimeMs,
    maxEjectedPercent: numberOr(section.at("maxEjectedPercent"), 50),
    panicThresholdPercent: numberOr(section.at("panicThresholdPercent"), 50),
  };
}

export function readSlowStart(section: Field, report: Report): SlowStart | undefined {
  const windowMs = durationOr(section.at("window"), 0, report);
  return windowMs === undefined ? undefined : { windowMs };
}

export function readConnectionLimits(section: Field): ConnectionLimits {
  return {
    maxConnections: numberOr(section.at("maxConnections"), null),
    maxPending: numberOr(section.at("maxPending"), 1_024),
    maxRequests: numberOr(section.at("maxRequests"), null),
  };
}
