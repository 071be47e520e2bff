/**
 * TrafficPolicy of Weft to its internal shape: defaults filled in, durations in milliseconds.
 *
 * A section that cannot be read in full is left out, never read in part: half a limit is another limit. So is a
 * target. The schema has been checked; only what it cannot say is checked here.
 */
import type { PolicySection, PolicySettings } from "../../base/policy.ts";
import { type Field, hasNoPort } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { PolicyTargetRef, TrafficPolicy } from "../resources.ts";
import {
  readConnectionLimits,
  readLoadBalancing,
  readOutlierDetection,
  readSlowStart,
} from "./endpoint_sections.ts";
import {
  readFault,
  readHeaderPolicy,
  readMirror,
  readRateLimit,
  readRetry,
  readSessionAffinity,
  readTimeouts,
} from "./route_sections.ts";

/** Undefined: it cannot be read, and `report` was told why. */
type Reader<Section extends PolicySection> = (
  section: Field,
  report: SourceObject["report"],
) => PolicySettings[Section];

const READERS: { readonly [Section in PolicySection]: Reader<Section> } = {
  loadBalancing: readLoadBalancing,
  outlierDetection: readOutlierDetection,
  slowStart: readSlowStart,
  connectionLimits: readConnectionLimits,
  retry: readRetry,
  timeouts: readTimeouts,
  rateLimit: readRateLimit,
  headers: readHeaderPolicy,
  fault: readFault,
  mirror: readMirror,
  sessionAffinity: readSessionAffinity,
};

/** Reads a policy; undefined if it is refused. The schema of its version has been checked. */
export function readTrafficPolicy(object: SourceObject): TrafficPolicy | undefined {
  if (object.isRefused) return undefined;
  const spec = object.root.at("spec");
  return {
    meta: object.meta,
    targets: spec.at("targetRefs").objects().flatMap((at) => readTarget(object, at) ?? []),
    ...readSettings(object, spec),
  };
}

function readTarget(object: SourceObject, at: Field): PolicyTargetRef | undefined {
  const kind = at.at("kind").requiredString();
  const name = at.at("name").requiredString();
  const match = at.at("match");
  if (kind === "Service" && match.isPresent) {
    object.report(
      "schema-invalid",
      match.path,
      "A Service has no matches",
      'Remove "match", or name the HTTPRouteGroup that has it',
    );
  }
  if (kind === "Service" && !hasNoPort(at.at("name"), object.report)) return undefined;
  // An unknown kind is left to compile, which says what comes of it.
  if (kind === undefined || name === undefined || !object.isSound(at.path)) return undefined;
  return { kind, name, match: match.string(), at: at.path };
}

function readSettings(
  object: SourceObject,
  spec: Field,
): Pick<TrafficPolicy, "settings" | "isPartial"> {
  const settings: { [Section in PolicySection]?: unknown } = {};
  let isPartial = false;
  for (const [name, read] of Object.entries(READERS)) {
    const section = spec.at(name);
    if (!section.isPresent) continue;
    const value = object.isSound(section.path) ? read(section, object.report) : undefined;
    if (value === undefined) isPartial = true;
    else settings[name as PolicySection] = value;
  }
  return { settings: settings as PolicySettings, ...(isPartial ? { isPartial } : {}) };
}
