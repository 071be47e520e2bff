/** One option of `weft proxy`: how it is written, and under which key its value is kept. */
export interface SidecarOption {
  /** As commander writes them: `-f, --filename <path...>`; without `<…>` it is a switch. */
  readonly flags: string;
  readonly about: string;
  readonly choices?: readonly string[];
  /** Of a list in a variable; as in PATH where it is left out. */
  readonly separator?: string;
  /** Undefined: none. A switch is off by default. */
  readonly default?: string;
}

/** The parts of `flags`. */
interface OptionSyntax {
  /** `-f`, or undefined. */
  readonly short: string | undefined;
  /** `--filename`. */
  readonly long: string;
  /** `filename`; `responseTimeout` for `--response-timeout`. */
  readonly key: string;
  readonly kind: "switch" | "value" | "list";
}

export function syntaxOf({ flags }: SidecarOption): OptionSyntax {
  const long = /--[a-z-]+/.exec(flags)?.[0] ?? "";
  return {
    short: /^-[a-zA-Z]\b/.exec(flags)?.[0],
    long,
    key: long.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    kind: flags.includes("...>") ? "list" : flags.includes("<") ? "value" : "switch",
  };
}
