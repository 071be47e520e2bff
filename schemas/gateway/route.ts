/**
 * HTTPRoute, GRPCRoute and TCPRoute of the Gateway API to the one internal shape, as far as a Service is their parent (GAMMA).
 *
 * A part that Weft cannot obey makes its rule answer with an error, never one without that part: `unsupported`. One that is not
 * valid loses the whole route, as the API server would not have taken it.
 */
import { parseDuration } from "../../base/duration.ts";
import { changedTwice } from "../../base/header_changes.ts";
import { HEADER_TEXT_BYTES_MAX } from "../../base/limits.ts";
import { type HeaderChanges, type HeaderPolicy, headerTextBytes } from "../../base/policy.ts";
import type { Field } from "../fields.ts";
import type { SourceObject } from "../object.ts";
import { RESERVED_HEADERS } from "../weft/route_sections.ts";
import type {
  GatewayBackend,
  GatewayFilters,
  GatewayMatch,
  GatewayObjectRef,
  GatewayParent,
  GatewayPathChange,
  GatewayRedirect,
  GatewayRoute,
  GatewayRule,
  NamedCondition,
  UnsupportedField,
} from "../resources.ts";

/** Reads a route; one without a Service as parent has no parents. The schema of its kind has been checked. */
export function readGatewayRoute(object: SourceObject): GatewayRoute {
  const spec = object.root.at("spec");
  const { meta } = object;
  const parents = spec.at("parentRefs").objects().flatMap((parent) => readParent(object, parent));
  const base = { meta, parents };
  const isSound = object.isSound(["spec"]);
  if (object.isRefused || !isSound) return { ...base, rules: [], isRefused: true };
  const hostnames = spec.at("hostnames");
  const rules = spec.at("rules");
  return {
    ...base,
    ...(hostnames.list().length === 0 ? {} : { hostnamesAt: hostnames.path }),
    rules: rules.isPresent
      ? rules.objects().map((rule) => new RuleReader(object, rule).read())
      : [new RuleReader(object, rules).read()],
  };
}

function readParent({ meta }: SourceObject, parent: Field): GatewayParent[] {
  const group = parent.at("group").string() ?? "gateway.networking.k8s.io";
  const kind = parent.at("kind").string() ?? "Gateway";
  const name = parent.at("name").string();
  if (group !== "" || kind !== "Service" || name === undefined) return [];
  return [{
    namespace: parent.at("namespace").string() ?? meta.namespace,
    name,
    port: parent.at("port").port(),
    sectionName: parent.at("sectionName").string(),
    at: parent.path,
  }];
}

/** As plans carry them: what ends a line would be another header. */
const HEADER_VALUE = /^([!-~]([ -~]*[!-~])?)?$/;

const HOST = /^[-.0-9A-Za-z]{1,253}$/;

const NO_CHANGES: HeaderChanges = { set: [], add: [], remove: [] };

/** Redirects that the Gateway API knows. */
const REDIRECT_STATUSES = [301, 302, 303, 307, 308];

class RuleReader {
  readonly #object: SourceObject;
  readonly #rule: Field;
  #unsupported: UnsupportedField | null = null;

  constructor(object: SourceObject, rule: Field) {
    this.#object = object;
    this.#rule = rule;
  }

  read(): GatewayRule {
    const rule = this.#rule;
    const filters = this.#filters(rule.at("filters"));
    const backends = rule.at("backendRefs").objects().map((backend) => this.#backend(backend));
    this.#unread(rule.at("sessionPersistence"), "Session persistence");
    const matches = this.#matches();
    const request = durationMs(rule.at("timeouts").at("request"));
    const backendRequest = durationMs(rule.at("timeouts").at("backendRequest"));
    return {
      name: rule.at("name").string(),
      matches,
      filters,
      backends,
      ...(request === undefined ? {} : { requestMs: request }),
      ...(backendRequest === undefined ? {} : { backendRequestMs: backendRequest }),
      ...this.#retry(rule.at("retry")),
      ...(this.#unsupported === null ? {} : { unsupported: this.#unsupported }),
      at: rule.path,
    };
  }

  #refuse(field: Field, what: string): void {
    this.#unsupported ??= { at: field.path, what };
  }

  #unread(field: Field, what: string): void {
    if (field.isPresent) this.#refuse(field, what);
  }

  // Matches.

