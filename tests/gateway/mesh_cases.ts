/**
 * What the Gateway API's conformance suite asks of a mesh, as data: routes of a Service `echo`, requests, and what becomes of them. The
 * names in front are those of the suite's tests. Services `echo-v1` and `echo-v2` answer with what they got.
 */

export interface RouteSpec {
  readonly kind?: "HTTPRoute" | "GRPCRoute";
  /** Default `default`, where the clients are. */
  readonly namespace?: string;
  /** `name`, `name:port` or `namespace/name`; default `echo:80`. */
  readonly parent?: string;
  /** Older routes count first; default: none is told. */
  readonly createdAt?: string;
  readonly name?: string;
  readonly rules: readonly Readonly<Record<string, unknown>>[];
}

export interface MeshRequest {
  /** `GET /path`, with `http://host` in front where that is not `echo`. */
  readonly request: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A Service that answers, or a status that the proxy does. */
  readonly to: string | number;
  /** What the endpoint gets. */
  readonly path?: string;
  readonly host?: string;
  /** Of the request as it arrives, in lower case; null: there is none. */
  readonly sees?: Readonly<Record<string, string | null>>;
  /** The same of the answer. */
  readonly answered?: Readonly<Record<string, string | null>>;
}

export interface MeshCase {
  readonly name: string;
  readonly routes: readonly RouteSpec[];
  readonly grants?: readonly { readonly in: string; readonly from: string }[];
  readonly asks?: readonly MeshRequest[];
  /** Of so many requests, in any order. */
  readonly shares?: { readonly request: string; readonly of: Readonly<Record<string, number>> };
}

const to = (...names: readonly (string | readonly [name: string, weight: number])[]) => ({
  backendRefs: names.map((each) => {
    const [name, weight] = typeof each === "string" ? [each, 1] : each;
    return { name, port: 80, weight };
  }),
});

const path = (value: string, type = "PathPrefix") => ({ path: { type, value } });
const header = (name: string, value: string, type = "Exact") => ({
  headers: [{ name, value, type }],
});
const query = (value: string, type = "Exact") => ({
  queryParams: [{ name: "animal", value, type }],
});

const redirect = (prefix: string, requestRedirect: Readonly<Record<string, unknown>>) => ({
  matches: [path(prefix)],
  filters: [{ type: "RequestRedirect", requestRedirect }],
});

const prefixBy = (replacePrefixMatch: string) => ({
  path: { type: "ReplacePrefixMatch", replacePrefixMatch },
});
const pathBy = (replaceFullPath: string) => ({
  path: { type: "ReplaceFullPath", replaceFullPath },
});

const sentTo = (request: string, status: number, location: string): MeshRequest => ({
  request,
  to: status,
  answered: { location },
});

const CHANGES = {
  set: [{ name: "X-Set", value: "set" }],
  add: [{ name: "X-Add", value: "added" }],
  remove: ["X-Remove"],
};

const requestHeaders = { type: "RequestHeaderModifier", requestHeaderModifier: CHANGES };

const rewrite = (prefix: string, urlRewrite: Readonly<Record<string, unknown>>) => ({
  matches: [path(prefix)],
  filters: [{ type: "URLRewrite", urlRewrite }],
  ...to("echo-v1"),
});

const responseSet = (value: string) => ({
  type: "ResponseHeaderModifier",
  responseHeaderModifier: { set: [{ name: "X-Route", value }] },
});

const HEADER_CHANGES: readonly MeshRequest[] = [
  {
    request: "GET /",
    headers: { "x-sEt": "mine", "X-Add": "mine", "x-remove": "mine", "Other": "mine" },
    to: "echo-v1",
    sees: { "x-set": "set", "x-add": "mine, added", "x-remove": null, "other": "mine" },
  },
  { request: "GET /", to: "echo-v1", sees: { "x-set": "set", "x-add": "added" } },
];

