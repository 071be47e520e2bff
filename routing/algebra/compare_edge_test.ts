/** What compareEdge says of two plans, against what the rules of proxies do with calls. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { parseWorkloadId } from "../../base/spiffe.ts";
import type { Plan, PlanEgress, PlanIngress } from "../plan.ts";
import { requestHeadOf } from "../request.ts";
import { EgressRules } from "../table/egress_rules.ts";
import { IngressRules } from "../table/ingress_rules.ts";
import { matchForTest, planForTest } from "../table/plan_for_test.ts";
import { compareEdge, type EdgeChange } from "./compare_edge.ts";

const ACCOUNT = "app/web";
const REF = { kind: "Edge", namespace: "app", name: "e" };
const SERVICES = [
  { service: "in/one", addresses: ["10.9.0.1"] },
  { service: "in/two", addresses: ["10.9.0.2"] },
];
const IDS = ["a", "b"].map((name) => `spiffe://cluster.local/ns/in/sa/${name}`);

const anyHosts = fc.constantFrom(
  ...[null, ["*"], ["*.b.example"], ["a.example"], ["*.x.b.example", "a.example"]],
  ...[["any.b.example"], ["*.example"]],
);
const anyRanges = fc.constantFrom(
  ...[null, ["192.0.2.0/24"], ["192.0.2.7/32"], ["192.0.2.0/25", "192.0.2.128/25"]],
  ...[["0.0.0.0/0"], ["2001:db8::/32"]],
);
const anyHttp = fc.constantFrom(
  null,
  [matchForTest({ path: "/a", methods: ["GET"] })],
  [matchForTest({ path: "/a" })],
  [matchForTest({ path: ".*" })],
);

const anyEgress: fc.Arbitrary<PlanEgress> = fc.record({
  hosts: anyHosts,
  ranges: anyRanges,
  http: anyHttp,
  port: fc.constantFrom(80, 81),
  protocol: fc.constantFrom("http" as const, "https" as const, "tcp" as const),
}).map(({ hosts, ranges, http, port, protocol }) => ({
  ...{ ref: REF, position: null, source: ACCOUNT, ranges, ports: [{ port, protocol }] },
  // What is not seen is not asked for.
  hosts: protocol === "tcp" ? null : hosts,
  http: protocol === "http" ? http : null,
}));

const anyIngress: fc.Arbitrary<PlanIngress> = fc.record({
  hosts: anyHosts,
  from: fc.option(fc.record({
    // Whether a range has the endpoints of a Service is not asked.
    ranges: anyRanges.map((ranges) => ranges?.filter((each) => each !== "0.0.0.0/0") ?? []),
    services: fc.subarray(SERVICES),
  })),
  principals: fc.option(fc.subarray(IDS)),
  http: anyHttp,
  isSecured: fc.boolean(),
}).map(({ hosts, from, principals, http, isSecured }) => ({
  ...{ ref: REF, position: null, destination: ACCOUNT, pods: null, port: 80, http },
  protocol: isSecured ? "https" : "http",
  from: isSecured ? from : from ?? { ranges: [], services: [] },
  principals: isSecured ? principals : null,
  serverNames: isSecured ? hosts : null,
}));

const anyPlan: fc.Arbitrary<Plan> = fc.record({
  egress: fc.array(anyEgress, { maxLength: 3 }),
  ingress: fc.array(anyIngress, { maxLength: 3 }),
}).map(({ egress, ingress }) => ({
  ...planForTest([]),
  ...(egress.length === 0 ? {} : { egress: { [ACCOUNT]: egress } }),
  ...(ingress.length === 0 ? {} : { ingress: { [ACCOUNT]: ingress } }),
}));

interface Crossing
  extends Pick<EdgeChange, "side" | "port" | "protocol" | "host" | "place" | "principal"> {
  readonly method: string;
  readonly path: string;
}

/** Whether a plan lets it go, or come. */
function mayCross({ egress, ingress }: Plan, call: Crossing): boolean {
  const { port, protocol, host, place, principal, method, path } = call;
  const service = SERVICES.find((each) => `Service ${each.service}` === place);
  const address = service?.addresses[0] ?? place ?? "203.0.113.9";
  const isRequest = call.side === "ingress" || protocol === "http";
  const head = isRequest ? requestHeadOf({ method, url: `http://h${path}` }) : null;
  if (call.side === "egress") {
    const rules = new EgressRules(egress?.[ACCOUNT] ?? []);
    return rules.allowing({ address, port, protocol, host: host ?? "", head }) !== null;
  }
  const rules = new IngressRules(ingress?.[ACCOUNT] ?? [], "cluster.local");
  return rules.allowing({
    ...{ pod: null, port, peer: address, head },
    identity: parseWorkloadId(principal ?? "")?.identity ?? "",
    serverName: protocol === "http" ? null : host ?? "",
  }) !== null;
}

Deno.test("compareEdge: each change that it names is one", () => {
  fc.assert(
    fc.property(anyPlan, anyPlan, (before, after) => {
      for (const { witness, change, ...rest } of compareEdge(before, after).changes) {
        const call = { ...rest, method: witness?.method ?? "PUT", path: witness?.path ?? "/zz" };
        const [was, is] = [before, after].map((plan) => mayCross(plan, call));
        assert.deepEqual([was, is], change === "opened" ? [false, true] : [true, false]);
      }
    }),
    { numRuns: 500 },
  );
});

const anyCrossing: fc.Arbitrary<Crossing> = fc.record({
  side: fc.constantFrom("egress" as const, "ingress" as const),
  port: fc.constantFrom(80, 81),
  protocol: fc.constantFrom("http" as const, "https" as const, "tcp" as const),
  host: fc.constantFrom("a.example", "y.b.example", "y.x.b.example", "any.b.example", "z.org", ""),
  place: fc.constantFrom(
    ...["192.0.2.1", "192.0.2.7", "192.0.2.200", "198.51.100.1", "2001:db8::1", "2001:db9::1"],
    ...SERVICES.map(({ service }) => `Service ${service}`),
  ),
  principal: fc.constantFrom("", ...IDS),
  method: fc.constantFrom("GET", "POST"),
  path: fc.constantFrom("/a", "/b"),
});

Deno.test("compareEdge: where it names none, no call is treated otherwise", () => {
  fc.assert(
    fc.property(anyPlan, anyPlan, fc.array(anyCrossing), (before, after, calls) => {
      const { changes, isComplete } = compareEdge(before, after);
      assert.equal(isComplete, true);
      for (const call of calls) {
        if (call.side === "ingress" && call.protocol === "tcp") continue;
        if (mayCross(before, call) === mayCross(after, call)) continue;
        const isNamed = changes.some(({ side, port }) => side === call.side && port === call.port);
        assert.equal(isNamed, true, JSON.stringify(call));
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("compareEdge: the same, written otherwise, is no change", () => {
  const of = (...ranges: string[]): Plan => ({
    ...planForTest([]),
    egress: {
      [ACCOUNT]: ranges.map((range) => ({
        ...{ ref: REF, position: null, source: ACCOUNT, hosts: null, http: null },
        ranges: [range],
        ports: [{ port: 443, protocol: "https" }],
      })),
    },
  });
  const [whole, halves] = [of("192.0.2.0/24"), of("192.0.2.0/25", "192.0.2.128/25")];
  assert.deepEqual(compareEdge(whole, halves).changes, []);
  const [change] = compareEdge(whole, of("192.0.2.0/25")).changes;
  assert.deepEqual([change.change, change.place], ["closed", "192.0.2.128"]);
});
