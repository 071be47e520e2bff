/**
 * Injection: from a pod, its namespace and the settings of the mesh to a JSON patch. Pure, so the webhook and `weft inject` cannot
 * disagree. The order of init containers: capture, the sidecar, then the application's own, which have a network through the mesh.
 */
import { wordsOfList } from "../../base/capture_lists.ts";
import { MTLS_ANNOTATION, MTLS_FORM, parseMtlsRules } from "../../base/mtls_mode.ts";
import { settingsOf } from "./annotations.ts";
import { PROXY_NAME } from "../../base/sidecar_pod.ts";
import { choose, type SidecarChoice } from "./choose.ts";
import {
  CA_ANNOTATION,
  HEALTH_PORT,
  IDENTITY_ARGUMENT,
  initContainer,
  proxyContainer,
  runVolume,
  type SidecarFacts,
} from "./containers.ts";
import { GRACE_SECONDS } from "./limits.ts";
import { type PatchOperation, PatchWriter } from "./patch.ts";
import {
  allContainers,
  type ObjectMeta,
  type PodContainer,
  type PodObject,
  type PodProbe,
} from "./pod.ts";
import { asksForMetrics, SCRAPED } from "./scraped.ts";
import type { InjectionSettings } from "./settings.ts";
import { ownerOf } from "./workload.ts";

export interface InjectionContext {
  readonly settings: InjectionSettings;
  /** Labels and annotations of the pod's namespace, as far as they are known. */
  readonly namespace: ObjectMeta;
  /** Every kubelet knows init containers that restart always. */
  readonly nativeIsKnown: boolean;
  /** `Deployment/web`, where it does not stand in the pod, which has not been made yet. */
  readonly workload?: string;
}

type Injection =
  | Exclude<SidecarChoice, { kind: "inject" | "injected" }>
  | {
    readonly kind: "inject";
    readonly patch: readonly PatchOperation[];
    readonly warnings: readonly string[];
  }
  /** It has a sidecar; the patch, which is often empty, gives it what it lacks. */
  | { readonly kind: "complete"; readonly patch: readonly PatchOperation[] };

/** Says that a pod has been injected, and by which version's rules. */
export const STATUS_ANNOTATION = "weft.dev/status";

/** What `kubectl exec` and `kubectl logs` mean where no container is named. */
export const DEFAULT_CONTAINERS = [
  "kubectl.kubernetes.io/default-container",
  "kubectl.kubernetes.io/default-logs-container",
];

export function inject(pod: PodObject, context: InjectionContext): Injection {
  const choice = choose(pod, context.namespace);
  if (choice.kind === "injected") return complete(pod, context);
  if (choice.kind !== "inject") return choice;
  const { metadata = {} } = pod;
  const chosen = settingsOf(metadata, context.namespace, context.settings);
  if (chosen.kind === "refuse") return chosen;
  const { settings } = chosen;
  const problem = whyNotMode(metadata);
  if (problem !== null) return { kind: "refuse", message: problem };
  const isNative = settings.nativeSidecar === "always" ||
    (settings.nativeSidecar === "auto" && context.nativeIsKnown);
  const writer = new PatchWriter();
  // First, while the containers stand where they stood.
  rewriteProbes(pod, writer);
  const facts = {
    settings,
    workload: context.workload ?? ownerOf(metadata),
    isNative,
    probes: probesOf(pod),
    mtlsMode: metadata.annotations?.[MTLS_ANNOTATION]?.trim() ?? "",
    graceSeconds: pod.spec.terminationGracePeriodSeconds ?? GRACE_SECONDS,
  };
  addContainers(pod, facts, writer);
  addPullSecrets(pod, wordsOfList(settings.imagePullSecrets), writer);
  annotate(pod, annotationsOf(pod, context.namespace, settings), writer);
  const warnings = [...chosen.warnings, ...warningsOf(pod, facts)];
  return { kind: "inject", patch: writer.operations, warnings };
}

