/**
 * EndpointSlice (discovery.k8s.io/v1) and Endpoints (core v1), which become the same thing.
 */
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { EndpointSlice, SliceEndpoint } from "../resources.ts";

/** The label that names the Service of an EndpointSlice. */
const SERVICE_LABEL = "kubernetes.io/service-name";

/** Reads an EndpointSlice; one that names no Service is reported and belongs to none. */
export function readEndpointSlice(object: SourceObject): EndpointSlice | undefined {
  const service = object.meta.labels[SERVICE_LABEL];
  if (service === undefined || service === "") {
    object.report(
      "schema-invalid",
      ["metadata", "labels"],
      `Label "${SERVICE_LABEL}" is missing`,
      `Add the label "${SERVICE_LABEL}" with the name of the Service`,
    );
    return undefined;
  }
  return {
    meta: object.meta,
    service,
    ports: readPorts(object.root.at("ports")),
    endpoints: object.root.at("endpoints").objects().map(readSliceEndpoint),
  };
}

function readSliceEndpoint(field: Field): SliceEndpoint {
  const conditions = field.at("conditions");
  // Absent means ready (EndpointConditions.ready).
  const ready = conditions.at("ready").boolean() ?? true;
  const isEnding = !ready && conditions.at("serving").boolean() === true &&
    conditions.at("terminating").boolean() === true;
  return {
    addresses: field.at("addresses").strings(),
    ready,
    ...(isEnding ? { isEnding } : {}),
    hostname: field.at("hostname").string(),
    podName: readPodName(field),
    zone: field.at("zone").string(),
  };
}

/** One slice for each subset: a subset pairs its own addresses with its own ports. */
export function readEndpoints(object: SourceObject): readonly EndpointSlice[] {
  return object.root.at("subsets").objects().map((subset) => ({
    meta: object.meta,
    service: object.meta.name,
    ports: readPorts(subset.at("ports")),
    endpoints: [
      ...readAddresses(subset.at("addresses"), true),
      ...readAddresses(subset.at("notReadyAddresses"), false),
    ],
  }));
}

function readAddresses(list: Field, ready: boolean): SliceEndpoint[] {
  return list.objects().flatMap((field) => {
    const ip = field.at("ip").requiredString();
    if (ip === undefined) return [];
    return [{
      addresses: [ip],
      ready,
      hostname: field.at("hostname").string(),
      podName: readPodName(field),
      zone: undefined,
    }];
  });
}

function readPodName(field: Field): string | undefined {
  const target = field.at("targetRef");
  return target.at("kind").string() === "Pod" ? target.at("name").string() : undefined;
}

function readPorts(list: Field): EndpointSlice["ports"] {
  return list.objects().flatMap((field) => {
    const port = field.at("port").port();
    if (port === undefined) return [];
    const name = field.at("name").string() ?? "";
    return [{ name, port, appProtocol: field.at("appProtocol").string() }];
  });
}
