/** Options of `weft proxy` to a proxy configuration and to where its plan comes from. Checks; starts nothing. */
import { MTLS_FORM, parseMtlsRules } from "../base/mtls_mode.ts";
import { parsePortRange } from "../base/capture_lists.ts";
import type { LogLevel } from "../base/log.ts";
import {
  DEFAULT_TIMEOUTS,
  type DriverChoice,
  type InboundListener,
  type ProbeRequest,
  type ProxyConfig,
} from "../proxy/config.ts";
import { usageFailure } from "../console/exit.ts";
import {
  parseByteLimit,
  parseGraceMs,
  parseHostPort,
  parseSender,
  parseTimeLimitMs,
  parseWhole,
} from "../console/values.ts";
import { HEAD_BYTES_LEAST, HEAD_BYTES_MOST } from "../proxy/limits.ts";
import type { AccessLogFormat } from "../proxy/config.ts";
import type { TracingOptions } from "./tracing.ts";
import { parseIp } from "../base/ip.ts";
import {
  FROM_CONTROLLER,
  parseTrustDomain,
  type TlsFiles,
  type TlsOptions,
} from "./tls_options.ts";
import type { ControllerPlace } from "./controller_source.ts";
import { WORKERS_MAX } from "./limits.ts";
import { VERSION } from "../base/version.ts";

/** As commander parses them. */
export interface SidecarOptions extends TlsOptions {
  readonly filename?: readonly string[] | undefined;
  readonly plan?: string | undefined;
  readonly controller?: string | undefined;
  readonly controllerCa?: string | undefined;
  readonly controllerToken?: string | undefined;
  readonly inboundMtls?: string | undefined;
  readonly probe?: readonly string[] | undefined;
  readonly stateDir?: string | undefined;
  readonly recursive: boolean;
  readonly enforceAccess: boolean;
  readonly outbound: string;
  readonly inbound?: string | undefined;
  readonly app?: string | undefined;
  readonly capture: boolean;
  readonly egress: "on" | "off";
  readonly admin: string;
  readonly health?: string | undefined;
  readonly namespace: string;
  readonly serviceAccount: string;
  readonly workload?: string | undefined;
  readonly pod?: string | undefined;
  readonly nativeSidecar: boolean;
  readonly driver: DriverChoice;
  readonly workers?: string;
  readonly accessLog: AccessLogFormat | "none";
  readonly traceSample?: string | undefined;
  readonly logLevel: LogLevel;
  readonly headLimit: string;
  readonly bodyLimit: string;
  readonly connectTimeout: string;
  readonly egressConnectTimeout: string;
  readonly pendingTimeout: string;
  readonly responseTimeout: string;
  readonly requestHeadTimeout: string;
  readonly clientIdleTimeout: string;
  readonly upstreamIdleTimeout: string;
  readonly stallTimeout: string;
  readonly tcpIdleTimeout: string;
  readonly acceptTimeout?: string | undefined;
  readonly drainTimeout: string;
}

/** Where a sidecar's plan comes from. */
export type PlanOrigin =
  | {
    readonly kind: "manifests";
    readonly paths: readonly string[];
    readonly recursive: boolean;
    readonly namespace: string;
    readonly permissive: boolean;
    readonly egress: boolean;
  }
  | { readonly kind: "plan"; readonly file: string }
  | { readonly kind: "controller"; readonly place: ControllerPlace };

/** Before a probe by HTTPS. */
const SECURED = "https:";
/** How a gRPC probe of the kubelet asks. */
const GRPC_HEALTH_PATH = "/grpc.health.v1.Health/Check";

const DEFAULT_INBOUND = "0.0.0.0:15003";

/** Of an application that is captured only the address is set: the port is where each connection was going. */
const CAPTURED_APPLICATION = "127.0.0.1:0";

/** Manifests take long to compile, so the thread that does it carries no requests. */
function workersOf(options: SidecarOptions): number {
  if (options.workers !== undefined) return parseWhole(options.workers, 0, WORKERS_MAX);
  return options.filename === undefined ? 0 : 1;
}

/**
 * The configuration that the options ask for. Throws a usage failure for options that contradict.
 *
 * @param seed phase of the split sequences: one drawn for each proxy, so that a fleet is unbiased
 */
