/**
 * Pod (core v1) and the pod templates of workloads: the fields that routing and the local mesh read.
 */
import { type Field, isCarried, METADATA_FIELDS } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type {
  Container,
  ContainerPort,
  MutualTls,
  Pod,
  PodTemplate,
  RunsAs,
} from "../resources.ts";
import { parsePortRange, wordsOfList } from "../../base/capture_lists.ts";
import { INIT_NAME, PROXY_NAME, PROXY_PORTS } from "../../base/sidecar_pod.ts";
import { readProtocol } from "./service.ts";

const POD_SPEC_FIELDS = [
  "activeDeadlineSeconds",
  "affinity",
  "automountServiceAccountToken",
  "containers",
  "dnsConfig",
  "dnsPolicy",
  "enableServiceLinks",
  "ephemeralContainers",
  "hostAliases",
  "hostIPC",
  "hostNetwork",
  "hostPID",
  "hostUsers",
  "hostname",
  "hostnameOverride",
  "imagePullSecrets",
  "initContainers",
  "nodeName",
  "nodeSelector",
  "os",
  "overhead",
  "preemptionPolicy",
  "priority",
  "priorityClassName",
  "readinessGates",
  "resourceClaims",
  "resources",
  "restartPolicy",
  "runtimeClassName",
  "schedulerName",
  "schedulingGates",
  "schedulingGroup",
  "securityContext",
  "serviceAccount",
  "serviceAccountName",
  "setHostnameAsFQDN",
  "shareProcessNamespace",
  "subdomain",
  "terminationGracePeriodSeconds",
  "tolerations",
  "topologySpreadConstraints",
  "volumes",
  "workloadRef",
];
const CONTAINER_FIELDS = [
  "args",
  "command",
  "env",
  "envFrom",
  "image",
  "imagePullPolicy",
  "lifecycle",
  "livenessProbe",
  "name",
  "ports",
  "readinessProbe",
  "resizePolicy",
  "resources",
  "restartPolicy",
  "restartPolicyRules",
  "securityContext",
  "startupProbe",
  "stdin",
  "stdinOnce",
  "terminationMessagePath",
  "terminationMessagePolicy",
  "tty",
  "volumeDevices",
  "volumeMounts",
  "workingDir",
];
const CONTAINER_PORT_FIELDS = ["containerPort", "hostIP", "hostPort", "name", "protocol"];

/** Reads a Pod. */
export function readPod(object: SourceObject): Pod {
  const { root, meta } = object;
  return {
    meta,
    template: readPodSpec(root.at("spec"), meta.labels, meta.annotations),
    ips: readIps(root.at("status")),
    ready: isReady(root),
    owner: readOwner(root.at("metadata")),
  };
}

/** Reads a pod template (`spec.template` of a workload). */
export function readPodTemplate(field: Field): PodTemplate {
  const metadata = field.at("metadata");
  metadata.checkSlips(METADATA_FIELDS);
  return readPodSpec(
    field.at("spec"),
    metadata.at("labels").stringMap(),
    metadata.at("annotations").stringMap(),
  );
}

/** The controller among `ownerReferences`, else the first of them. */
export function readOwner(metadata: Field): { kind: string; name: string } | undefined {
  const references = metadata.at("ownerReferences").objects();
  const controller = references.find((reference) => reference.at("controller").value === true);
  const reference = controller ?? references[0];
  const kind = reference?.at("kind").string();
  const name = reference?.at("name").string();
  return kind === undefined || name === undefined ? undefined : { kind, name };
}

function readPodSpec(
  spec: Field,
  labels: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>>,
): PodTemplate {
  spec.checkSlips(POD_SPEC_FIELDS);
  return {
    labels,
    annotations,
    // `serviceAccount` is the older name of the same field.
    serviceAccount: readAccount(spec.at("serviceAccountName")) ||
      readAccount(spec.at("serviceAccount")) || "default",
    containers: spec.at("containers").objects().map(readContainer),
    ...readRunsAs(spec),
    ...(spec.at("hostNetwork").value === true ? { hostNetwork: true } : {}),
    ...readMutualTls(spec),
    hostname: spec.at("hostname").string(),
    subdomain: spec.at("subdomain").string(),
  };
}

/** Undefined if there is none, or one that no account can have. */
function readAccount(field: Field): string | undefined {
  const name = field.string();
  if (name === undefined || name === "" || isCarried(name)) return name;
  field.report(`"${name.slice(0, 60)}" is not the name of a service account`, "Correct the name");
  return undefined;
}

function readContainer(field: Field): Container {
  field.checkSlips(CONTAINER_FIELDS);
  return {
    name: field.at("name").requiredString() ?? "",
    image: field.at("image").string() ?? "",
    command: [...field.at("command").strings(), ...field.at("args").strings()],
    ports: field.at("ports").objects().flatMap((port) => readContainerPort(port) ?? []),
    ...readRunsAs(field),
  };
}

/** As injection has written it; what is not captured does not come to the sidecar. */
function readMutualTls(spec: Field): { mutualTls?: MutualTls } {
  const containers = [
    ...spec.at("initContainers").objects(),
    ...spec.at("containers").objects(),
  ];
  const argumentsOf = (wanted: string) =>
    containers.find((container) => container.at("name").value === wanted)?.at("args").strings() ??
      [];
  if (!argumentsOf(PROXY_NAME).includes("--identity=controller")) return {};
  const ofInit = argumentsOf(INIT_NAME);
  const list = ofInit[ofInit.indexOf("--inbound-port-exclusion-list") + 1] ?? "";
  const excluded = wordsOfList(list).flatMap((word) => parsePortRange(word) ?? []);
  return { mutualTls: { excludedPorts: [...PROXY_PORTS, ...excluded] } };
}

/** Of a pod or a container. What is no number is for the API server to refuse. */
function readRunsAs(field: Field): { runsAs?: RunsAs } {
  const context = field.at("securityContext");
  const user = context.at("runAsUser").value;
  const group = context.at("runAsGroup").value;
  const runsAs = {
    ...(typeof user === "number" ? { user } : {}),
    ...(typeof group === "number" ? { group } : {}),
  };
  return Object.keys(runsAs).length === 0 ? {} : { runsAs };
}

function readContainerPort(field: Field): ContainerPort | undefined {
  field.checkSlips(CONTAINER_PORT_FIELDS);
  const number = field.at("containerPort");
  const containerPort = number.port();
  if (!number.isPresent) number.reportMissing();
  if (containerPort === undefined) return undefined;
  return { name: field.at("name").string() ?? "", containerPort, protocol: readProtocol(field) };
}

function readIps(status: Field): readonly string[] {
  const ips = status.at("podIPs").objects().flatMap((item) => item.at("ip").string() ?? []);
  const ip = status.at("podIP").string();
  return ips.length > 0 || !ip ? ips : [ip];
}

/** As an endpoints controller sees it; a manifest, which has no status, counts as ready. */
function isReady(root: Field): boolean {
  if (root.at("metadata").at("deletionTimestamp").isPresent) return false;
  const status = root.at("status");
  const conditions = status.at("conditions").objects();
  const ready = conditions.find((condition) => condition.at("type").value === "Ready");
  if (ready !== undefined) return ready.at("status").value === "True";
  const phase = status.at("phase").string() ?? "Running";
  return phase === "Running";
}
