/** The containers and the volume that injection adds. Pure. */
import { DEFAULT_TRUST_DOMAIN } from "../../base/spiffe.ts";
import { PROXY_USER_ID } from "../../base/proxy_user.ts";
import { INIT_NAME, PROXY_NAME } from "../../base/sidecar_pod.ts";
import { VOLUME_NAME } from "./choose.ts";
import {
  ACCEPT_SECONDS_MAX,
  END_RESERVE_SECONDS,
  LIVENESS_FAILURES_MAX,
  PROBE_SECONDS,
  PROBE_TIMEOUT_SECONDS,
  START_PROBE_SECONDS,
  START_SECONDS_MAX,
  TOKEN_SECONDS,
} from "./limits.ts";
import type { InjectionSettings } from "./settings.ts";

/** Where the kubelet and Prometheus ask; capture leaves it alone. */
export const HEALTH_PORT = 15010;
/** The annotation that holds the certificates which the controller is known by; the pod has it as a file. */
export const CA_ANNOTATION = "weft.dev/controller-ca";

/** By this others know that the sidecar takes mutual TLS. */
export const IDENTITY_ARGUMENT = "--identity=controller";

const RUN = "/var/run/weft";
const COMMAND = "/usr/local/bin/weft";
const WAIT = [COMMAND, "proxy-wait", `--timeout=${START_SECONDS_MAX}s`];

export interface SidecarFacts {
  readonly settings: InjectionSettings;
  /** Kind and name of what owns the pod, such as `Deployment/web`; empty if that is unknown. */
  readonly workload: string;
  /** The sidecar is an init container that restarts always. */
  readonly isNative: boolean;
  /** Requests that the kubelet makes of the application, as `weft proxy --probe` takes them. */
  readonly probes: readonly string[];
  /** What the pod says of callers without mutual TLS; empty: nothing. */
  readonly mtlsMode: string;
  /** Seconds from the pod's SIGTERM to its SIGKILL. */
  readonly graceSeconds: number;
}

/** Captures the traffic of the pod, and ends. */
export function initContainer({ settings }: SidecarFacts): unknown {
  const list = (name: string, value: string) => value === "" ? [] : [`--${name}`, value];
  return {
    name: INIT_NAME,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    command: [COMMAND],
    args: [
      "proxy-init",
      // It is known here that the pod has a network of its own.
      "--yes",
      // Where the application is called at the pod's address, the proxy's own way there is no detour.
      ...(settings.localProxyMode === "PodIP" ? ["--no-hairpin"] : []),
      ...list("outbound-port-exclusion-list", settings.outboundPortExclusionList),
      ...list("outbound-ip-range-exclusion-list", settings.outboundIpRangeExclusionList),
      ...list("outbound-ip-range-inclusion-list", settings.outboundIpRangeInclusionList),
      ...list("inbound-port-exclusion-list", settings.inboundPortExclusionList),
    ],
    // The root file system is read-only, and legacy iptables wants a file to lock.
    env: [{ name: "XTABLES_LOCKFILE", value: "/dev/shm/xtables.lock" }],
    resources: resourcesOf(settings),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"], add: ["NET_ADMIN", "NET_RAW"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 0,
      runAsNonRoot: false,
      runAsUser: 0,
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

export function proxyContainer(facts: SidecarFacts): unknown {
  const { settings, isNative } = facts;
  return {
    name: PROXY_NAME,
    image: settings.image,
    imagePullPolicy: settings.imagePullPolicy,
    ...(isNative ? { restartPolicy: "Always" } : {}),
    command: [COMMAND],
    args: proxyArguments(facts),
    env: [
      fieldVariable("POD_IPS", "status.podIPs"),
      fieldVariable("POD_NAME", "metadata.name"),
      fieldVariable("POD_NAMESPACE", "metadata.namespace"),
      fieldVariable("SERVICE_ACCOUNT", "spec.serviceAccountName"),
      ...collectorVariable(settings),
    ],
    ports: [{ name: "weft-health", containerPort: HEALTH_PORT, protocol: "TCP" }],
    startupProbe: {
      ...healthProbe("/readyz", START_PROBE_SECONDS),
      failureThreshold: START_SECONDS_MAX / START_PROBE_SECONDS,
    },
    livenessProbe: {
      ...healthProbe("/healthz", PROBE_SECONDS),
      failureThreshold: LIVENESS_FAILURES_MAX,
    },
    readinessProbe: { ...healthProbe("/readyz", PROBE_SECONDS), failureThreshold: 3 },
    // What is not native is started beside the application, which the kubelet holds until this has ended.
    ...(isNative ? {} : { lifecycle: { postStart: { exec: { command: WAIT } } } }),
    resources: resourcesOf(settings),
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: PROXY_USER_ID,
      runAsNonRoot: true,
      runAsUser: PROXY_USER_ID,
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: VOLUME_NAME, mountPath: RUN, readOnly: true }],
  };
}