/** An ordinary sidecar cannot serve init containers: they run before capture begins, and so past the mesh. */
function addContainers({ spec }: PodObject, facts: SidecarFacts, writer: PatchWriter): void {
  const initPath = ["spec", "initContainers"];
  if (facts.isNative) {
    writer.prepend(initPath, spec.initContainers, proxyContainer(facts));
    writer.prepend(initPath, spec.initContainers, initContainer(facts));
  } else {
    writer.prepend(["spec", "containers"], spec.containers, proxyContainer(facts));
    writer.append(initPath, spec.initContainers, initContainer(facts));
  }
  writer.append(["spec", "volumes"], spec.volumes, runVolume());
}

/** Beside those that the pod has of its own, or of its account. One that is not there the kubelet passes over. */
function addPullSecrets(
  { spec: { imagePullSecrets = [] } }: PodObject,
  names: readonly string[],
  writer: PatchWriter,
): void {
  const known = imagePullSecrets.map(({ name }) => name);
  const list = imagePullSecrets.length === 0 ? undefined : imagePullSecrets;
  for (const name of names.filter((each) => !known.includes(each))) {
    writer.append(["spec", "imagePullSecrets"], list, { name });
  }
}

/**
 * What a pod with a sidecar may lack: another webhook has added a container with a probe, `kubectl debug` has made a copy without
 * annotations, or it was injected offline for an authority that has been replaced.
 */
function complete(pod: PodObject, { namespace, settings }: InjectionContext): Injection {
  const writer = new PatchWriter();
  rewriteProbes(pod, writer);
  addProbes(pod, writer);
  addPullSecrets(pod, wordsOfList(settings.imagePullSecrets), writer);
  const annotations = pod.metadata?.annotations ?? {};
  const lacking = annotationsOf(pod, namespace, settings)
    .filter(([key, value]) => annotations[key] !== value);
  annotate(pod, lacking, writer);
  return { kind: "complete", patch: writer.operations };
}

/** To a sidecar that has an identity, those of containers that came later. */
function addProbes(pod: PodObject, writer: PatchWriter): void {
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, { name, args = [] }] of (pod.spec[list] ?? []).entries()) {
      if (name !== PROXY_NAME || !args.includes(IDENTITY_ARGUMENT)) continue;
      for (const probe of probesOf(pod)) {
        const argument = `--probe=${probe}`;
        if (!args.includes(argument)) {
          writer.append(["spec", list, String(index), "args"], args, argument);
        }
      }
    }
  }
}

function annotate(
  { metadata }: PodObject,
  annotations: readonly (readonly [key: string, value: string])[],
  writer: PatchWriter,
): void {
  if (metadata === undefined && annotations.length > 0) writer.set([], {}, "metadata", {});
  for (const [key, value] of annotations) {
    writer.set(["metadata", "annotations"], metadata?.annotations, key, value);
  }
}

function annotationsOf(
  pod: PodObject,
  namespace: ObjectMeta,
  settings: InjectionSettings,
): [key: string, value: string][] {
  const application = pod.spec.containers.find(({ name }) => name !== PROXY_NAME);
  const annotations = pod.metadata?.annotations ?? {};
  return [
    [STATUS_ANNOTATION, "injected"],
    [CA_ANNOTATION, settings.controllerCa],
    ...DEFAULT_CONTAINERS
      .flatMap((key): [string, string][] =>
        application === undefined || annotations[key] !== undefined ? [] : [[key, application.name]]
      ),
    ...asksForMetrics(namespace) && annotations[SCRAPED[0][0]] === undefined ? SCRAPED : [],
  ];
}

export const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"] as const;

/** The proxy takes every connection, so it is asked whether the application takes them; and by HTTPS it asks itself. */
function rewriteProbes({ spec }: PodObject, writer: PatchWriter): void {
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (spec[list] ?? []).entries()) {
      for (const kind of PROBES) {
        const rewritten = rewrite(container[kind], container);
        if (rewritten !== null) writer.replace(["spec", list, index, kind], rewritten);
      }
    }
  }
}

