/**
 * What Weft makes of routes of the Gateway API, as their status says it: for each parent that is a Service the conditions Accepted and
 * ResolvedRefs, under our controller's name. Other controllers' entries stay as they are. Pure: `writer.ts` writes it.
 */
import { type Finding, formatRef, type ResourceRef } from "../../base/finding.ts";
import { isSameData } from "../../base/same_data.ts";
import { fieldsOf, type JsonFields, textField } from "../kube/fields.ts";
import { EVENT_TEXT_MAX } from "../limits.ts";

/** `status.parents[].controllerName` of ours. */
const ROUTE_CONTROLLER = "weft.dev/mesh";

interface RouteCondition {
  readonly type: string;
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

/** A route as a watch has told of it last. */
interface HeardRoute {
  readonly ref: ResourceRef;
  /** Of its spec, those that are Services, with their places. */
  readonly parents: readonly { readonly place: number; readonly parentRef: JsonFields }[];
  /** Of its status, all. */
  readonly entries: readonly JsonFields[];
  readonly generation: number;
  readonly resourceVersion: string;
}

const ROUTE_KINDS: Readonly<Record<string, string>> = {
  HTTPRoute: "httproutes",
  GRPCRoute: "grpcroutes",
  TCPRoute: "tcproutes",
};

export class RouteStatuses {
  readonly #routes = new Map<string, HeardRoute>();

  /** What is heard of other kinds is passed over. Null: it is no route. */
  heard(object: JsonFields): ResourceRef | null {
    const kind = textField(object, "kind") ?? "";
    const group = textField(object, "apiVersion")?.split("/")[0];
    if (group !== "gateway.networking.k8s.io" || !(kind in ROUTE_KINDS)) return null;
    const metadata = fieldsOf(object["metadata"]);
    const ref = {
      kind,
      namespace: textField(metadata, "namespace") ?? "",
      name: textField(metadata, "name") ?? "",
    };
    const parentRefs = listOf(fieldsOf(object["spec"])["parentRefs"]);
    const parents = parentRefs.flatMap((parentRef, place) =>
      parentRef["kind"] === "Service" && (parentRef["group"] ?? "") === ""
        ? [{ place, parentRef }]
        : []
    );
    const entries = listOf(fieldsOf(object["status"])["parents"]);
    if (parents.length === 0 && !entries.some(isOwn)) this.#routes.delete(formatRef(ref));
    else {
      const { generation } = metadata;
      this.#routes.set(formatRef(ref), {
        ref,
        parents,
        entries,
        generation: typeof generation === "number" ? generation : 0,
        resourceVersion: textField(metadata, "resourceVersion") ?? "",
      });
    }
    return ref;
  }

  removed(ref: ResourceRef): void {
    this.#routes.delete(formatRef(ref));
  }

  *refs(): Iterable<ResourceRef> {
    for (const { ref } of this.#routes.values()) yield ref;
  }

  /** What is to be written, and where; null: nothing. */
  wanted(
    ref: ResourceRef,
    findings: readonly Finding[],
    now: string,
  ): { readonly plural: string; readonly body: JsonFields } | null {
    const route = this.#routes.get(formatRef(ref));
    if (route === undefined) return null;
    const own = route.entries.filter(isOwn);
    const next = route.parents.map(({ place, parentRef }) => ({
      parentRef,
      controllerName: ROUTE_CONTROLLER,
      conditions: conditionsOf(findings, place).map((condition) => {
        const known = own.filter((entry) => isSameData(entry["parentRef"], parentRef))
          .flatMap((entry) => listOf(entry["conditions"]))
          .find(({ type }) => type === condition.type);
        const lastTransitionTime = known?.["status"] === condition.status
          ? known["lastTransitionTime"]
          : now;
        return { ...condition, observedGeneration: route.generation, lastTransitionTime };
      }),
    }));
    if (isSameData(sorted(own), sorted(next))) return null;
    return {
      plural: ROUTE_KINDS[ref.kind],
      body: {
        metadata: { resourceVersion: route.resourceVersion },
        status: { parents: [...route.entries.filter((entry) => !isOwn(entry)), ...next] },
      },
    };
  }
}

/** The API server gives fields in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map((
      [key, each],
    ) => [key, sorted(each)]),
  );
}

function isOwn(entry: JsonFields): boolean {
  return entry["controllerName"] === ROUTE_CONTROLLER;
}

function listOf(value: unknown): readonly JsonFields[] {
  return Array.isArray(value) ? value.map(fieldsOf) : [];
}

/** Reasons as the Gateway API names them, by what is wrong. */
const UNRESOLVED: Readonly<Record<string, string>> = {
  "backend-missing": "BackendNotFound",
  "backend-port-missing": "BackendNotFound",
  "backend-foreign": "RefNotPermitted",
};

function conditionsOf(findings: readonly Finding[], place: number): readonly RouteCondition[] {
  const parent = `spec.parentRefs[${place}]`;
  const missing = findings.find(({ code, field = "" }) =>
    code === "route-parent-missing" && field.startsWith(parent)
  );
  const partly = findings.find(({ code }) => code === "route-unsupported");
  const refused = findings.find(({ code, severity }) =>
    severity === "error" && !code.startsWith("route-") && code !== "backends-empty"
  );
  const unresolved = findings.find(({ code }) => code in UNRESOLVED);
  const accepted = missing !== undefined
    ? condition("Accepted", "False", "NoMatchingParent", missing)
    : refused !== undefined
    ? condition("Accepted", "False", "UnsupportedValue", refused)
    : condition("Accepted", "True", "Accepted", null);
  return [
    accepted,
    ...(partly === undefined
      ? []
      : [condition("PartiallyInvalid", "True", "UnsupportedValue", partly)]),
    unresolved === undefined
      ? condition("ResolvedRefs", "True", "ResolvedRefs", null)
      : condition("ResolvedRefs", "False", UNRESOLVED[unresolved.code], unresolved),
  ];
}

function condition(
  type: string,
  status: "True" | "False",
  reason: string,
  finding: Finding | null,
): RouteCondition {
  const text = finding === null ? "" : `${finding.field ?? ""}: ${finding.message}`;
  return { type, status, reason, message: text.slice(0, EVENT_TEXT_MAX) };
}
