/** An environment whose results are kept, for a command that runs within another. */
import type { Environment } from "../../console/environment.ts";
import { outputTo } from "../../console/output.ts";

export function memoryEnvironment(
  environment: Environment,
): { readonly environment: Environment; text(): string } {
  let written = "";
  const stdout = outputTo((text) => written += text);
  return { environment: { ...environment, stdout }, text: () => written };
}
