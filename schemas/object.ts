/**
 * What the reader of a kind is given: one object of the input, identified, its fields not yet read.
 */
import type { FieldPath } from "../base/finding.ts";
import type { Field } from "./fields.ts";
import type { Report } from "./report.ts";
import type { Meta } from "./resources.ts";

export interface SourceObject {
  readonly meta: Meta;
  /** `v1alpha4` of `split.smi-spec.io/v1alpha4`. */
  readonly version: string;
  /** The whole object. Where the kind has a schema its fields report nothing: it has been checked already. */
  readonly root: Field;
  /** Whether nothing at this field or below it was reported as invalid, by the schema or since. */
  readonly isSound: (path: FieldPath) => boolean;
  /** It has a field that the kind does not have, perhaps a restriction: it must not count as if that were not there. */
  readonly isRefused: boolean;
  readonly report: Report;
}