/** Null: it may stay as it is. A probe of another host does not come to this pod. */
function rewrite(probe: PodProbe | undefined, container: PodContainer): PodProbe | null {
  const { tcpSocket, httpGet, ...rest } = probe ?? {};
  const asked = tcpSocket ?? (httpGet !== undefined && isHttps(httpGet) ? httpGet : undefined);
  if (asked === undefined || (asked.host ?? "") !== "") return null;
  const port = portNumber(asked.port, container);
  // A name that no port has: the kubelet says so.
  if (port === null) return null;
  const path = httpGet === undefined ? `/tcp/${port}` : `/https/${port}${pathOf(httpGet)}`;
  return { ...rest, httpGet: { ...httpGet, path, port: HEALTH_PORT, scheme: "HTTP" } };
}

function pathOf({ path = "/" }: NonNullable<PodProbe["httpGet"]>): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Null: the container has no port of that name. */
function portNumber(port: number | string, { ports = [] }: PodContainer): number | null {
  const number = typeof port === "number"
    ? port
    : ports.find(({ name }) => name === port)?.containerPort ?? Number(port);
  return Number.isInteger(number) ? number : null;
}

/** What the kubelet asks by HTTP and gRPC: it has no certificate, wherever callers must have one. */
function probesOf(pod: PodObject): string[] {
  const others = allContainers(pod).filter(({ name }) => name !== PROXY_NAME);
  const probes = others.flatMap((container) =>
    PROBES.flatMap((kind) => {
      const { httpGet, grpc } = container[kind] ?? {};
      if (grpc !== undefined) return [`${grpc.port}/grpc.health.v1.Health/Check`];
      if (httpGet === undefined || (httpGet.host ?? "") !== "") return [];
      const port = portNumber(httpGet.port, container);
      // What stands for a tcpSocket probe is not the application's.
      if (port === HEALTH_PORT) return [];
      if (port === null) return [];
      return [`${isHttps(httpGet) ? "https:" : ""}${port}${pathOf(httpGet)}`];
    })
  );
  return [...new Set(probes)];
}

function isHttps({ scheme }: NonNullable<PodProbe["httpGet"]>): boolean {
  return scheme?.toUpperCase() === "HTTPS";
}

function whyNotMode({ annotations = {} }: ObjectMeta): string | null {
  const text = annotations[MTLS_ANNOTATION];
  if (text === undefined || parseMtlsRules(text) !== null) return null;
  return `annotation ${MTLS_ANNOTATION} cannot be ${
    JSON.stringify(text)
  }: write ${MTLS_FORM}, or remove it`;
}

/** Ports that the sidecar listens on: an application cannot have them. */
const OWN_PORTS = [15000, 15001, 15003, HEALTH_PORT];

/** Where names of Services are not known, unless the pod's own settings make them known. */
const OTHER_DNS = ["Default", "None"];
const DNS_WARNING =
  "dnsPolicy is not ClusterFirst: the sidecar has to find its controller by the name of a Service";

function warningsOf(pod: PodObject, { isNative }: SidecarFacts): string[] {
  const { dnsPolicy = "ClusterFirst", restartPolicy = "Always" } = pod.spec;
  const ofContainers = allContainers(pod).flatMap((container) => {
    const { name, securityContext, ports = [] } = container;
    const taken = ports.find(({ containerPort }) => OWN_PORTS.includes(containerPort));
    return [
      ...(securityContext?.capabilities?.add?.includes("NET_ADMIN")
        ? [
          `container "${name}" may change the network of the pod, and with it what the sidecar captures`,
        ]
        : []),
      ...(taken === undefined
        ? []
        : [`container "${name}" has port ${taken.containerPort}, which is the sidecar's`]),
    ];
  });
  const own = [...ofContainers, ...(OTHER_DNS.includes(dnsPolicy) ? [DNS_WARNING] : [])];
  if (isNative) return own;
  return [
    ...own,
    ...(restartPolicy === "Always" ? [] : [
      "the sidecar runs on after the pod's own containers: the application has to POST /quitquitquit to 127.0.0.1:15000",
    ]),
    ...((pod.spec.initContainers ?? []).length > 0
      ? [
        "init containers run before the sidecar, and go past the mesh: on these nodes it is an ordinary container",
      ]
      : []),
  ];
}
