/** How explanations write down what a plan refers to. */
import { formatPosition, type Position, type ResourceRef } from "../../base/finding.ts";

/** `namespace/name`. */
export function refText(ref: ResourceRef): string {
  return `${ref.namespace}/${ref.name}`;
}

/** `file:line:column`; null where it is not known. */
export function positionText(position: Position | null): string | null {
  return position === null ? null : formatPosition(position);
}
