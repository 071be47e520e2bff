/**
 * HTTPRouteGroup v1alpha1 to v1alpha4 to the one internal shape (smi-spec traffic-specs).
 *
 * A condition that cannot be read loses its match item, never just itself: without it the item would match more
 * than it says.
 */
import { describe, type Field, isRecord, textHint } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import type { HeaderCondition, HttpRouteGroup, HttpRouteMatch } from "../resources.ts";

/** What `methods` may hold beside `*`; the CRD has the same list. */
export const HTTP_METHODS: readonly string[] = [
  "GET",
  "HEAD",
  "PUT",
  "POST",
  "DELETE",
  "CONNECT",
  "OPTIONS",
  "TRACE",
  "PATCH",
];

/** Reads a route group. The schema of its version has been checked. */
export function readHttpRouteGroup(object: SourceObject): HttpRouteGroup {
  const list = locateMatches(object);
  const unreadable: string[] = [];
  const matches = list.objects().flatMap((item) => {
    const match = readMatch(object, item);
    if (match === undefined) unreadable.push(item.at("name").string() ?? "");
    return match ?? [];
  });
  if (object.isRefused || !Array.isArray(list.value)) {
    return { meta: object.meta, matches: [], isRefused: true };
  }
  return { meta: object.meta, matches, ...(unreadable.length === 0 ? {} : { unreadable }) };
}

/** `spec.matches` since v1alpha3, `matches` before; the other place where the right one is empty. */
function locateMatches(object: SourceObject): Field {
  const old = object.root.at("matches");
  const current = object.root.at("spec").at("matches");
  if (object.version === "v1alpha1" || object.version === "v1alpha2") {
    return old.isPresent ? old : current;
  }
  if (old.isPresent) {
    object.report(
      "layout-legacy",
      old.path,
      current.isPresent
        ? "The matches stand both here and in spec.matches; those in spec.matches count"
        : `In ${object.version} the matches belong in spec.matches`,
      'Move "matches" into "spec"',
    );
  }
  return current.isPresent ? current : old;
}

function readMatch(object: SourceObject, item: Field): HttpRouteMatch | undefined {
  const name = item.at("name").requiredString();
  const pathRegex = item.at("pathRegex");
  const path = pathRegex.string();
  const methods = readMethods(item.at("methods"));
  const headers = object.version === "v1alpha1" ? [] : readHeaders(object, item.at("headers"));
  if (name === undefined || methods === null || headers === undefined) return undefined;
  if (pathRegex.isPresent && path === undefined) return undefined;
  return { name, pathRegex: path, methods, headers, at: item.path };
}

/** Undefined: every method. Null: there is a list, and nothing in it is a method. */
function readMethods(list: Field): readonly string[] | undefined | null {
  if (!list.isPresent) return undefined;
  if (!Array.isArray(list.value)) return null;
  if (list.value.length === 0 || list.value.includes("*")) return undefined;
  const methods = list.strings().filter((method) => HTTP_METHODS.includes(method));
  return methods.length === 0 ? null : [...new Set(methods)];
}

/**
 * A map of names to patterns (the text of the SMI), or a list of such maps (its published CRDs). The members of a list are
 * merged, and two patterns for one name must both match. Undefined: a header cannot be read.
 */
function readHeaders(object: SourceObject, field: Field): readonly HeaderCondition[] | undefined {
  if (!field.isPresent) return [];
  if (!Array.isArray(field.value) && !isRecord(field.value)) {
    object.report(
      "schema-invalid",
      field.path,
      `${describe(field.value)} is not a map of header names to patterns`,
      'Write a map, such as "user-agent: .*Firefox.*"',
    );
    return undefined;
  }
  const maps = Array.isArray(field.value) ? field.list() : [field];
  const conditions = maps.map((map) => readHeaderMap(object, map));
  return conditions.some((list) => list === undefined)
    ? undefined
    : conditions.flatMap((list) => list ?? []);
}

function readHeaderMap(object: SourceObject, map: Field): readonly HeaderCondition[] | undefined {
  if (!isRecord(map.value)) {
    object.report(
      "schema-invalid",
      map.path,
      `${describe(map.value)} is not a map of a header name to a pattern`,
      'Write a map, such as "- user-agent: .*Firefox.*"',
    );
    return undefined;
  }
  if (isOfGatewayApi(map.value)) {
    const { name, value } = map.value;
    object.report(
      "schema-invalid",
      map.path,
      'A header is written by its name, not with fields "name" and "value"',
      `Write "${name}: ${value}"`,
    );
    return undefined;
  }
  const conditions: HeaderCondition[] = [];
  let isReadable = true;
  for (const [name, pattern] of Object.entries(map.value)) {
    const at = [...map.path, name];
    const problem = headerProblem(name);
    if (problem !== undefined) {
      isReadable = false;
      const [message, hint] = problem;
      object.report(
        "schema-invalid",
        at,
        `Header "${name}" ${message}, so its match is left out`,
        hint,
      );
    } else if (typeof pattern === "string") {
      conditions.push({ name, pattern, at });
    } else {
      isReadable = false;
      object.report(
        "schema-invalid",
        at,
        `${describe(pattern)} is not a pattern for header "${name}"`,
        textHint(pattern),
      );
    }
  }
  return isReadable ? conditions : undefined;
}

/** A token (RFC 9110 5.6.2). */
const HEADER_NAME = /^[-!#$%&'*+.^_`|~0-9A-Za-z]+$/;

/** Where the parts of a request stand that HTTP/2 sends as pseudo headers. */
const PSEUDO_HEADERS: Readonly<Record<string, string>> = {
  ":path": 'Write "pathRegex"',
  ":method": 'Write "methods"',
};

/** What HTTP/2 has not, and HTTP/1.1 says to the next hop alone (RFC 9110 7.6.1). */
const CONNECTION_HEADERS: readonly string[] = [
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
];

/** Message and hint for a header by which no request can be told; undefined: it can. */
function headerProblem(name: string): readonly [string, string] | undefined {
  const lower = name.toLowerCase();
  if (lower === ":authority") return undefined;
  if (name.startsWith(":")) {
    return ["is none that a client can send", PSEUDO_HEADERS[lower] ?? "Remove it"];
  }
  if (!HEADER_NAME.test(name)) {
    return [
      "cannot be sent: that is no name of a header",
      'Use letters, digits, "-" and "_", without spaces and ":"',
    ];
  }
  return CONNECTION_HEADERS.includes(lower)
    ? ["belongs to one connection and is not passed on", "Tell the requests by another header"]
    : undefined;
}

/** The Gateway API, Istio and others write a header so; as SMI it would ask for headers of those names. */
function isOfGatewayApi(map: Readonly<Record<string, unknown>>): boolean {
  return typeof map["name"] === "string" && typeof map["value"] === "string";
}