export function sidecarConfig(options: SidecarOptions, seed: number): ProxyConfig {
  const { capture } = options;
  if (options.inbound !== undefined && options.app === undefined && !capture) {
    throw usageFailure(
      "--inbound needs --app",
      "Add --app HOST:PORT, where the application listens.",
    );
  }
  if (capture && options.driver === "portable") {
    throw usageFailure(
      "--capture needs the native driver",
      "Only it can tell where a redirected connection was going.",
    );
  }
  const application = options.app ?? (capture ? CAPTURED_APPLICATION : undefined);
  const sender = parseSender(`${options.namespace}/${options.serviceAccount}`);
  const owner = {
    ...(options.workload === undefined ? {} : { workload: options.workload }),
    ...(options.pod === undefined ? {} : { pod: options.pod }),
  };
  return {
    driver: options.driver,
    workers: workersOf(options),
    outbound: [{
      ...parseHostPort(options.outbound),
      ...sender,
      ...owner,
      ...(capture ? { capture } : {}),
      seed,
    }],
    inbound: application === undefined ? [] : [{
      ...parseHostPort(options.inbound ?? DEFAULT_INBOUND),
      application: capture ? parseCaptured(application) : parseHostPort(application),
      identity: sender.identity,
      namespace: sender.namespace,
      ...mtlsOf(options),
      ...(options.probe === undefined ? {} : { probes: options.probe.map(parseProbe) }),
      ...owner,
      ...(capture ? { capture } : {}),
    }],
    ...(options.identity === undefined ? {} : { mutualTls: true }),
    admin: options.admin === "off" ? null : parseHostPort(options.admin),
    ...(options.health === undefined ? {} : { health: parseHostPort(options.health) }),
    timeouts: {
      connectMs: parseTimeLimitMs(options.connectTimeout),
      egressConnectMs: parseTimeLimitMs(options.egressConnectTimeout),
      pendingMs: parseTimeLimitMs(options.pendingTimeout),
      responseMs: parseTimeLimitMs(options.responseTimeout),
      requestHeadMs: parseTimeLimitMs(options.requestHeadTimeout),
      clientIdleMs: parseTimeLimitMs(options.clientIdleTimeout),
      upstreamIdleMs: parseTimeLimitMs(options.upstreamIdleTimeout),
      stallMs: parseTimeLimitMs(options.stallTimeout),
      tcpIdleMs: parseTimeLimitMs(options.tcpIdleTimeout),
      acceptMs: acceptMsOf(options),
      drainMs: parseGraceMs(options.drainTimeout),
    },
    trustDomain: parseTrustDomain(options.trustDomain),
    egress: options.egress === "on",
    headBytesMax: headBytesMax(options.headLimit),
    bodyBytesMax: parseByteLimit(options.bodyLimit),
    reportRequests: false,
    ...(options.accessLog === "none" ? {} : { accessLog: options.accessLog }),
  };
}

function mtlsOf({ inboundMtls }: SidecarOptions): Pick<InboundListener, "mtls"> {
  if (inboundMtls === undefined) return {};
  const mtls = parseMtlsRules(inboundMtls);
  if (mtls !== null) return { mtls };
  throw usageFailure(`--inbound-mtls cannot be "${inboundMtls}"`, `Write ${MTLS_FORM}.`);
}

/** `PORT/PATH`, or `https:PORT/PATH`; the path of gRPC's own health service is called. */
function parseProbe(text: string): ProbeRequest {
  const isSecured = text.startsWith(SECURED);
  const request = isSecured ? text.slice(SECURED.length) : text;
  const slash = request.indexOf("/");
  const port = parsePortRange(request.slice(0, Math.max(0, slash)));
  if (port === null || port.first !== port.last) {
    throw usageFailure(
      `--probe cannot be "${text}"`,
      "Write PORT/PATH, like 8080/healthz, or https:8443/healthz.",
    );
  }
  const [path] = request.slice(slash).split("?");
  if (isSecured) return { port: port.first, path, isSecured };
  return { port: port.first, path, ...(path === GRPC_HEALTH_PATH ? { isCall: true } : {}) };
}