export const MESH_CASES: readonly MeshCase[] = [
  { name: "MeshBasic: no route", routes: [], asks: [{ request: "GET /any", to: "echo" }] },
  {
    name: "MeshHTTPRouteSimpleSameNamespace",
    routes: [{ rules: [to("echo-v1")] }],
    asks: [{ request: "GET /", to: "echo-v1" }, { request: "POST /x?y", to: "echo-v1" }],
  },
  {
    name: "MeshHTTPRouteMatching: paths and headers, the more specific first",
    routes: [{
      rules: [
        { matches: [path("/"), header("Version", "one")], ...to("echo-v1") },
        { matches: [path("/v2"), header("version", "two")], ...to("echo-v2") },
      ],
    }],
    asks: [
      { request: "GET /", to: "echo-v1" },
      { request: "GET /example", to: "echo-v1" },
      { request: "GET /", headers: { Version: "one" }, to: "echo-v1" },
      { request: "GET /v2", to: "echo-v2" },
      { request: "GET /v2/", to: "echo-v2" },
      { request: "GET /v2/example", to: "echo-v2" },
      { request: "GET /", headers: { version: "two" }, to: "echo-v2" },
      { request: "GET /v2example", to: "echo-v1" },
      { request: "GET /foo/v2/example", to: "echo-v1" },
      { request: "GET /", headers: { version: "twoo" }, to: "echo-v1" },
    ],
  },
  {
    name: "the order of the API: exact, then by length, method, headers, parameters",
    routes: [{
      rules: [
        { matches: [path("/")], ...to("echo") },
        { matches: [path("/match")], ...to("echo-v1") },
        { matches: [path("/match/exact", "Exact")], ...to("echo-v2") },
        { matches: [{ ...path("/match"), method: "PATCH" }], ...to("echo-v2") },
        { matches: [{ ...path("/match"), ...header("version", "one") }], ...to("echo-v2") },
        { matches: [path("/match/r.*x", "RegularExpression")], ...to("echo-v2") },
        { matches: [path("/match/regex/long")], ...to("echo-v1") },
      ],
    }],
    asks: [
      { request: "GET /other", to: "echo" },
      { request: "GET /match", to: "echo-v1" },
      { request: "GET /match/exact", to: "echo-v2" },
      { request: "GET /match/exact/", to: "echo-v1" },
      { request: "PATCH /match/x", to: "echo-v2" },
      { request: "GET /match", headers: { version: "one" }, to: "echo-v2" },
      { request: "GET /match/regex", to: "echo-v2" },
      // A pattern is of the whole path.
      { request: "GET /match/regexes", to: "echo-v1" },
      { request: "GET /match/regex/long", to: "echo-v1" },
    ],
  },
  {
    name: "of two routes that ask for the same the older counts, then the first by name",
    routes: [
      { name: "a", createdAt: "2026-02-01T00:00:00Z", rules: [to("echo-v1")] },
      { name: "b", createdAt: "2026-01-01T00:00:00Z", rules: [to("echo-v2")] },
      { name: "c", createdAt: "2026-01-01T00:00:00Z", rules: [to("echo")] },
    ],
    asks: [{ request: "GET /", to: "echo-v2" }],
  },
  {
    name: "what no rule takes is answered 404; no backend that can be used, 500",
    routes: [{
      rules: [
        { matches: [path("/v1", "Exact")], ...to("echo-v1") },
        { matches: [path("/gone")], ...to("gone") },
        { matches: [path("/none")] },
        { matches: [path("/foreign")], backendRefs: [{ name: "far", namespace: "far", port: 80 }] },
        { matches: [path("/empty")], ...to("empty") },
        { matches: [path("/cors")], filters: [{ type: "CORS", cors: {} }], ...to("echo-v1") },
      ],
    }],
    asks: [
      { request: "GET /v1", to: "echo-v1" },
      { request: "GET /v1/x", to: 404 },
      { request: "GET /", to: 404 },
      { request: "GET /gone", to: 500 },
      { request: "GET /none", to: 500 },
      { request: "GET /foreign", to: 500 },
      { request: "GET /empty", to: 503 },
      { request: "GET /cors", to: 500 },
    ],
  },
  {
    name: "a ReferenceGrant lets a backend of another namespace be named",
    routes: [{ rules: [{ backendRefs: [{ name: "far", namespace: "far", port: 80 }] }] }],
    grants: [{ in: "far", from: "default" }],
    asks: [{ request: "GET /", to: "far" }],
  },
  {
    name: "a backend that is not there keeps its share",
    routes: [{ rules: [to(["echo-v1", 2], ["gone", 1], ["empty", 1])] }],
    shares: { request: "GET /", of: { "echo-v1": 20, "500": 10, "503": 10 } },
  },
  {
    name: "MeshHTTPRouteWeight",
    routes: [{ rules: [to(["echo-v1", 70], ["echo-v2", 30], ["echo", 0])] }],
    shares: { request: "GET /", of: { "echo-v1": 140, "echo-v2": 60 } },
  },
  {
    name: "MeshTrafficSplit",
    routes: [{
      rules: [
        { matches: [path("/v1", "Exact")], ...to("echo-v1") },
        { matches: [path("/v2", "Exact")], ...to("echo-v2") },
      ],
    }],
    asks: [{ request: "GET /v1", to: "echo-v1" }, { request: "GET /v2", to: "echo-v2" }],
  },
  {
    name: "MeshPorts: a parent with a port acts on that one, and without on all",
    routes: [
      {
        name: "one",
        parent: "echo-v1:80",
        rules: [{ filters: [responseSet("v1")], ...to("echo-v1") }],
      },
      {
        name: "all",
        parent: "echo-v2",
        rules: [{ filters: [responseSet("v2")], ...to("echo-v2") }],
      },
    ],
    asks: [
      { request: "GET http://echo-v1/", to: "echo-v1", answered: { "x-route": "v1" } },
      { request: "GET http://echo-v1:8080/", to: "echo-v1", answered: { "x-route": null } },
      { request: "GET http://echo-v2/", to: "echo-v2", answered: { "x-route": "v2" } },
      { request: "GET http://echo-v2:8080/", to: "echo-v2", answered: { "x-route": "v2" } },
    ],
  },
  {
    name: "MeshConsumerRoute: a route of another namespace is for that namespace's clients",
    routes: [
      {
        name: "theirs",
        namespace: "far",
        rules: [{ filters: [responseSet("far")], ...to("echo-v2") }],
        parent: "default/echo",
      },
      {
        name: "ours",
        parent: "far/far",
        rules: [{
          filters: [responseSet("ours")],
          backendRefs: [{ name: "far", namespace: "far", port: 80 }],
        }],
      },
      {
        name: "own",
        namespace: "far",
        parent: "far/far",
        rules: [{ filters: [responseSet("own")], ...to("far") }],
      },
    ],
    asks: [
      { request: "GET /", to: "echo", answered: { "x-route": null } },
      { request: "GET http://far.far/", to: "far", answered: { "x-route": "ours" } },
    ],
  },
  {
    name: "MeshHTTPRouteRequestHeaderModifier",
    routes: [{ rules: [{ filters: [requestHeaders], ...to("echo-v1") }] }],
    asks: HEADER_CHANGES,
  },
  {
    name: "MeshHTTPRouteBackendRequestHeaderModifier, after the rule's own",
    routes: [{
      rules: [{
        filters: [{
          type: "RequestHeaderModifier",
          requestHeaderModifier: { set: [{ name: "X-Set", value: "by the rule" }] },
        }],
        backendRefs: [{ name: "echo-v1", port: 80, filters: [requestHeaders] }],
      }],
    }],
    asks: HEADER_CHANGES,
  },
  {
    name: "MeshHTTPRouteQueryParamMatching",
    routes: [{
      rules: [
        { matches: [query("whale")], ...to("echo-v1") },
        { matches: [query("dolphin")], ...to("echo-v2") },
        { matches: [{ ...path("/path1"), ...query("whale") }], ...to("echo-v2") },
        { matches: [{ ...header("version", "one"), ...query("whale") }], ...to("echo") },
        { matches: [query("a whale/ä")], ...to("echo") },
        { matches: [query("s(hark|eal)", "RegularExpression")], ...to("echo-v2") },
      ],
    }],
    asks: [
      { request: "GET /?animal=whale", to: "echo-v1" },
      { request: "GET /?animal=dolphin", to: "echo-v2" },
      { request: "GET /?animal=whale&animal=dolphin", to: "echo-v1" },
      { request: "GET /x?x=1&animal=dolphin&y", to: "echo-v2" },
      { request: "GET /path1/x?animal=whale", to: "echo-v2" },
      { request: "GET /?animal=whale", headers: { version: "one" }, to: "echo" },
      { request: "GET /?animal=a%20whale%2f%C3%a4", to: "echo" },
      { request: "GET /?animal=a+whale/%c3%a4", to: "echo" },
      { request: "GET /?animal=seal", to: "echo-v2" },
      { request: "GET /?animal=seals", to: 404 },
      { request: "GET /?Animal=whale", to: 404 },
      { request: "GET /", to: 404 },
    ],
  },
  {
    name: "MeshHTTPRouteRedirectHostAndStatus, 303, 307, 308",
    routes: [{
      rules: [
        redirect("/host", { hostname: "example.org" }),
        redirect("/host-and-status", { hostname: "example.org", statusCode: 301 }),
        redirect("/303", { hostname: "example.org", statusCode: 303 }),
        redirect("/307", { hostname: "example.org", statusCode: 307 }),
        redirect("/308", { hostname: "example.org", statusCode: 308 }),
      ],
    }],
    asks: [
      sentTo("GET /host", 302, "http://example.org/host"),
      sentTo("GET /host-and-status?a=b", 301, "http://example.org/host-and-status?a=b"),
      sentTo("GET /303", 303, "http://example.org/303"),
      sentTo("POST /307", 307, "http://example.org/307"),
      sentTo("POST /308", 308, "http://example.org/308"),
    ],
  },
  {
    name: "MeshHTTPRouteRedirectPath",
    routes: [{
      rules: [
        redirect("/prefix", prefixBy("/other")),
        redirect("/full", pathBy("/one")),
        redirect("/full-and-host", { ...pathBy("/one"), hostname: "example.org", statusCode: 301 }),
      ],
    }],
    asks: [
      sentTo("GET /prefix/lemon", 302, "http://echo/other/lemon"),
      sentTo("GET /prefix", 302, "http://echo/other"),
      sentTo("GET /full/path/original", 302, "http://echo/one"),
      sentTo("GET /full-and-host", 301, "http://example.org/one"),
    ],
  },
  {
    name: "MeshHTTPRouteRedirectPort and SchemeRedirect",
    routes: [{
      parent: "echo",
      rules: [
        redirect("/port", { port: 8083 }),
        redirect("/scheme", { scheme: "https" }),
        redirect("/both", { scheme: "https", port: 8443, hostname: "example.org" }),
        redirect("/host", { hostname: "example.org" }),
      ],
    }],
    asks: [
      sentTo("GET /port", 302, "http://echo:8083/port"),
      sentTo("GET /scheme", 302, "https://echo/scheme"),
      sentTo("GET /both", 302, "https://example.org:8443/both"),
      sentTo("GET http://echo:8080/host", 302, "http://example.org:8080/host"),
      sentTo("GET http://echo:8080/scheme", 302, "https://echo/scheme"),
    ],
  },
  {
    name: "MeshHTTPRouteRewritePath, with its headers, and a host",
    routes: [{
      rules: [
        rewrite("/prefix/one", prefixBy("/one")),
        rewrite("/strip", prefixBy("/")),
        rewrite("/full", pathBy("/one")),
        rewrite("/host", { hostname: "other.example" }),
        {
          matches: [path("/both")],
          filters: [{ type: "URLRewrite", urlRewrite: prefixBy("/changed") }, requestHeaders],
          ...to("echo-v1"),
        },
        {
          matches: [path("/set-host")],
          filters: [{
            type: "RequestHeaderModifier",
            requestHeaderModifier: { set: [{ name: "Host", value: "set.example" }] },
          }],
          ...to("echo-v1"),
        },
      ],
    }],
    asks: [
      { request: "GET /prefix/one/two", to: "echo-v1", path: "/one/two", host: "echo" },
      { request: "GET /prefix/one?a=1", to: "echo-v1", path: "/one?a=1" },
      { request: "GET /strip/three", to: "echo-v1", path: "/three" },
      { request: "GET /strip", to: "echo-v1", path: "/" },
      { request: "GET /strip?x", to: "echo-v1", path: "/?x" },
      { request: "POST /full/one/two?q", to: "echo-v1", path: "/one?q" },
      { request: "GET /host", to: "echo-v1", path: "/host", host: "other.example" },
      {
        request: "GET /both/x",
        headers: { "x-add": "mine" },
        to: "echo-v1",
        path: "/changed/x",
        sees: { "x-set": "set", "x-add": "mine, added" },
      },
      { request: "GET /set-host", to: "echo-v1", path: "/set-host", host: "set.example" },
    ],
  },
  {
    name: "MeshHTTPRouteNamedRule",
    routes: [{
      rules: [
        { name: "named", matches: [path("/named")], ...to("echo-v1") },
        { matches: [path("/unnamed")], ...to("echo-v2") },
      ],
    }],
    asks: [{ request: "GET /named", to: "echo-v1" }, { request: "GET /unnamed", to: "echo-v2" }],
  },
  {
    name: "GRPCRoute: services and methods are paths",
    routes: [{
      kind: "GRPCRoute",
      rules: [
        { matches: [{ method: { service: "shop.Cart", method: "Add" } }], ...to("echo-v1") },
        { matches: [{ method: { service: "shop.Cart" } }], ...to("echo-v2") },
        { matches: [{ method: { method: "Ping" } }], ...to("echo") },
      ],
    }],
    asks: [
      { request: "POST /shop.Cart/Add", to: "echo-v1" },
      { request: "POST /shop.Cart/Remove", to: "echo-v2" },
      { request: "POST /other.Service/Ping", to: "echo" },
      { request: "POST /shop.Carts/Add", to: 404 },
    ],
  },
];
