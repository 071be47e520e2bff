/**
 * What the reader of a kind is given: one object of the input, identified, its fields not yet read.
 */
import type { Field } from "./fields.ts";
import type { Report } from "./report.ts";
import type { Meta } from "./resources.ts";

export interface SourceObject {
  readonly meta: Meta;
  /** `v1alpha4` of `split.smi-spec.io/v1alpha4`. */
  readonly version: string;
  /** The whole object. Of SMI kinds its fields report nothing: the schema has been checked already. */
  readonly root: Field;
  readonly report: Report;
}
