/** Random routes of the Gateway API for property tests. */
import fc from "fast-check";
import type { FieldPath } from "../../base/finding.ts";
import type {
  GatewayBackend,
  GatewayFilters,
  GatewayMatch,
  GatewayRoute,
  GatewayRule,
  Meta,
  NamedCondition,
  ReferenceGrant,
} from "../../schemas/resources.ts";

const AT: FieldPath = ["spec", "rules", 0];
const anyName = fc.constantFrom("web", "web-a", "web-b", "api", "gone");
const anyNamespace = fc.constantFrom("app", "other");
const anyPort = fc.constantFrom(80, 81, undefined);

const anyCondition: fc.Arbitrary<NamedCondition> = fc.record({
  name: fc.constantFrom("x-a", "host"),
  kind: fc.constantFrom("exact" as const, "regex" as const),
  value: fc.constantFrom("a b", "[a", "v.*", ""),
  at: fc.constant(AT),
});

const anyMatch: fc.Arbitrary<GatewayMatch> = fc.record({
  path: fc.option(fc.record({
    kind: fc.constantFrom("exact" as const, "prefix" as const, "regex" as const),
    value: fc.constantFrom("/", "/a", "/a/b/", "/[ab]", "/("),
    at: fc.constant(AT),
  })),
  method: fc.constantFrom(null, "GET"),
  headers: fc.array(anyCondition, { maxLength: 2 }),
  queries: fc.array(anyCondition, { maxLength: 1 }),
  at: fc.constant(AT),
});

const anyHeaders = fc.constantFrom({}, {
  headers: {
    request: {
      set: [{ name: "x-a", value: "1" }, { name: "host", value: "h" }],
      add: [],
      remove: [],
    },
    response: { set: [], add: [{ name: "x-b", value: "2" }], remove: ["x-c"] },
  },
});

const anyRef = {
  group: fc.constantFrom("", "", "other.dev"),
  kind: fc.constant("Service"),
  namespace: anyNamespace,
  name: anyName,
  port: anyPort,
  at: fc.constant(AT),
};

const anyBackend: fc.Arbitrary<GatewayBackend> = fc
  .tuple(fc.record({ ...anyRef, weight: fc.constantFrom(0, 1, 3) }), anyHeaders)
  .map(([ref, headers]) => ({ ...ref, ...headers }));

const pathChange = (kind: "full" | "prefix") => ({ kind, value: "/x" });

const anyFilters: fc.Arbitrary<GatewayFilters> = fc.tuple(
  anyHeaders,
  fc.constantFrom<GatewayFilters>(
    {},
    {},
    { rewrite: { host: "h", path: pathChange("prefix"), at: AT } },
    { redirect: { status: 301, scheme: null, host: null, port: 80, path: pathChange("full") } },
  ),
  fc.oneof(fc.constant({}), fc.record({ mirror: fc.record({ ...anyRef, percent: fc.nat(100) }) })),
).map(([headers, target, mirror]) => ({ ...headers, ...target, ...mirror }));

const anyRule: fc.Arbitrary<GatewayRule> = fc.tuple(
  fc.record({
    name: fc.constant(undefined),
    matches: fc.array(anyMatch, { minLength: 1, maxLength: 3 }),
    filters: anyFilters,
    backends: fc.array(anyBackend, { maxLength: 3 }),
    at: fc.constant(AT),
  }),
  fc.constantFrom<Partial<GatewayRule>>(
    {},
    { requestMs: 0, backendRequestMs: 100 },
    { retry: { codes: [503], attempts: 2, backoffMs: 0 } },
    { unsupported: { at: AT, what: "This" } },
  ),
).map(([rule, more]) => ({ ...rule, ...more }));

export function anyGatewayRoute(
  metaOf: (kind: string) => fc.Arbitrary<Meta>,
): fc.Arbitrary<GatewayRoute> {
  return fc.constantFrom("HTTPRoute", "HTTPRoute", "GRPCRoute", "TCPRoute").chain((kind) =>
    fc.record({
      meta: metaOf(kind),
      parents: fc.array(
        fc.record({
          namespace: anyNamespace,
          name: anyName,
          port: anyPort,
          sectionName: fc.constantFrom(undefined, undefined, "http"),
          at: fc.constant(AT),
        }),
        { maxLength: 2 },
      ),
      rules: fc.array(anyRule, { maxLength: 2 }),
    })
  );
}

export function anyReferenceGrant(
  metaOf: (kind: string) => fc.Arbitrary<Meta>,
): fc.Arbitrary<ReferenceGrant> {
  return fc.record({
    meta: metaOf("ReferenceGrant"),
    from: fc.constant([
      { group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "app" },
    ]),
    to: fc.record({
      group: fc.constant(""),
      kind: fc.constant("Service"),
      name: fc.constantFrom(undefined, "web-a"),
    }).map((to) => [to]),
  });
}
