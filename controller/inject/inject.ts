/**
 * Injection: from a pod, its namespace and the settings of the mesh to a JSON patch. Pure, so the webhook and `weft inject` cannot
 * disagree. The order of init containers: capture, the sidecar, then the application's own, which have a network through the mesh.
 */
import { choose, type SidecarChoice } from "./choose.ts";
import {
  CA_ANNOTATION,
  HEALTH_PORT,
  initContainer,
  proxyContainer,
  runVolume,
} from "./containers.ts";
import { type PatchOperation, PatchWriter } from "./patch.ts";
import {
  allContainers,
  type ObjectMeta,
  type PodContainer,
  type PodObject,
  type PodProbe,
} from "./pod.ts";
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
  | Exclude<SidecarChoice, { kind: "inject" }>
  | {
    readonly kind: "inject";
    readonly patch: readonly PatchOperation[];
    readonly warnings: readonly string[];
  };

/** Says that a pod has been injected, and by which version's rules. */
const STATUS_ANNOTATION = "weft.dev/status";

export function inject(pod: PodObject, context: InjectionContext): Injection {
  const choice = choose(pod, context.namespace);
  if (choice.kind !== "inject") return choice;
  const { nativeSidecar } = context.settings;
  const facts = {
    settings: context.settings,
    workload: context.workload ?? ownerOf(pod.metadata ?? {}),
    isNative: nativeSidecar === "always" || (nativeSidecar === "auto" && context.nativeIsKnown),
  };
  const writer = new PatchWriter();
  const { spec, metadata = {} } = pod;
  // First, while the containers stand where they stood.
  rewriteProbes(pod, writer);
  const initPath = ["spec", "initContainers"];
  if (facts.isNative) {
    writer.prepend(initPath, spec.initContainers, proxyContainer(facts));
  } else {
    writer.prepend(["spec", "containers"], spec.containers, proxyContainer(facts));
  }
  writer.prepend(initPath, spec.initContainers, initContainer(facts));
  writer.append(["spec", "volumes"], spec.volumes, runVolume());
  if (pod.metadata === undefined) writer.set([], {}, "metadata", {});
  for (const [key, value] of annotationsOf(pod, context.settings)) {
    writer.set(["metadata", "annotations"], metadata.annotations, key, value);
  }
  return { kind: "inject", patch: writer.operations, warnings: warningsOf(pod, facts.isNative) };
}

function annotationsOf(
  pod: PodObject,
  settings: InjectionSettings,
): [key: string, value: string][] {
  const [application] = pod.spec.containers;
  const annotations = pod.metadata?.annotations ?? {};
  return [
    [STATUS_ANNOTATION, "injected"],
    [CA_ANNOTATION, settings.controllerCa],
    // What `kubectl exec` and `kubectl logs` mean where no container is named.
    ...["kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container"]
      .filter((key) => annotations[key] === undefined)
      .map((key): [string, string] => [key, application.name]),
  ];
}

const PROBES = ["startupProbe", "livenessProbe", "readinessProbe"] as const;

/** The proxy takes every connection, so it is asked whether the application takes them. */
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
function rewrite(probe: PodProbe | undefined, { ports = [] }: PodContainer): PodProbe | null {
  if (probe?.tcpSocket === undefined || (probe.tcpSocket.host ?? "") !== "") return null;
  const { tcpSocket, ...rest } = probe;
  const port = typeof tcpSocket.port === "number"
    ? tcpSocket.port
    : ports.find(({ name }) => name === tcpSocket.port)?.containerPort ?? Number(tcpSocket.port);
  // A name that no port has: the kubelet says so.
  if (!Number.isInteger(port)) return null;
  return { ...rest, httpGet: { path: `/tcp/${port}`, port: HEALTH_PORT, scheme: "HTTP" } };
}

function warningsOf(pod: PodObject, isNative: boolean): string[] {
  const { spec, metadata = {} } = pod;
  const admins = allContainers(pod)
    .filter(({ securityContext }) => securityContext?.capabilities?.add?.includes("NET_ADMIN"))
    .map(({ name }) =>
      `container "${name}" may change the network of the pod, and with it what the sidecar captures`
    );
  if (isNative) return admins;
  const owners = metadata.ownerReferences ?? [];
  return [
    ...admins,
    ...(owners.some(({ kind }) => kind === "Job")
      ? [
        "the sidecar runs on after the Job's own containers: the application has to POST /quitquitquit to 127.0.0.1:15000",
      ]
      : []),
    ...((spec.initContainers ?? []).length > 0
      ? [
        "init containers run before the sidecar and have no network: on these nodes it is an ordinary container",
      ]
      : []),
  ];
}
