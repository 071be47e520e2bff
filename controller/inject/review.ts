/** The answer to the API server about a pod. Pure, and asks for nothing more: all it needs is handed in. */
import { type AdmissionRequest, ALLOWED, patched, type Verdict } from "../admission/review.ts";
import { inject, type InjectionContext } from "./inject.ts";
import { isPod } from "./pod.ts";

export function injectionVerdict(request: AdmissionRequest, context: InjectionContext): Verdict {
  const { kind: { group, kind }, operation, object } = request;
  if (group !== "" || kind !== "Pod" || operation !== "CREATE") return ALLOWED;
  if (!isPod(object)) return refused(400, "BadRequest", "The pod has no containers");
  const injection = inject(object, context);
  switch (injection.kind) {
    case "leave":
      return warned(ALLOWED, injection.isExpected ? [] : [`no sidecar: ${injection.reason}`]);
    case "refuse":
      return refused(403, "Forbidden", injection.message);
    case "complete":
      return injection.patch.length === 0 ? ALLOWED : patched(injection.patch);
    case "inject":
      return warned(patched(injection.patch), injection.warnings);
  }
}

function warned(verdict: Verdict, warnings: readonly string[]): Verdict {
  return warnings.length === 0 ? verdict : { ...verdict, warnings };
}

function refused(code: number, reason: string, message: string): Verdict {
  return { allowed: false, status: { code, reason, message } };
}
