/** An AdmissionReview (admission.k8s.io/v1) of a pod to its answer. Pure, and asks for nothing more: all it needs is handed in. */
import { inject, type InjectionContext } from "./inject.ts";
import type { PodObject } from "./pod.ts";

/** What is asked; the API server has checked the object. */
interface AdmissionRequest {
  readonly uid: string;
  readonly kind: { readonly group: string; readonly kind: string };
  readonly operation: string;
  readonly subResource?: string;
  readonly namespace?: string;
  readonly object: PodObject;
}

interface AdmissionReview {
  readonly apiVersion: string;
  readonly kind: string;
  readonly request: AdmissionRequest;
}

/** Answers what {@link isReview} has let pass. */
export function answerReview(
  { apiVersion, kind, request }: AdmissionReview,
  context: InjectionContext,
): unknown {
  return { apiVersion, kind, response: { uid: request.uid, ...verdictOf(request, context) } };
}

function verdictOf(request: AdmissionRequest, context: InjectionContext): object {
  if (request.kind.group !== "" || request.kind.kind !== "Pod" || request.operation !== "CREATE") {
    return { allowed: true };
  }
  const injection = inject(request.object, context);
  switch (injection.kind) {
    case "leave":
      return { allowed: true };
    case "refuse":
      return {
        allowed: false,
        status: { code: 403, reason: "Forbidden", message: injection.message },
      };
    case "inject":
      return {
        allowed: true,
        patchType: "JSONPatch",
        patch: new TextEncoder().encode(JSON.stringify(injection.patch)).toBase64(),
        ...(injection.warnings.length === 0 ? {} : { warnings: injection.warnings }),
      };
  }
}

/** Whether a body is such a review, as far as it is looked at. */
export function isReview(value: unknown): value is AdmissionReview {
  if (!isObject(value) || value["apiVersion"] !== "admission.k8s.io/v1") return false;
  const request = value["request"];
  if (!isObject(request) || typeof request["uid"] !== "string") return false;
  const { kind, object, operation } = request;
  if (!isObject(kind) || typeof operation !== "string") return false;
  if (kind["kind"] !== "Pod" || operation !== "CREATE") return true;
  return isPod(object);
}

/** Whether this is what a pod, or the template of one, has at the least. */
function isPod(value: unknown): value is PodObject {
  if (!isObject(value) || !isObject(value["spec"])) return false;
  const { containers } = value["spec"];
  return Array.isArray(containers) && containers.length > 0 &&
    containers.every((container) => isObject(container) && typeof container["name"] === "string");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
