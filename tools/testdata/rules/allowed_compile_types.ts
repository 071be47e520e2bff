// path: routing/compile/compile.ts
// expect: nothing
import type { Snapshot } from "../../schemas/resources.ts";
import { type Resource } from "../../schemas/resources.ts";
export type { Resource, Snapshot };
