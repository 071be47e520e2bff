/**
 * Weights of splits are stored as whole numbers. Writers of v1alpha1 send quantities, which are text; the API server gives them as they are
 * in every version, where other clients expect numbers and cannot read the whole list for one that is none.
 */
import { parseWeight, wholeWeights } from "../../schemas/smi/weight.ts";
import { fieldsOf } from "../kube/fields.ts";
import { type AdmissionRequest, ALLOWED, patched, type Verdict } from "./review.ts";

/** All weights of a split are multiplied by one factor, so that their ratio stays. What cannot be read is left for validation. */
export function normaliseWeights({ kind, object }: AdmissionRequest): Verdict {
  const backends = fieldsOf(fieldsOf(object)["spec"])["backends"];
  if (kind.kind !== "TrafficSplit" || !Array.isArray(backends)) return ALLOWED;
  const written = backends.map((backend) => fieldsOf(backend)["weight"]);
  if (!written.some((weight) => typeof weight === "string")) return ALLOWED;
  const nanos = written.map(parseWeight);
  if (nanos.some((each) => each === undefined || each < 0n)) return ALLOWED;
  const { weights, isExact } = wholeWeights(nanos.filter((each) => each !== undefined));
  if (!isExact) return ALLOWED;
  return patched(weights.flatMap((value, i) => {
    const path = `/spec/backends/${i}/weight`;
    return value === written[i] ? [] : [{ op: "replace", path, value }];
  }));
}
