/** Plans for tests of policies: Services on ports of loopback, splits among them, and the policies under test. */
import assert from "node:assert/strict";
import { compile } from "../../routing/compile/compile.ts";
import type { Plan } from "../../routing/plan.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { unhurried } from "../support/patience.ts";
import type { TestProxy } from "../support/test_proxy.ts";

export interface Mesh {
  /** Endpoints by Service; each Service has one port, 80. */
  readonly services: Readonly<Record<string, readonly { readonly port: number }[]>>;
  /** Weights by Service for the root `app`. */
  readonly split?: Readonly<Record<string, number>>;
  /** Sections of a policy by the Service that it is attached to. */
  readonly policies?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Services with `sessionAffinity: ClientIP`. */
  readonly byClient?: readonly string[];
  /** What the ports are called: `tcp` for ones that are relayed. */
  readonly portName?: string;
}

export function planOfMesh(
  { services, split, policies = {}, byClient = [], portName = "http" }: Mesh,
): Plan {
  const documents: unknown[] = [];
  for (const [name, endpoints] of Object.entries(services)) {
    const ports = [{ name: portName, port: 80 }];
    const spec = byClient.includes(name) ? { ports, sessionAffinity: "ClientIP" } : { ports };
    documents.push({ apiVersion: "v1", kind: "Service", metadata: { name }, spec });
    for (const [i, { port }] of endpoints.entries()) {
      documents.push({
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        addressType: "IPv4",
        metadata: { name: `${name}-${i}`, labels: { "kubernetes.io/service-name": name } },
        ports: [{ name: portName, port }],
        endpoints: [{ addresses: ["127.0.0.1"] }],
      });
    }
  }
  if (split !== undefined) {
    const backends = Object.entries(split).map(([service, weight]) => ({ service, weight }));
    documents.push({
      apiVersion: "split.smi-spec.io/v1alpha4",
      kind: "TrafficSplit",
      metadata: { name: "split" },
      spec: { service: "app", backends },
    });
  }
  for (const [name, sections] of Object.entries(policies)) {
    documents.push({
      apiVersion: "weft.dev/v1alpha1",
      kind: "TrafficPolicy",
      metadata: { name },
      spec: { targetRefs: [{ kind: "Service", name }], ...(unhurriedSections(sections) as object) },
    });
  }
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  const { snapshot, findings } = parseManifests([{ name: "mesh.yaml", text }]);
  assert.deepEqual(findings, []);
  return compile(snapshot).plan;
}

/** Times that run out are longer where the machine is busy. */
const TIMES: ReadonlySet<string> = new Set(["request", "idle", "perTryTimeout", "ejectionTime"]);

function unhurriedSections(value: unknown, name = ""): unknown {
  const ms = typeof value === "string" && TIMES.has(name)
    ? /^(\d+)ms$/.exec(value)?.[1]
    : undefined;
  if (ms !== undefined) return `${unhurried(Number(ms))}ms`;
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, one]) => [key, unhurriedSections(one, key)]));
}

/** Sends host `app` by this mesh from now on. */
export async function applyMesh(proxy: TestProxy, mesh: Mesh): Promise<void> {
  await proxy.proxy.apply(planOfMesh(mesh));
}
