/**
 * Service (core v1): the fields that routing reads.
 */
import { type Field, isCarried, isRecord } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { Service, ServicePort } from "../resources.ts";

const SPEC_FIELDS = [
  "allocateLoadBalancerNodePorts",
  "clusterIP",
  "clusterIPs",
  "externalIPs",
  "externalName",
  "externalTrafficPolicy",
  "healthCheckNodePort",
  "internalTrafficPolicy",
  "ipFamilies",
  "ipFamilyPolicy",
  "loadBalancerClass",
  "loadBalancerIP",
  "loadBalancerSourceRanges",
  "ports",
  "publishNotReadyAddresses",
  "selector",
  "sessionAffinity",
  "sessionAffinityConfig",
  "trafficDistribution",
  "type",
];
const PORT_FIELDS = ["appProtocol", "name", "nodePort", "port", "protocol", "targetPort"];

/** Reads a Service; a bad port loses itself. */
export function readService(object: SourceObject): Service {
  if (object.isRefused) return refusedService(object);
  const spec = object.root.at("spec");
  spec.checkSlips(SPEC_FIELDS);
  const selector = spec.at("selector");
  const clusterIp = spec.at("clusterIP").string() ?? "";
  const clusterIps = spec.at("clusterIPs").strings();
  return {
    meta: object.meta,
    selector: selector.isPresent ? readSelector(selector).stringMap() : undefined,
    ports: spec.at("ports").objects().flatMap((port) => readPort(port) ?? []),
    clusterIps: (clusterIps.length > 0 ? clusterIps : [clusterIp])
      .filter((address) => address !== "" && address !== "None"),
    headless: clusterIp === "None" || clusterIps[0] === "None",
    publishNotReadyAddresses: spec.at("publishNotReadyAddresses").boolean() ?? false,
    ...(spec.at("type").string() === "ExternalName"
      ? { externalName: spec.at("externalName").string() ?? "" }
      : {}),
    ...readAffinity(spec),
  };
}

/** Workloads have their labels one level deeper; meant so, they are clear enough to count. */
function readSelector(selector: Field): Field {
  const labels = selector.at("matchLabels");
  if (!isRecord(labels.value)) return selector;
  labels.report(
    'A Service\'s selector has no "matchLabels"',
    'Write the labels in "selector" itself',
  );
  return labels;
}

function refusedService({ meta }: SourceObject): Service {
  return {
    meta,
    selector: undefined,
    ports: [],
    clusterIps: [],
    headless: false,
    publishNotReadyAddresses: false,
    isRefused: true,
  };
}

/** What the API server writes if nothing is written: three hours, in seconds. */
const DEFAULT_AFFINITY = 10_800;

function readAffinity(spec: Field): Pick<Service, "clientIpAffinity"> {
  const affinity = spec.at("sessionAffinity");
  const word = affinity.string() ?? "";
  if (word === "" || word === "None") return {};
  if (word !== "ClientIP") {
    affinity.report(`"${word.slice(0, 60)}" is no session affinity`, "Write ClientIP or None");
    return {};
  }
  const timeout = spec.at("sessionAffinityConfig").at("clientIP").at("timeoutSeconds");
  const seconds = timeout.integer({ min: 1, max: 86_400 }) ?? DEFAULT_AFFINITY;
  const timeoutSeconds = seconds === DEFAULT_AFFINITY ? null : seconds;
  return { clientIpAffinity: { timeoutSeconds } };
}

function readPort(field: Field): ServicePort | undefined {
  field.checkSlips(PORT_FIELDS);
  const number = field.at("port");
  const port = number.port();
  if (!number.isPresent) number.reportMissing();
  if (port === undefined) return undefined;
  const target = field.at("targetPort");
  const isName = typeof target.value === "string" && !/^\d+$/.test(target.value);
  const targetPort = isName ? readPortName(target) : target.port();
  if (target.isPresent && targetPort === undefined) return undefined;
  return {
    name: readOwnName(field.at("name")),
    port,
    targetPort: targetPort ?? port,
    protocol: readProtocol(field),
    appProtocol: field.at("appProtocol").string(),
    at: field.path,
  };
}

/** Empty if there is none, or one that no port can have. */
function readOwnName(field: Field): string {
  const name = field.string() ?? "";
  if (name === "" || isCarried(name)) return name;
  field.report(`"${name.slice(0, 60)}" is not the name of a port`, "Correct the name");
  return "";
}

/** The name of a container port: Kubernetes wants a letter in it, so that it cannot be taken for a number. */
function readPortName(field: Field): string | undefined {
  const name = String(field.value);
  if (/[a-z]/.test(name)) return name;
  field.report(`Text "${name}" is not the name of a port`, "Write the name of a container port");
  return undefined;
}

/** `TCP` where there is none. */
export function readProtocol(field: Field): string {
  return field.at("protocol").string() || "TCP";
}