function proxyArguments(
  { settings, workload, isNative, probes, mtlsMode, graceSeconds }: SidecarFacts,
): string[] {
  return [
    "proxy",
    "--capture",
    ...(isNative ? ["--native-sidecar"] : []),
    // What listens on loopback alone stays private.
    settings.localProxyMode === "PodIP" ? "--app=$(POD_IPS)" : "--app=127.0.0.1:0",
    "--admin=127.0.0.1:15000",
    `--health=0.0.0.0:${HEALTH_PORT}`,
    `--controller=${settings.controller}`,
    `--controller-ca=${RUN}/ca.crt`,
    `--controller-token=${RUN}/token`,
    IDENTITY_ARGUMENT,
    ...(settings.trustDomain === DEFAULT_TRUST_DOMAIN
      ? []
      : [`--trust-domain=${settings.trustDomain}`]),
    ...(mtlsMode === "" ? [] : [`--inbound-mtls=${mtlsMode}`]),
    ...probes.map((probe) => `--probe=${probe}`),
    "--namespace=$(POD_NAMESPACE)",
    "--service-account=$(SERVICE_ACCOUNT)",
    "--pod=$(POD_NAME)",
    ...(workload === "" ? [] : [`--workload=${workload}`]),
    ...endArguments(isNative, graceSeconds),
    `--log-level=${settings.logLevel}`,
    ...(settings.accessLog === "none" ? [] : [`--access-log=${settings.accessLog}`]),
    ...(settings.tracingEndpoint === "" ? [] : [`--trace-sample=${settings.traceSample}`]),
  ];
}

/** An end that takes longer than the pod's own would be a SIGKILL. */
function endArguments(isNative: boolean, graceSeconds: number): string[] {
  const drainSeconds = Math.max(1, graceSeconds - END_RESERVE_SECONDS);
  // Beside an application that ends at the same time clients still come for a while.
  const acceptSeconds = Math.min(ACCEPT_SECONDS_MAX, Math.ceil(drainSeconds / 2));
  return [
    ...(isNative ? [] : [`--accept-timeout=${acceptSeconds}s`]),
    `--drain-timeout=${drainSeconds}s`,
  ];
}

/** A token by which the controller knows the pod, and the certificates by which the pod knows the controller. */
export function runVolume(): unknown {
  const token = { audience: "weft", expirationSeconds: TOKEN_SECONDS, path: "token" };
  const ca = {
    path: "ca.crt",
    fieldRef: { apiVersion: "v1", fieldPath: `metadata.annotations['${CA_ANNOTATION}']` },
  };
  return {
    name: VOLUME_NAME,
    projected: { sources: [{ serviceAccountToken: token }, { downwardAPI: { items: [ca] } }] },
  };
}

/** Where spans go; without one there are none. */
function collectorVariable({ tracingEndpoint }: InjectionSettings): unknown[] {
  return tracingEndpoint === ""
    ? []
    : [{ name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: tracingEndpoint }];
}

function fieldVariable(name: string, fieldPath: string): unknown {
  return { name, valueFrom: { fieldRef: { apiVersion: "v1", fieldPath } } };
}

function healthProbe(path: string, periodSeconds: number) {
  const httpGet = { path, port: HEALTH_PORT, scheme: "HTTP" };
  return { httpGet, periodSeconds, timeoutSeconds: PROBE_TIMEOUT_SECONDS };
}

function resourcesOf(settings: InjectionSettings): unknown {
  const { cpuRequest, memoryRequest, memoryLimit, cpuLimit } = settings;
  return {
    requests: { cpu: cpuRequest, memory: memoryRequest },
    limits: { ...(cpuLimit === "" ? {} : { cpu: cpuLimit }), memory: memoryLimit },
  };
}
