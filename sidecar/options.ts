/**
 * The options of `weft proxy`, as one table. Commander makes help, completion and complaints of it. Ordinary command lines are read
 * by it without commander, which would cost every sidecar 6 MB of memory and 25 ms of start (measured on Deno 2.9.6).
 * What is not given comes from variables, then from the table.
 */
import { formatDuration } from "../base/duration.ts";
import type { Environment } from "../console/environment.ts";
import { usageFailure } from "../console/exit.ts";
import { DEFAULT_TIMEOUTS } from "../proxy/config.ts";
import { type SidecarOption, syntaxOf } from "./option.ts";
import type { SidecarOptions } from "./settings.ts";
import { TLS_OPTIONS } from "./tls_options.ts";

/** What a command line gives: by key, such as `responseTimeout`. */
export type GivenOptions = Readonly<Record<string, unknown>>;

const VARIABLE_PREFIX = "WEFT_PROXY_";
const PATH_SEPARATOR = Deno.build.os === "windows" ? ";" : ":";

export const SIDECAR_OPTIONS: readonly SidecarOption[] = [
  { flags: "-f, --filename <path...>", about: "manifests: files or directories" },
  { flags: "--plan <file>", about: "a plan that `weft dry-run -o plan` wrote" },
  { flags: "--controller <address>", about: "a controller that tells the plan, HOST:PORT" },
  {
    flags: "--controller-ca <file>",
    about: "certificates of who vouches for the controller (PEM), read at each connection",
  },
  {
    flags: "--controller-token <file>",
    about: "token of the pod's ServiceAccount for the audience weft, read at each connection",
  },
  {
    flags: "--identity <source>",
    about:
      "certificate of the mesh: from the `controller`, or a directory with tls.crt, tls.key and ca.crt",
  },
  {
    flags: "--inbound-mtls <mode>",
    about:
      "with --identity: whether callers may do without, before the mesh says so: strict,8443=permissive",
  },
  {
    flags: "--probe <request...>",
    about: "a request of the kubelet, which needs no certificate: 8080/healthz, https:8443/healthz",
  },
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
      "takes what `weft proxy-init` redirects, both ways; of --app then only the address counts, of which there may be two: 10.1.0.5,fd00::5",
  },
  {
    flags: "--egress <mode>",
    about: "what the mesh does not know is passed on, or only what an Egress allows",
    choices: ["on", "off"],
    default: "on",
  },
  {
    flags: "--admin <address>",
    about: "health, metrics, plan, explain and tap; `off` for none",
    default: "127.0.0.1:15000",
  },
  {
    flags: "--health <address>",
    about: "health, metrics and probes alone, for the kubelet and Prometheus (default: none)",
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
    flags: "--native-sidecar",
    about: "this is an init container that restarts always, which the kubelet ends last",
  },
  {
    flags: "--driver <name>",
    about: "auto takes native where it works",
    choices: ["auto", "native", "portable"],
    default: "auto",
  },
  {
    flags: "--workers <number>",
    about: "threads of the native driver; 0: the main one (default: 1 with -f, else 0)",
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
    flags: "--head-limit <size>",
    about: "largest head of a request or an answer, from 8KiB to 96KiB; 431 or 502 above it",
    default: "60KiB",
  },
  {
    flags: "--body-limit <size>",
    about: "largest request body, like 10MiB; 413 above it",
    default: "none",
  },
  ...TLS_OPTIONS,
  timeout("connect", "to connect to an endpoint", "connectMs"),
  timeout("egress-connect", "to connect to what the mesh does not know", "egressConnectMs"),
  timeout("pending", "for a connection while a policy allows no further one", "pendingMs"),
  timeout("response", "from a request's end to its answer, unless a policy says", "responseMs"),
  timeout("request-head", "for a request's head", "requestHeadMs"),
  timeout("client-idle", "client connection without request", "clientIdleMs"),
  timeout("upstream-idle", "endpoint connection without request", "upstreamIdleMs"),
  timeout("stall", "exchange or tunnel without a byte", "stallMs"),
  timeout("tcp-idle", "relayed TCP connection without a byte", "tcpIdleMs"),
  {
    flags: "--accept-timeout <time>",
    about: `for new connections after SIGTERM (default: ${
      formatDuration(DEFAULT_TIMEOUTS.acceptMs)
    }, with --native-sidecar none)`,
  },
  timeout("drain", "for requests under way at the end", "drainMs"),
];

function timeout(name: string, about: string, key: keyof typeof DEFAULT_TIMEOUTS): SidecarOption {
  const byDefault = DEFAULT_TIMEOUTS[key];
  return {
    flags: `--${name}-timeout <time>`,
    about,
    default: byDefault === Infinity ? "none" : formatDuration(byDefault),
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

/**
 * The options that `words`, those after `proxy`, give. Null if a word is not plainly right: commander looks at such a line, and
 * explains it.
 */
export function parseQuickly(words: readonly string[]): GivenOptions | null {
  const given: Record<string, unknown> = {};
  for (let at = 0; at < words.length;) {
    const [name, attached] = splitAtEquals(words[at++]);
    const option = SIDECAR_OPTIONS.find((each) => {
      const { short, long } = syntaxOf(each);
      return name === long || name === short;
    });
    if (option === undefined) return null;
    const { key, kind } = syntaxOf(option);
    if (kind === "switch") {
      if (attached !== undefined) return null;
      given[key] = true;
      continue;
    }
    const values = attached === undefined ? [] : [attached];
    const isFull = () => kind === "value" ? values.length > 0 : attached !== undefined;
    // A lone dash is a value: standard input.
    while (at < words.length && !isFull() && !/^-./.test(words[at])) values.push(words[at++]);
    if (values.length === 0 || values.includes("")) return null;
    if (option.choices !== undefined && !option.choices.includes(values[0])) return null;
    given[key] = kind === "list"
      ? [...(given[key] as string[] | undefined ?? []), ...values]
      : values[0];
  }
  return given;
}

/** `--name=value` to its halves; any other word to itself. */
function splitAtEquals(word: string): [name: string, attached: string | undefined] {
  const at = word.startsWith("--") ? word.indexOf("=") : -1;
  return at === -1 ? [word, undefined] : [word.slice(0, at), word.slice(at + 1)];
}
