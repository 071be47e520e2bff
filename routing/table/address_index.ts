/**
 * AddressIndex: what an IP address and port mean in the mesh. Connections that were captured on their way say nothing else:
 * a client that has resolved a Service's name connects to its ClusterIP, or, where it is headless, to a pod.
 * Owns addresses only; what is routed there is the table's.
 */
import { formatIp, parseIp } from "../../base/ip.ts";
import type { Plan, PlanEndpoint } from "../plan.ts";

/** What an address is. */
export interface MeshAddress {
  /** Index into `Plan.services`, and into its ports. Of a pod: the first Service that it stands behind. */
  readonly service: number;
  readonly port: number;
  /** The pod; null for a Service's own address. */
  readonly endpoint: PlanEndpoint | null;
}

export class AddressIndex {
  readonly #byAddress = new Map<string, MeshAddress>();

  constructor(plan: Plan) {
    plan.services.forEach(({ clusterIps, ports }, service) => {
      for (const address of clusterIps) {
        ports.forEach(({ port }, index) => {
          this.#add(address, port, { service, port: index, endpoint: null });
        });
      }
    });
    // After all ClusterIPs: an address is never both, but if it were, the Service is what a client means.
    plan.services.forEach(({ namespace, name, ports }, service) => {
      ports.forEach(({ port }, index) => {
        for (const endpoint of groupOf(plan, `${namespace}/${name}:${port}`)) {
          this.#add(endpoint.address, endpoint.port, { service, port: index, endpoint });
        }
      });
    });
  }

  /** What is at `address`, in the spelling of `formatIp`; null where it is not of the mesh. */
  find(address: string, port: number): MeshAddress | null {
    return this.#byAddress.get(keyOf(address, port)) ?? null;
  }

  #add(address: string, port: number, meaning: MeshAddress): void {
    const ip = parseIp(address);
    // A headless Service has "None", and a manifest alone gives no addresses.
    if (ip === null || port === 0) return;
    const key = keyOf(formatIp(ip, 0, ip.length === 4 ? 4 : 16), port);
    if (!this.#byAddress.has(key)) this.#byAddress.set(key, meaning);
  }
}

function keyOf(address: string, port: number): string {
  return `${address} ${port}`;
}

function groupOf(plan: Plan, id: string): readonly PlanEndpoint[] {
  return Object.hasOwn(plan.groups, id) ? plan.groups[id] : [];
}
