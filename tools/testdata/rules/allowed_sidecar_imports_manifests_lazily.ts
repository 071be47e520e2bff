// path: sidecar/plan_files.ts
// expect: nothing
import type { Environment } from "../console/environment.ts";
import { decodePlan } from "../routing/plan_codec.ts";
export async function read(environment: Environment) {
  const { compileInput } = await import("./compile_input.ts");
  return [compileInput, decodePlan, environment];
}
