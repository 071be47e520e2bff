/**
 * TrafficSplit v1alpha1 to v1alpha4 to the one internal shape (smi-spec traffic-split).
 */
import { describe, type Field, hasNoPort } from "../fields.ts";
import { MANIFEST_LIMITS } from "../limits.ts";
import type { SourceObject } from "../object.ts";
import type { SplitBackend, TrafficSplit } from "../resources.ts";
import { isQuantity, parseWeight, wholeWeights } from "./weight.ts";

/** Reads a split. The schema of its version has been checked. */
export function readTrafficSplit(object: SourceObject): TrafficSplit {
  const spec = object.root.at("spec");
  const root = spec.at("service");
  const service = hasNoPort(root, object.report) ? root.requiredString() : undefined;
  const backends = readBackends(object, spec.at("backends"));
  const read = {
    meta: object.meta,
    service: service ?? "",
    matches: readMatches(spec.at("matches")),
  };
  return object.isRefused || service === undefined || backends === undefined
    ? { ...read, backends: [], isRefused: true }
    : { ...read, backends };
}

interface RawBackend {
  readonly service: string;
  readonly weight: Field;
  readonly nanos: bigint;
  readonly at: Field;
}

/** Undefined: one of them cannot be read. Without it, its share would go to the others. */
function readBackends(object: SourceObject, list: Field): SplitBackend[] | undefined {
  const raw = list.objects().flatMap((at): RawBackend[] => {
    const name = at.at("service");
    const service = hasNoPort(name, object.report) ? name.requiredString() : undefined;
    const weight = at.at("weight");
    const nanos = parseWeight(weight.value);
    if (nanos === undefined) reportUnreadable(weight, object);
    if (service === undefined || nanos === undefined) return [];
    checkWeight(object, weight, nanos);
    return [{ service, weight, nanos, at }];
  });
  if (!Array.isArray(list.value) || raw.length < list.value.length) return undefined;
  const { weights, isExact } = wholeWeights(raw.map(({ nanos }) => nanos));
  if (!isExact) {
    object.report(
      "limit-exceeded",
      list.path,
      `The weights add up to more than ${MANIFEST_LIMITS.weightTotalMax} and were rounded`,
      "Write smaller weights; only their ratio counts",
    );
  }
  return raw.map(({ service, weight, at }, index) => ({
    service,
    weight: weights[index] ?? 0,
    weightText: String(weight.value),
    at: at.path,
  }));
}

/** What passes the schema of its version by its form may still be too long or too large. */
function reportUnreadable(weight: Field, object: SourceObject): void {
  const { value } = weight;
  const isForm = typeof value === "number" || typeof value === "string";
  if (!isForm || !isQuantity(String(value))) return;
  object.report(
    "schema-invalid",
    weight.path,
    `${describe(value)} is too large or too fine`,
    "Write a smaller number; only the ratio of the weights counts",
  );
}

function checkWeight(object: SourceObject, weight: Field, nanos: bigint): void {
  if (nanos < 0n) {
    object.report(
      "weight-negative",
      weight.path,
      `Weight ${weight.value} is below zero and counts as zero`,
      "Write 0 or more",
    );
  }
}

/** A list whose every item is unreadable stays a list: the split must not become one for all requests. */
function readMatches(list: Field): TrafficSplit["matches"] {
  if (!list.isPresent || (Array.isArray(list.value) && list.value.length === 0)) return undefined;
  return list.objects().flatMap((at) => {
    const kind = at.at("kind").requiredString();
    const name = at.at("name").requiredString();
    return kind === undefined || name === undefined ? [] : [{ kind, name, at: at.path }];
  });
}
