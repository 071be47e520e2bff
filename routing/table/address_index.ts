/**
 * AddressIndex: what an IP address and port mean in the mesh. Connections that were captured on their way say nothing else:
 * a client that has resolved a Service's name connects to its ClusterIP, or, where it is headless, to a pod.
 * Owns addresses only; what is routed there is the table's.
 */
import { formatIp, parseIp } from "../../base/ip.ts";
import type { Plan, PlanEndpoint } from "../plan.ts";

/** What an address is. */
export type MeshAddress = ServiceAddress | PodAddress;

/** A Service's own address. */
export interface ServiceAddress {
  readonly kind: "service";
  /** Index into `Plan.services`, and into its ports; -1: it does not have this port. */
  readonly service: number;
  readonly port: number;
}

/** A pod's address. */
export interface PodAddress {
  readonly kind: "pod";
  /** The port that was asked for. */
  readonly asked: number;
  /** Ports of Services that lead to it; those that say what they speak come first. Empty: no Service lists it. */
  readonly listed: readonly PodPort[];
  /** Headless Services that the pod is behind by whichever port, as indexes into `Plan.services`. */
  readonly headless: readonly number[];
}

/** A port of a Service that leads to a pod. */
interface PodPort {
  /** Index into `Plan.services`, and into its ports. */
  readonly service: number;
  readonly port: number;
  readonly endpoint: PlanEndpoint;
}

export class AddressIndex {
  readonly #plan: Plan;
  /** Services by their own addresses. */
  readonly #services = new Map<string, number>();
  readonly #pods = new Map<string, PodPort[]>();

  constructor(plan: Plan) {
    this.#plan = plan;
    plan.services.forEach(({ namespace, name, clusterIps, ports }, service) => {
      for (const address of clusterIps) {
        const key = keyOf(address);
        if (key !== "" && !this.#services.has(key)) this.#services.set(key, service);
      }
      ports.forEach((planPort, port) => {
        for (const endpoint of groupOf(plan, `${namespace}/${name}:${planPort.port}`)) {
          this.#addPod({ service, port, endpoint });
        }
      });
    });
  }

  /** What is at `address`, in the spelling of `formatIp`; null if it is not of the mesh. */
  find(address: string, port: number): MeshAddress | null {
    const service = this.#services.get(address);
    // An address is never both, but if it were, the Service is what a client means.
    if (service !== undefined) {
      const { ports } = this.#plan.services[service];
      return { kind: "service", service, port: ports.findIndex((each) => each.port === port) };
    }
    const all = this.#pods.get(address);
    return all === undefined ? null : this.#podAt(all, port);
  }

  #podAt(all: readonly PodPort[], asked: number): PodAddress {
    const { services } = this.#plan;
    const isGuessed = ({ service, port }: PodPort) =>
      services[service].ports[port].isGuessed === true;
    const listed = all.filter(({ endpoint }) => endpoint.port === asked);
    const headless = all.map(({ service }) => service)
      .filter((service) => services[service].clusterIps.every((address) => keyOf(address) === ""));
    return {
      kind: "pod",
      asked,
      listed: listed.toSorted((a, b) => Number(isGuessed(a)) - Number(isGuessed(b))),
      headless: [...new Set(headless)],
    };
  }

  #addPod(podPort: PodPort): void {
    const { address, port } = podPort.endpoint;
    const key = keyOf(address);
    // A manifest alone gives no addresses, and a port that could not be resolved is none.
    if (key === "" || port === 0) return;
    const known = this.#pods.get(key);
    if (known === undefined) this.#pods.set(key, [podPort]);
    else known.push(podPort);
  }
}

/** One spelling for all of an address; empty if it is none, as the "None" of a headless Service. */
function keyOf(address: string): string {
  const ip = parseIp(address);
  return ip === null ? "" : formatIp(ip, 0, ip.length === 4 ? 4 : 16);
}

function groupOf(plan: Plan, id: string): readonly PlanEndpoint[] {
  return Object.hasOwn(plan.groups, id) ? plan.groups[id] : [];
}
