/** Captured requests that reach none of the pods that the plan names: they go to the Service's own address, and to nothing else. */
import { deepEqual, equal, match } from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { countedBy } from "../simulation/asking.ts";
import { CaptureScenario } from "./capture_scenario.ts";

const ROOT = "10.96.0.1:80";
const CANARY = "10.96.0.2:80";
const POD = "10.0.0.1:8080";

interface ServiceKind {
  readonly name: string;
  readonly clusterIP: string;
  readonly pods: readonly string[];
}

function service({ name, clusterIP, pods }: ServiceKind): unknown[] {
  const labels = { "kubernetes.io/service-name": name };
  return [
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "default" },
      spec: { clusterIP, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      addressType: "IPv4",
      metadata: { name, namespace: "default", labels },
      ports: [{ name: "http", port: 8080 }],
      endpoints: pods.map((address) => ({ addresses: [address] })),
    },
  ];
}

const textOf = (documents: readonly unknown[]) =>
  documents.map((document) => JSON.stringify(document)).join("\n---\n");

const WEB = service({ name: "web", clusterIP: "10.96.0.1", pods: ["10.0.0.1", "10.0.0.2"] });
const SPLIT = [
  ...WEB,
  ...service({ name: "canary", clusterIP: "10.96.0.2", pods: ["10.0.0.3"] }),
  {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "web", namespace: "default" },
    spec: { service: "web", backends: [{ service: "canary", weight: 1 }] },
  },
];

function policy(spec: object): unknown {
  return {
    apiVersion: "weft.dev/v1alpha1",
    kind: "TrafficPolicy",
    metadata: { name: "web", namespace: "default" },
    spec: { targetRefs: [{ kind: "Service", name: "web" }], ...spec },
  };
}

Deno.test("last resort: pods that are all gone, and the Service's own address", () => {
  const it = new CaptureScenario(textOf(WEB));
  it.serve(ROOT);
  equal(it.get(ROOT, "web"), ROOT);
  const client = it.outbound(ROOT);
  it.pass(1);
  client.send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi");
  it.pass(50);
  match(client.text, /^HTTP\/1\.1 200 /);
  deepEqual(it.records.map(({ service }) => service), ["default/web:80", "default/web:80"]);
  // Each pod once, and the second request one of them: that both have just failed is known then.
  deepEqual(it.records.map(({ attempts }) => attempts), [3, 2]);
});

Deno.test("last resort: pods that are there are asked, and soon again", () => {
  const it = new CaptureScenario(textOf(WEB));
  const calls = it.serve(ROOT);
  equal(it.get(ROOT, "web"), ROOT);
  it.serve(POD);
  it.pass(1_500);
  equal(it.get(ROOT, "web"), POD);
  equal(calls.length, 1);
});

Deno.test("last resort: behind the address each connection may find another pod", () => {
  const answer = (refusals: number) => {
    const it = new CaptureScenario(textOf(WEB));
    it.serve(ROOT);
    it.network.refuse(ROOT, refusals);
    const answer = it.get(ROOT, "web");
    equal(countedBy(it.engine, "weft_last_resorts_total"), 1);
    return answer;
  };
  equal(answer(2), ROOT);
  equal(answer(3), "503 upstream-refused");
});

Deno.test("last resort: it is the address of the Service that a split has chosen", () => {
  const it = new CaptureScenario(textOf(SPLIT));
  it.serve(ROOT);
  equal(it.get(ROOT, "web"), "503 upstream-refused");
  it.serve(CANARY);
  equal(it.get(ROOT, "web"), CANARY);
});

Deno.test("last resort: where the plan does not say it, DNS knows the address", () => {
  const it = new CaptureScenario(textOf(SPLIT));
  const { snapshot } = parseManifests([{ name: "split.yaml", text: textOf(SPLIT) }]);
  const { plan } = compile(snapshot);
  it.engine.apply({ ...plan, services: plan.services.filter(({ name }) => name === "web") });
  it.serve(CANARY);
  const client = it.outbound(ROOT);
  equal(it.ask(client, "web"), "none");
  deepEqual(it.names, ["canary.default.svc.cluster.local"]);
  it.engine.resolved(it.names[0], ["10.96.0.2"]);
  it.pass(50);
  match(client.text, new RegExp(`${CANARY}$`));
});

Deno.test("last resort: a name that DNS does not know leaves the refusal as it was", () => {
  const it = new CaptureScenario(textOf(SPLIT));
  const { snapshot } = parseManifests([{ name: "split.yaml", text: textOf(SPLIT) }]);
  const { plan } = compile(snapshot);
  it.engine.apply({ ...plan, services: plan.services.filter(({ name }) => name === "web") });
  const client = it.outbound(ROOT);
  equal(it.ask(client, "web"), "none");
  it.engine.resolved(it.names[0], []);
  it.pass(50);
  match(client.text, /x-weft-reason: upstream-refused/);
});