/** `ADDRESS:0`, or the addresses of a pod as Kubernetes lists them: one, or one of each IP version. */
function parseCaptured(text: string): InboundListener["application"] {
  const addresses = text.split(",");
  if (!addresses.every((address) => parseIp(address) !== null)) return parseHostPort(text);
  const [address, otherAddress, ...rest] = addresses;
  if (otherAddress === undefined) return { address, port: 0 };
  if (rest.length === 0 && address.includes(":") !== otherAddress.includes(":")) {
    return { address, port: 0, otherAddress };
  }
  throw usageFailure(
    `"${text}" is more than one address of each IP version`,
    "Write it like 10.1.0.5 or 10.1.0.5,fd00::5.",
  );
}

/** The application of a native sidecar has ended before it: clients that still came would only be refused. */
function acceptMsOf({ acceptTimeout, nativeSidecar }: SidecarOptions): number {
  if (acceptTimeout !== undefined) return parseGraceMs(acceptTimeout);
  return nativeSidecar ? 0 : DEFAULT_TIMEOUTS.acceptMs;
}

/** Buffers for heads are of one size, so there is a bound to choose. */
function headBytesMax(limit: string): number {
  const bytes = parseByteLimit(limit);
  if (bytes >= HEAD_BYTES_LEAST && bytes <= HEAD_BYTES_MOST) return bytes;
  throw usageFailure(`--head-limit cannot be ${limit}`, "Give a size from 8KiB to 96KiB.");
}

/** What is traced, for the resource of its spans. */
export function tracedService(options: SidecarOptions): TracingOptions {
  const { traceSample, workload, pod, namespace } = options;
  return {
    sample: traceSample,
    service: workload?.split("/").at(-1) ?? "weft",
    resource: pod === undefined ? {} : { "k8s.pod.name": pod, "k8s.namespace.name": namespace },
  };
}

/** Exactly one of `-f`, `--plan` and `--controller`. */
export function planOrigin(options: SidecarOptions): PlanOrigin {
  const { filename, plan, controller } = options;
  if ([filename, plan, controller].filter((origin) => origin !== undefined).length !== 1) {
    throw usageFailure(
      "weft proxy takes its routes from -f PATH…, --plan FILE or --controller HOST:PORT",
      "Give one of the three.",
    );
  }
  if (options.enforceAccess && filename === undefined) {
    throw usageFailure(
      "--enforce-access is about manifests, and a plan says for itself whether targets are enforced",
      plan === undefined
        ? "Give it to weft controller."
        : "Make the plan with weft dry-run --enforce-access -o plan.",
    );
  }
  if (plan !== undefined) return { kind: "plan", file: plan };
  if (controller !== undefined) {
    return { kind: "controller", place: controllerPlace(controller, options) };
  }
  if (filename?.includes("-")) {
    throw usageFailure("weft proxy follows its files, which standard input is not");
  }
  return {
    kind: "manifests",
    paths: filename ?? [],
    recursive: options.recursive,
    namespace: options.namespace,
    permissive: !options.enforceAccess,
    egress: options.egress === "on",
  };
}

/** Whether certificates come from the controller. Throws a usage failure for options that contradict. */
export function takesIdentity(
  { identity }: SidecarOptions,
  origin: PlanOrigin,
  files: TlsFiles | null,
): boolean {
  if (identity !== FROM_CONTROLLER) return false;
  if (origin.kind !== "controller") {
    throw usageFailure(
      "--identity controller needs --controller",
      "Certificates come from where the plan does.",
    );
  }
  if (files !== null) {
    throw usageFailure(
      "--identity controller goes with no files of certificates",
      "Leave out the options for TLS, or --identity.",
    );
  }
  return true;
}

function controllerPlace(address: string, options: SidecarOptions): ControllerPlace {
  const { controllerCa, controllerToken, namespace, pod = "" } = options;
  if (controllerCa === undefined || controllerToken === undefined) {
    throw usageFailure(
      "--controller needs --controller-ca and --controller-token",
      "Add the files by which both sides know each other.",
    );
  }
  return {
    ...parseHostPort(address),
    authorityFile: controllerCa,
    tokenFile: controllerToken,
    namespace,
    pod,
    version: VERSION,
  };
}