  #matches(): readonly GatewayMatch[] {
    const written = this.#rule.at("matches").objects();
    const isGrpc = this.#object.meta.kind === "GRPCRoute";
    if (written.length === 0) {
      return [{ path: null, method: null, headers: [], queries: [], at: this.#rule.path }];
    }
    return written.map((match) => ({
      path: isGrpc ? grpcPath(match.at("method")) : httpPath(match.at("path")),
      method: isGrpc ? null : match.at("method").string() ?? null,
      headers: conditions(match.at("headers"), (name) => name.toLowerCase()),
      queries: conditions(match.at("queryParams"), (name) => name),
      at: match.path,
    }));
  }

  // What is done on the way.

  #filters(list: Field): GatewayFilters {
    let request = NO_CHANGES;
    let response = NO_CHANGES;
    const filters: { -readonly [Name in keyof GatewayFilters]: GatewayFilters[Name] } = {};
    for (const filter of list.objects()) {
      const type = filter.at("type").string();
      switch (type) {
        case "RequestHeaderModifier":
          request = changedTwice(request, this.#headerChanges(filter.at("requestHeaderModifier")));
          break;
        case "ResponseHeaderModifier":
          response = changedTwice(
            response,
            this.#headerChanges(filter.at("responseHeaderModifier")),
          );
          break;
        case "RequestRedirect":
          filters.redirect = this.#redirect(filter.at("requestRedirect"));
          break;
        case "URLRewrite": {
          const rewrite = filter.at("urlRewrite");
          const host = this.#host(rewrite.at("hostname"));
          filters.rewrite = { host, path: this.#pathChange(rewrite.at("path")), at: filter.path };
          break;
        }
        case "RequestMirror":
          if (filters.mirror !== undefined) this.#refuse(filter, "A second mirror");
          filters.mirror ??= this.#mirror(filter.at("requestMirror"));
          break;
        default:
          this.#refuse(filter, `A filter of type "${type}"`);
      }
    }
    if (filters.redirect !== undefined && filters.rewrite !== undefined) {
      this.#refuse(list, "A redirect together with a rewrite");
    }
    const headers: HeaderPolicy = { request, response };
    for (const { set, add } of [request, response]) {
      if (headerTextBytes([...set, ...add]) <= HEADER_TEXT_BYTES_MAX / 2) continue;
      this.#refuse(list, `More than ${HEADER_TEXT_BYTES_MAX / 2} bytes of headers`);
    }
    const isChanged = request !== NO_CHANGES || response !== NO_CHANGES;
    return { ...filters, ...(isChanged ? { headers } : {}), at: list.path };
  }

  #headerChanges(field: Field): HeaderChanges {
    const headers = (name: string) =>
      field.at(name).objects().map((header) => ({
        name: (header.at("name").string() ?? "").toLowerCase(),
        value: header.at("value").string() ?? "",
      }));
    const remove = field.at("remove").strings().map((name) => name.toLowerCase());
    const changes = { set: headers("set"), add: headers("add"), remove };
    const written = [...changes.set, ...changes.add];
    // A host that is set is a rewrite.
    const reserved = [
      ...changes.set.map(({ name }) => name).filter((name) => name !== "host"),
      ...changes.add.map(({ name }) => name),
      ...remove,
    ].find((name) => RESERVED_HEADERS.includes(name));
    if (reserved !== undefined) this.#refuse(field, `A change of header "${reserved}"`);
    const isBad = written.some(({ name, value }) =>
      value.length > 1_024 || !(name === "host" ? HOST : HEADER_VALUE).test(value)
    );
    if (isBad) this.#refuse(field, "A header that is long, or is not of visible ASCII");
    return changes;
  }

  #redirect(field: Field): GatewayRedirect {
    const scheme = field.at("scheme").string();
    const status = field.at("statusCode").integer({ min: 301, max: 308 }) ?? 302;
    if (!REDIRECT_STATUSES.includes(status)) {
      this.#refuse(field.at("statusCode"), `Status ${status}`);
    }
    return {
      status,
      scheme: scheme === "http" || scheme === "https" ? scheme : null,
      host: this.#host(field.at("hostname")),
      port: field.at("port").port() ?? null,
      path: this.#pathChange(field.at("path")),
    };
  }

