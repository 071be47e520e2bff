/**
 * The kinds of the Gateway API that Weft reads, as schemas: their fields in all versions and channels, also those that Weft cannot
 * obey, so that these are told from fields that do not exist. Definitions of the kinds are not Weft's to install.
 */
import type { OpenApiSchema } from "../crds/definitions.ts";

export const GATEWAY_GROUP = "gateway.networking.k8s.io";

type Properties = Readonly<Record<string, OpenApiSchema>>;

const text: OpenApiSchema = { type: "string" };
const freeForm: OpenApiSchema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function whole(minimum: number, maximum: number): OpenApiSchema {
  return { type: "integer", minimum, maximum };
}

function object(properties: Properties, required: readonly string[] = []): OpenApiSchema {
  return { type: "object", properties, required };
}

function list(items: OpenApiSchema): OpenApiSchema {
  return { type: "array", items };
}

function oneOf(...values: readonly string[]): OpenApiSchema {
  return { type: "string", enum: values };
}

/** Anything of the shape is taken: whether it can be obeyed is said elsewhere. */
const unread: OpenApiSchema = {};

const port = whole(1, 65_535);
const duration: OpenApiSchema = { type: "string", pattern: "^([0-9]{1,5}(h|m|s|ms)){1,4}$" };
const headerName: OpenApiSchema = {
  type: "string",
  description: "The name of a header",
  pattern: "^[-!#$%&'*+.^_`|~0-9A-Za-z]{1,256}$",
};
const path: OpenApiSchema = {
  type: "string",
  description: 'A path that begins with "/"',
  pattern: "^(/[^?#]{0,1023})?$",
};

const parentRef = object({
  group: text,
  kind: text,
  namespace: text,
  name: text,
  sectionName: text,
  port,
}, ["name"]);

const objectRef: Properties = { group: text, kind: text, namespace: text, name: text, port };
const weight = whole(0, 1_000_000);

const header = object({ name: headerName, value: text }, ["name", "value"]);
const headerModifier = object({ set: list(header), add: list(header), remove: list(headerName) });
const pathModifier = object({
  type: oneOf("ReplaceFullPath", "ReplacePrefixMatch"),
  replaceFullPath: path,
  replacePrefixMatch: path,
}, ["type"]);

const mirror = object({
  backendRef: object(objectRef, ["name"]),
  percent: whole(0, 100),
  fraction: object({ numerator: whole(0, 2 ** 31 - 1), denominator: whole(1, 2 ** 31 - 1) }, [
    "numerator",
  ]),
}, ["backendRef"]);

const grpcFilter: Properties = {
  type: text,
  requestHeaderModifier: headerModifier,
  responseHeaderModifier: headerModifier,
  requestMirror: mirror,
  extensionRef: unread,
};

const httpFilter: Properties = {
  ...grpcFilter,
  requestRedirect: object({
    scheme: oneOf("http", "https"),
    hostname: text,
    path: pathModifier,
    port,
    statusCode: { type: "integer", minimum: 301, maximum: 308 },
  }),
  urlRewrite: object({ hostname: text, path: pathModifier }),
  cors: unread,
  externalAuth: unread,
};

function backendRef(filter: Properties | null): OpenApiSchema {
  const filters = filter === null ? {} : { filters: list(object(filter, ["type"])) };
  return object({ ...objectRef, weight, ...filters }, ["name"]);
}

const VALUE_TYPES = oneOf("Exact", "RegularExpression");
const headerMatch = object({ type: VALUE_TYPES, name: headerName, value: text }, ["name", "value"]);

const httpMatch = object({
  path: object({ type: oneOf("Exact", "PathPrefix", "RegularExpression"), value: text }),
  headers: list(headerMatch),
  queryParams: list(object({ type: VALUE_TYPES, name: text, value: text }, ["name", "value"])),
  method: oneOf(
    ...["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"],
  ),
});

const grpcMatch = object({
  method: object({ type: VALUE_TYPES, service: text, method: text }),
  headers: list(headerMatch),
});

const sessionPersistence = unread;

const httpRule = object({
  name: text,
  matches: list(httpMatch),
  filters: list(object(httpFilter, ["type"])),
  backendRefs: list(backendRef(httpFilter)),
  timeouts: object({ request: duration, backendRequest: duration }),
  retry: object({ codes: list(whole(400, 599)), attempts: whole(0, 100), backoff: duration }),
  sessionPersistence,
});

const grpcRule = object({
  name: text,
  matches: list(grpcMatch),
  filters: list(object(grpcFilter, ["type"])),
  backendRefs: list(backendRef(grpcFilter)),
  sessionPersistence,
});

const tcpRule = object({ name: text, backendRefs: list(backendRef(null)) }, ["backendRefs"]);

function route(rule: OpenApiSchema, more: Properties): OpenApiSchema {
  return kind(object({
    parentRefs: list(parentRef),
    // In the experimental channel: which default parents a route has.
    useDefaultGateways: text,
    rules: list(rule),
    ...more,
  }));
}

function kind(spec: OpenApiSchema): OpenApiSchema {
  return object({ apiVersion: text, kind: text, metadata: freeForm, status: freeForm, spec }, [
    "spec",
  ]);
}

const hostnames = { hostnames: list(text) };

const grant = object({
  from: list(object({ group: text, kind: text, namespace: text }, ["group", "kind", "namespace"])),
  to: list(object({ group: text, kind: text, name: text }, ["group", "kind"])),
}, ["from", "to"]);

/** By kind. */
export const GATEWAY_SCHEMAS: Readonly<Record<string, OpenApiSchema>> = {
  HTTPRoute: route(httpRule, hostnames),
  GRPCRoute: route(grpcRule, hostnames),
  TCPRoute: route(tcpRule, {}),
  ReferenceGrant: kind(grant),
};
