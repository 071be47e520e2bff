/**
 * The routing core end to end without a cluster: manifests through parseManifests, expandWorkloads, compile,
 * encode and decode, buildTable and decide, with one SplitState and one rotation per backend for each client, as each
 * sidecar has.
 */
import { equal } from "node:assert/strict";
import type { Finding } from "../../base/finding.ts";
import { compile } from "../../routing/compile/compile.ts";
import type { CompileOptions } from "../../routing/compile/compiler.ts";
import type { Plan } from "../../routing/plan.ts";
import { decodePlan, encodePlan } from "../../routing/plan_codec.ts";
import { requestHeadOf } from "../../routing/request.ts";
import { decide, decideConnection, Decision, findPort } from "../../routing/table/decide.ts";
import { SplitState } from "../../routing/table/split.ts";
import { EndpointGroup } from "../../proxy/balance/endpoint_group.ts";
import { buildTable } from "../../routing/table/build.ts";
import type { EndpointSet, TableEndpoint } from "../../routing/table/endpoint_set.ts";
import { parseManifests } from "../../schemas/manifests.ts";
import { expandWorkloads } from "../../schemas/workloads.ts";
import type { CaseRequest } from "./request_line.ts";

/** What one request got. */
export interface MeshAnswer {
  /** The endpoint, or null where the request was refused. */
  readonly endpoint: TableEndpoint | null;
  /** `namespace/service` of the backend; empty for a refusal. */
  readonly backend: string;
  /** The route's id; empty where the request got no further than a host or a port. */
  readonly route: string;
  /** `503 no-endpoints`; empty where there is an endpoint. */
  readonly refusal: string;
}

interface Client {
  state: SplitState;
  /** By key of the endpoint set; rotations go on across plans. */
  groups: Map<string, EndpointGroup<TableEndpoint>>;
}

export class SimulatedMesh {
  readonly #options: CompileOptions;
  readonly #clients = new Map<string, Client>();
  #plan: Plan;
  #findings: readonly Finding[];

  constructor(files: readonly { name: string; text: string }[], options: CompileOptions = {}) {
    this.#options = options;
    [this.#plan, this.#findings] = this.#compile(files);
  }

  /** One that executes a plan as it is, wherever that comes from. */
  static of(plan: Plan): SimulatedMesh {
    const mesh = new SimulatedMesh([]);
    mesh.#plan = plan;
    return mesh;
  }

  get plan(): Plan {
    return this.#plan;
  }

  /** Of reading and of compiling. */
  get findings(): readonly Finding[] {
    return this.#findings;
  }

  /** Replaces all manifests; the clients keep their sequences, as a sidecar does. */
  apply(files: readonly { name: string; text: string }[]): void {
    [this.#plan, this.#findings] = this.#compile(files);
    for (const { state } of this.#clients.values()) {
      state.rebind(buildTable(this.#plan, state.table.client));
    }
  }

  /** Sends all requests of a line, one after the other. */
  send(line: CaseRequest): MeshAnswer[] {
    const head = requestHeadOf(line);
    return Array.from({ length: line.count }, () => {
      const client = this.#clientOf(line);
      const decision = new Decision();
      decide(client.state.table, head, 80, client.state, decision);
      return answerOf(decision, client.groups);
    });
  }

  /** Opens connections to a port that does not speak HTTP; the line's method and path say nothing. */
  connect(line: CaseRequest): MeshAnswer[] {
    const { hostname, port } = new URL(line.url);
    const client = this.#clientOf(line);
    const [name, namespace = line.namespace] = hostname.split(".");
    const service = client.state.table.services.get(`${namespace}/${name}`);
    const tablePort = service && findPort(service, Number(port || 80), 80);
    if (!tablePort) throw new Error(`No such port: ${line.url}`);
    return Array.from({ length: line.count }, () => {
      const decision = new Decision();
      decideConnection(tablePort, client.state, decision);
      return answerOf(decision, client.groups);
    });
  }

  #clientOf({ namespace, serviceAccount }: CaseRequest): Client {
    const identity = serviceAccount === "" ? "" : `${namespace}/${serviceAccount}`;
    const key = `${namespace} ${identity}`;
    const known = this.#clients.get(key);
    if (known !== undefined) return known;
    const table = buildTable(this.#plan, { namespace, identity, seed: null });
    const client = { state: new SplitState(table), groups: new Map() };
    this.#clients.set(key, client);
    return client;
  }

  #compile(files: readonly { name: string; text: string }[]): [Plan, readonly Finding[]] {
    const parsed = parseManifests([...files]);
    const { plan, findings } = compile(expandWorkloads(parsed.snapshot), this.#options);
    // Every plan of every test also takes the way to a proxy.
    const decoded = decodePlan(encodePlan(plan));
    equal(decoded.ok ? "" : decoded.message, "");
    return [decoded.ok ? decoded.plan : plan, [...parsed.findings, ...findings]];
  }
}

function answerOf(decision: Decision, groups: Client["groups"]): MeshAnswer {
  const route = decision.route?.plan.id ?? "";
  if (decision.outcome === "refuse" || decision.endpointSet === null) {
    const refusal = `${decision.status} ${decision.reason}`;
    return { endpoint: null, backend: "", route, refusal };
  }
  return {
    endpoint: takeTurn(decision.endpointSet, groups),
    backend: decision.backend?.key ?? "",
    route,
    refusal: "",
  };
}

function takeTurn(set: EndpointSet, groups: Client["groups"]): TableEndpoint {
  const group = groups.get(set.key) ?? new EndpointGroup<TableEndpoint>();
  groups.set(set.key, group);
  group.replace(set.endpoints.map((target) => ({ key: target.key, target })), 0, 0);
  return group.take(group.turn).target;
}