Deno.test("last resort: there is none where a Service has no address, or limits", () => {
  const headless = service({ name: "web", clusterIP: "None", pods: ["10.0.0.1"] });
  const limited = [...WEB, policy({ connectionLimits: { maxConnections: 5 } })];
  const answer = (documents: readonly unknown[]) => {
    const it = new CaptureScenario(textOf(documents));
    it.serve(ROOT);
    return it.get("192.0.2.9:80", "web");
  };
  equal(answer(WEB), ROOT);
  equal(answer(headless), "503 upstream-refused");
  equal(answer(limited), "503 upstream-refused");
});

Deno.test("last resort: it is tried for one request after the other, and fails as endpoints do", () => {
  const it = new CaptureScenario(textOf(WEB));
  equal(it.get(ROOT, "web"), "503 upstream-refused");
  equal(it.get(ROOT, "web"), "503 upstream-refused");
  equal(countedBy(it.engine, "weft_last_resorts_total"), 2);
});

const STABLE = "10.0.0.4:8080";
const SHARED = [
  ...WEB,
  ...service({ name: "canary", clusterIP: "10.96.0.2", pods: ["10.0.0.3"] }),
  ...service({ name: "stable", clusterIP: "10.96.0.4", pods: ["10.0.0.4"] }),
  ...service({ name: "old", clusterIP: "10.96.0.5", pods: ["10.0.0.5"] }),
  {
    apiVersion: "split.smi-spec.io/v1alpha4",
    kind: "TrafficSplit",
    metadata: { name: "web", namespace: "default" },
    spec: {
      service: "web",
      backends: [
        { service: "canary", weight: 2 },
        { service: "old", weight: 1 },
        { service: "stable", weight: 2 },
      ],
    },
  },
];

Deno.test("other backend: what reaches nothing of a backend goes to the largest of the others", () => {
  const it = new CaptureScenario(textOf(SHARED));
  it.serve(STABLE);
  const client = it.outbound(ROOT);
  it.pass(1);
  for (let i = 0; i < 5; i++) {
    client.send("POST / HTTP/1.1\r\nHost: web\r\nContent-Length: 2\r\n\r\nhi");
    it.pass(50);
  }
  equal(client.text.match(/HTTP\/1\.1 200 /g)?.length, 5);
  deepEqual(new Set(it.records.map(({ backend }) => backend)), new Set(["default/stable"]));
  // Once for each of two turns of the canary; the request of the old one's turn is taken to the canary first.
  equal(countedBy(it.engine, "weft_other_backends_total"), 4);
});

Deno.test("other backend: also where the plan hears meanwhile that pods have gone", () => {
  const it = new CaptureScenario(textOf(SHARED));
  it.serve(STABLE);
  it.network.silence("10.0.0.3:8080");
  it.network.silence("10.0.0.5:8080");
  const clients = Array.from({ length: 5 }, () => it.outbound(ROOT));
  it.pass(1);
  for (const client of clients) client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  it.pass(100);
  const moved = JSON.stringify(SHARED).replace("10.0.0.3", "10.0.0.6").replace(
    '"weight":2',
    '"weight":3',
  );
  it.apply(textOf(JSON.parse(moved)));
  it.pass(9_000);
  for (const { text } of clients) match(text, /^HTTP\/1\.1 200 /);
});

Deno.test("other backend: its own address is the way to it where its pods are gone as well", () => {
  const it = new CaptureScenario(textOf(SHARED));
  const stable = it.serve("10.96.0.4:80");
  for (let i = 0; i < 5; i++) equal(it.get(ROOT, "web"), "10.96.0.4:80");
  equal(stable.length > 0, true);
});

Deno.test("other backend: a request that has tried for five seconds takes no other way", () => {
  const it = new CaptureScenario(textOf(SHARED));
  const places = [1, 2, 3, 4, 5].flatMap((n) => [`10.0.0.${n}:8080`, `10.96.0.${n}:80`]);
  for (const place of places) it.network.silence(place);
  const client = it.outbound(ROOT);
  it.pass(1);
  client.send("GET / HTTP/1.1\r\nHost: web\r\n\r\n");
  it.pass(9_000);
  match(client.text, /x-weft-reason: upstream-connect-timeout/);
});

Deno.test("other backend: where that is gone as well, the refusal stays", () => {
  const it = new CaptureScenario(textOf(SHARED));
  for (let i = 0; i < 5; i++) equal(it.get(ROOT, "web"), "503 upstream-refused");
});

Deno.test("other backend: none where limits of a backend count what it gets", () => {
  const limits = {
    ...(policy({ connectionLimits: { maxConnections: 5 } }) as object),
    metadata: { name: "stable", namespace: "default" },
    spec: {
      targetRefs: [{ kind: "Service", name: "stable" }],
      connectionLimits: { maxConnections: 5 },
    },
  };
  const it = new CaptureScenario(textOf([...SHARED, limits]));
  it.serve(STABLE);
  const answers = Array.from({ length: 5 }, () => it.get(ROOT, "web"));
  deepEqual(answers.toSorted(), [
    ...Array(2).fill(STABLE),
    ...Array(3).fill("503 upstream-refused"),
  ]);
});