  #host(field: Field): string | null {
    const host = field.string()?.toLowerCase() ?? null;
    if (host !== null && !HOST.test(host)) this.#refuse(field, "Such a host name");
    return host;
  }

  #pathChange(field: Field): GatewayPathChange | null {
    if (!field.isPresent) return null;
    const isFull = field.at("type").string() === "ReplaceFullPath";
    const value = field.at(isFull ? "replaceFullPath" : "replacePrefixMatch").string();
    if (value !== undefined && /[^!-~]/.test(value)) this.#refuse(field, "Such a path");
    return { kind: isFull ? "full" : "prefix", value: value || "/" };
  }

  #mirror(field: Field): NonNullable<GatewayFilters["mirror"]> {
    const numerator = field.at("fraction").at("numerator").integer({ min: 0, max: 2 ** 31 - 1 });
    const denominator = field.at("fraction").at("denominator")
      .integer({ min: 1, max: 2 ** 31 - 1 }) ?? 100;
    const percent = field.at("percent").integer({ min: 0, max: 100 });
    const share = numerator === undefined ? percent ?? 100 : 100 * numerator / denominator;
    const ref = this.#objectRef(field.at("backendRef"));
    return { ...ref, percent: Math.min(share, 100) };
  }

  // Backends.

  #backend(field: Field): GatewayBackend {
    const filters = this.#filters(field.at("filters"));
    for (const name of ["redirect", "rewrite", "mirror"] as const) {
      if (filters[name] !== undefined) {
        this.#refuse(field.at("filters"), `A ${name} of one backend`);
      }
    }
    if (filters.headers?.request.set.some(({ name }) => name === "host") === true) {
      this.#refuse(field.at("filters"), "A host of one backend");
    }
    return {
      ...this.#objectRef(field),
      weight: field.at("weight").integer({ min: 0, max: 1_000_000 }) ?? 1,
      ...(filters.headers === undefined ? {} : { headers: filters.headers }),
    };
  }

  #objectRef(field: Field): GatewayObjectRef {
    return {
      group: field.at("group").string() ?? "",
      kind: field.at("kind").string() ?? "Service",
      namespace: field.at("namespace").string() ?? this.#object.meta.namespace,
      name: field.at("name").string() ?? "",
      port: field.at("port").port(),
      at: field.path,
    };
  }

  #retry(field: Field): Pick<GatewayRule, "retry"> {
    if (!field.isPresent) return {};
    const codes = field.at("codes").list()
      .flatMap((code) => code.integer({ min: 400, max: 599 }) ?? []);
    return {
      retry: {
        codes: [...new Set(codes)].sort((a, b) => a - b),
        attempts: field.at("attempts").integer({ min: 0, max: 100 }) ?? 2,
        backoffMs: durationMs(field.at("backoff")) ?? 25,
      },
    };
  }
}

function durationMs(field: Field): number | undefined {
  const written = field.string();
  return written === undefined ? undefined : parseDuration(written) ?? undefined;
}

function httpPath(field: Field): GatewayMatch["path"] {
  if (!field.isPresent) return null;
  const type = field.at("type").string() ?? "PathPrefix";
  const value = field.at("value").string() ?? "/";
  const kind = type === "Exact" ? "exact" : type === "PathPrefix" ? "prefix" : "regex";
  return { kind, value, at: field.at("value").path };
}

/** gRPC sends `/service/method` as the path. */
function grpcPath(field: Field): GatewayMatch["path"] {
  const service = field.at("service").string();
  const method = field.at("method").string();
  if (service === undefined && method === undefined) return null;
  const at = field.path;
  if (field.at("type").string() === "RegularExpression") {
    const part = (regex: string | undefined) => regex === undefined ? "[^/]+" : `(?:${regex})`;
    return { kind: "regex", value: `/${part(service)}/${part(method)}`, at };
  }
  if (service === undefined) return { kind: "grpc-method", value: method ?? "", at };
  return method === undefined
    ? { kind: "prefix", value: `/${service}`, at }
    : { kind: "exact", value: `/${service}/${method}`, at };
}

/** Of several entries of one name the first counts, as the Gateway API has it. */
function conditions(list: Field, nameOf: (name: string) => string): readonly NamedCondition[] {
  const byName = new Map<string, NamedCondition>();
  for (const field of list.objects()) {
    const name = nameOf(field.at("name").string() ?? "");
    const isRegex = field.at("type").string() === "RegularExpression";
    const value = field.at("value").string() ?? "";
    if (!byName.has(name)) {
      byName.set(name, { name, kind: isRegex ? "regex" : "exact", value, at: field.path });
    }
  }
  return [...byName.values()];
}
