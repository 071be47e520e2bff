/**
 * The options of `weft proxy`, as one table: commander makes help, completion and complaints of it, and `quick_parse.ts`
 * reads ordinary command lines by it without commander. What is not given comes from variables, then from here.
 */
import { DEFAULT_TIMEOUTS } from "../proxy/config.ts";
import type { Environment } from "../cli/environment.ts";
import { usageFailure } from "../cli/exit.ts";
import type { SidecarOptions } from "./settings.ts";
import { TLS_OPTIONS } from "./tls_options.ts";

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

/** What a command line gives: by key, such as `responseTimeout`. */
export type GivenOptions = Readonly<Record<string, unknown>>;

const VARIABLE_PREFIX = "WEFT_PROXY_";
const PATH_SEPARATOR = Deno.build.os === "windows" ? ";" : ":";

export const SIDECAR_OPTIONS: readonly SidecarOption[] = [
  { flags: "-f, --filename <path...>", about: "manifests: files or directories" },
  { flags: "--plan <file>", about: "a plan that `weft dry-run -o plan` wrote" },
  {
    flags: "--state-dir <directory>",
    about: "keeps the last good plan here, and starts with it where its source gives none",
  },
  { flags: "-R, --recursive", about: "go into the directories of a directory" },
  { flags: "--enforce-access", about: "with -f: enforce traffic targets (permissive mode off)" },
  {
    flags: "--outbound <address>",
    about: "takes the application's requests to others",
    default: "127.0.0.1:15001",
  },
  {
    flags: "--inbound <address>",
    about: "takes others' requests (default: 0.0.0.0:15003 with --app)",
  },
  { flags: "--app <address>", about: "the application that requests from others go to" },
  {
    flags: "--capture",
    about:
      "takes what `weft proxy-init` redirects, both ways; of --app then only the address counts",
  },
  {
    flags: "--egress <mode>",
    about: "what the mesh does not know is passed on, or refused",
    choices: ["on", "off"],
    default: "on",
  },
  {
    flags: "--admin <address>",
    about: "health, metrics, plan, explain and tap; `off` for none",
    default: "127.0.0.1:15000",
  },
  {
    flags: "-n, --namespace <name>",
    about: "namespace of the application",
    default: "default",
  },
  {
    flags: "--service-account <name>",
    about: "service account of the application",
    default: "default",
  },
  {
    flags: "--workload <name>",
    about: "what owns the application's pod, for metrics: Deployment/web",
  },
  { flags: "--pod <name>", about: "the application's pod, for metrics" },
  {
    flags: "--driver <name>",
    about: "auto takes native where it works",
    choices: ["auto", "native", "portable"],
    default: "auto",
  },
  {
    flags: "--workers <number>",
    about: "threads of the native driver; 0: the main one (default: 0 with --plan, else 1)",
  },
  {
    flags: "--access-log <format>",
    about: "a line on stdout for every request",
    choices: ["none", "json", "common"],
    default: "none",
  },
  {
    flags: "--trace-sample <share>",
    about: "requests without trace context that are given one, 0 to 1 (default: 0, with spans 1)",
  },
  {
    flags: "--log-level <level>",
    about: "lightest event that is logged, on stderr",
    choices: ["debug", "info", "warn", "error"],
    default: "info",
  },
  {
    flags: "--body-limit <size>",
    about: "largest request body, like 10MiB; 413 above it",
    default: "none",
  },
  ...TLS_OPTIONS,
  timeout("connect", "to connect to an endpoint", "connectMs"),
  timeout("response", "from a request's end to its answer", "responseMs"),
  timeout("request-head", "for a request's head", "requestHeadMs"),
  timeout("client-idle", "client connection without request", "clientIdleMs"),
  timeout("upstream-idle", "endpoint connection without request", "upstreamIdleMs"),
  timeout("stall", "body or tunnel without a byte", "stallMs"),
  timeout("tcp-idle", "relayed TCP connection without a byte", "tcpIdleMs"),
  timeout("accept", "for new connections after SIGTERM, or none", "acceptMs"),
  timeout("drain", "for requests under way at the end", "drainMs"),
];

function timeout(name: string, about: string, key: keyof typeof DEFAULT_TIMEOUTS): SidecarOption {
  return {
    flags: `--${name}-timeout <time>`,
    about,
    default: `${DEFAULT_TIMEOUTS[key] / 1_000}s`,
  };
}

/** The parts of `flags`. */
export interface OptionSyntax {
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

/** All options: as given, else from WEFT_PROXY_… variables, else their defaults. */
export function completeOptions(given: GivenOptions, environment: Environment): SidecarOptions {
  const complete: Record<string, unknown> = {};
  for (const option of SIDECAR_OPTIONS) {
    const { key, kind } = syntaxOf(option);
    complete[key] = given[key] ?? variableOf(option, environment) ?? option.default ??
      (kind === "switch" ? false : undefined);
  }
  // The table above and the interface name the same keys; a test reads every one of them.
  return complete as unknown as SidecarOptions;
}

function variableOf(option: SidecarOption, environment: Environment): unknown {
  const { long, kind } = syntaxOf(option);
  const name = VARIABLE_PREFIX + long.slice(2).replaceAll("-", "_").toUpperCase();
  const text = environment.variable(name);
  if (text === undefined || text === "") return undefined;
  if (kind === "list") return text.split(option.separator ?? PATH_SEPARATOR).filter(Boolean);
  if (kind === "switch") {
    if (["true", "1"].includes(text)) return true;
    if (["false", "0"].includes(text)) return false;
    throw usageFailure(`${name} is "${text}": want true or false`);
  }
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw usageFailure(`${name} is "${text}": want one of ${option.choices.join(", ")}`);
  }
  return text;
}
