/** Options of a command from variables, for a container that is configured by its environment. */
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { Environment } from "../environment.ts";
import { usageFailure } from "../exit.ts";

const PREFIX = "WEFT_PROXY_";

/**
 * Fills in the options that the command line left out: `--response-timeout` from WEFT_PROXY_RESPONSE_TIMEOUT. Done here
 * and not by commander, which reads the process's variables itself and so stops where they may not be read.
 */
export function applyVariables(command: CommandUnknownOpts, environment: Environment): void {
  for (const option of command.options) {
    if (option.long === undefined || option.long === null) continue;
    const key = option.attributeName();
    if (command.getOptionValueSource(key) === "cli") continue;
    const name = PREFIX + option.long.slice(2).replaceAll("-", "_").toUpperCase();
    const text = environment.variable(name);
    if (text === undefined || text === "") continue;
    command.setOptionValueWithSource(key, valueOf(option, name, text), "env");
  }
}

function valueOf(
  option: CommandUnknownOpts["options"][number],
  name: string,
  text: string,
): string | boolean | string[] {
  if (option.variadic) return text.split(Deno.build.os === "windows" ? ";" : ":").filter(Boolean);
  if (!option.required && !option.optional) {
    if (["true", "1"].includes(text)) return true;
    if (["false", "0"].includes(text)) return false;
    throw usageFailure(`${name} is "${text}": want true or false`);
  }
  const choices = option.argChoices;
  if (choices !== undefined && !choices.includes(text)) {
    throw usageFailure(`${name} is "${text}": want one of ${choices.join(", ")}`);
  }
  return text;
}
