/** Values of an installation from options: of files first, then `--set`, then options of their own. Later ones win. */
import { readText } from "../../base/read_text.ts";
import type { Environment } from "../../console/environment.ts";
import { usageFailure } from "../../console/exit.ts";
import { parseAssignments, parseValuesFile } from "../../controller/install/given_values.ts";
import {
  type GivenValues,
  type InstallValues,
  readValues,
} from "../../controller/install/values.ts";

export interface ValueOptions {
  readonly image?: string | undefined;
  readonly meshName?: string | undefined;
  readonly set: readonly string[];
  readonly values: readonly string[];
}

/** @throws {CommandFailure} usage: one line says which value, and what is right */
export async function givenValues(
  { image, meshName, set, values }: ValueOptions,
  environment: Environment,
): Promise<GivenValues> {
  let given: GivenValues = {};
  for (const path of values) {
    const text = path === "-" ? await environment.readStdin() : await readText(path);
    given = { ...given, ...orUsage(() => parseValuesFile(text), `${path}: `) };
  }
  return {
    ...given,
    ...orUsage(() => parseAssignments(set)),
    // Commas and braces have a meaning in --set only.
    ...(image === undefined ? {} : { image }),
    ...(meshName === undefined ? {} : { meshName }),
  };
}

/** @throws {CommandFailure} as `givenValues` */
export function checkedValues(given: GivenValues, namespace: string | undefined): InstallValues {
  return orUsage(() => readValues(given, namespace));
}

function orUsage<T>(read: () => T, where = ""): T {
  try {
    return read();
  } catch (error) {
    const [reason] = (error instanceof Error ? error.message : String(error)).split("\n");
    throw usageFailure(where + reason);
  }
}
