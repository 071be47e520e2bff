/** An AdmissionReview (admission.k8s.io/v1) of any object, as far as all webhooks look at it, and its answer. */
import { fieldsOf, type JsonFields } from "../kube/fields.ts";

export interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly kind: string };
  readonly operation: string;
  readonly subResource?: string;
  readonly namespace?: string;
  readonly object?: unknown;
  readonly oldObject?: unknown;
}

interface AdmissionReview {
  readonly apiVersion: string;
  readonly kind: string;
  readonly request: AdmissionRequest;
}

export interface Verdict {
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly warnings?: readonly string[];
  readonly patchType?: "JSONPatch";
  readonly patch?: string;
}

export const ALLOWED: Verdict = { allowed: true };

/** Allowed, with these operations of a JSON patch (RFC 6902). */
export function patched(operations: readonly unknown[]): Verdict {
  const patch = new TextEncoder().encode(JSON.stringify(operations)).toBase64();
  return { allowed: true, patchType: "JSONPatch", patch };
}

export function answerTo(
  { apiVersion, kind, request }: AdmissionReview,
  verdict: Verdict,
): unknown {
  return { apiVersion, kind, response: { uid: request.uid, ...verdict } };
}

/** Whether a body is such a review, as far as it is looked at. */
export function isReview(value: unknown): value is AdmissionReview {
  const { apiVersion, request } = fieldsOf(value);
  const { uid, kind, operation } = fieldsOf(request);
  return apiVersion === "admission.k8s.io/v1" && typeof uid === "string" &&
    typeof operation === "string" && typeof fieldsOf(kind)["kind"] === "string";
}

/** The fields in which an object says what it asks for, in every version of every kind: all but these two. */
export function askedFor(object: unknown): JsonFields {
  const { metadata: _, status: __, ...asked } = fieldsOf(object);
  return asked;
}
