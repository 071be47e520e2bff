/**
 * The proxies of the local mesh: one outbound listener for each group of clients. The groups that are there at the start
 * share one proxy; one that appears later gets a proxy of its own, because listeners are fixed at start.
 */
import { formatHostPort, type HostPort } from "../console/values.ts";
import {
  DEFAULT_TIMEOUTS,
  type DriverChoice,
  type Proxy,
  type ProxyConfig,
} from "../proxy/config.ts";
import type { RequestRecord } from "../proxy/observe/request_record.ts";
import type { ProxyHooks } from "../proxy/run/running_proxy.ts";
import { IoError } from "../proxy/io/io.ts";
import type { Plan } from "../routing/plan.ts";
import { CommandFailure } from "../console/exit.ts";
import { lookUpName } from "../sidecar/look_up.ts";
import type { ClientGroup } from "./manifests.ts";

/** `startProxy` of proxy/run/start_proxy.ts, handed in so that it is loaded only by who needs it. */
export type StartProxy = (config: ProxyConfig, plan: Plan, hooks?: ProxyHooks) => Promise<Proxy>;

/** Where a group of clients send their requests. */
export interface Sidecar extends HostPort {
  readonly namespace: string;
  /** `namespace/serviceaccount`; empty: it does not count. */
  readonly identity: string;
}

/** What the clients are called. */
export function clientsName({ namespace, identity }: Omit<Sidecar, keyof HostPort>): string {
  return identity || namespace;
}

/** The listener of a client: of its account, else of its namespace. */
export function sidecarFor(
  sidecars: readonly Sidecar[],
  client: { readonly namespace: string; readonly identity: string },
): Sidecar | undefined {
  return sidecars.find(({ identity }) => identity !== "" && identity === client.identity) ??
    sidecars.find(({ namespace, identity }) => identity === "" && namespace === client.namespace);
}

export interface MeshProxyOptions {
  readonly startProxy: StartProxy;
  readonly driver: DriverChoice;
  /** Whether what the mesh does not know is passed on: off by default, so that a typo never leaves this machine. */
  readonly egress: boolean;
  /** Of the first group, the others follow; 0: any free ports. */
  readonly port: number;
  readonly admin: HostPort | null;
  readonly reportRequests: boolean;
  readonly tracing: Pick<ProxyConfig, "traceShare" | "spans">;
  readonly onRequest: (record: RequestRecord, clients: string) => void;
  readonly onLog: NonNullable<ProxyHooks["onLog"]>;
  readonly onFailure: NonNullable<ProxyHooks["onFailure"]>;
  readonly onAdminRequest?: NonNullable<ProxyHooks["onAdminRequest"]>;
}

export class Sidecars {
  readonly #options: MeshProxyOptions;
  readonly #proxies: Proxy[] = [];
  readonly #sidecars: Sidecar[] = [];

  constructor(options: MeshProxyOptions) {
    this.#options = options;
  }

  /** In the order of their ports. */
  get all(): readonly Sidecar[] {
    return this.#sidecars;
  }

  /** Undefined before the first group has been added. */
  get driver(): Proxy["driver"] | undefined {
    return this.#proxies[0]?.driver;
  }

  get admin(): HostPort | null {
    return this.#proxies[0]?.admin ?? null;
  }

  /** What a client sets `http_proxy` to. */
  urlOf(client: { readonly namespace: string; readonly identity: string }): string {
    const sidecar = sidecarFor(this.#sidecars, client);
    return sidecar === undefined ? "" : `http://${formatHostPort(sidecar)}`;
  }

  /**
   * Starts a listener for each group of clients that has none, and returns those listeners. Throws {@link CommandFailure}
   * where a port is taken.
   */
  async add(clients: readonly ClientGroup[], plan: Plan): Promise<readonly Sidecar[]> {
    const known = new Set(this.#sidecars.map(clientsName));
    const added = clients.filter((group) => !known.has(clientsName(group)));
    if (added.length === 0) return [];
    const { port } = this.#options;
    const first = port === 0 ? 0 : port + this.#sidecars.length;
    const isAtStart = this.#proxies.length === 0;
    const proxy = await this.#start(added, first, plan).catch((error) => {
      if (!(error instanceof IoError)) throw error;
      // An edit must not fail because of a port that was never announced.
      if (!isAtStart) return this.#start(added, 0, plan);
      throw startFailure(error);
    });
    this.#proxies.push(proxy);
    const started = proxy.outbound.map(({ address, port }, index): Sidecar => {
      const { namespace, identity } = added[index];
      return { namespace, identity, address, port };
    });
    this.#sidecars.push(...started);
    return started;
  }

  /** Resolves once every proxy serves the plan. */
  async apply(plan: Plan): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.apply(plan)));
  }

  /** What all proxies have counted, one after another. */
  async metrics(): Promise<string> {
    return (await Promise.all(this.#proxies.map((proxy) => proxy.metrics()))).join("");
  }

  async stop(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
  }

  /** `port`: of the first of the groups, the others follow; 0: any free ports. */
  #start(clients: readonly ClientGroup[], port: number, plan: Plan): Promise<Proxy> {
    const { startProxy, driver, egress, admin, reportRequests, tracing } = this.#options;
    const { onRequest, onLog, onFailure, onAdminRequest } = this.#options;
    const config: ProxyConfig = {
      driver,
      workers: 1,
      outbound: clients.map(({ namespace, identity, workload, pod }, index) => ({
        address: "127.0.0.1",
        port: port === 0 ? 0 : port + index,
        namespace,
        workload,
        pod,
        identity,
        seed: null,
      })),
      inbound: [],
      admin: this.#proxies.length === 0 ? admin : null,
      egress,
      timeouts: DEFAULT_TIMEOUTS,
      bodyBytesMax: Infinity,
      reportRequests,
      ...tracing,
    };
    return startProxy(config, plan, {
      onRequest: (record) => onRequest(record, clientsName(clients[record.listener])),
      onLog,
      onFailure,
      ...(onAdminRequest === undefined ? {} : { onAdminRequest }),
      lookUp: lookUpName,
    });
  }
}

function startFailure({ message }: IoError): CommandFailure {
  const hint = message.startsWith("Cannot listen")
    ? "Is weft up running already? Choose other ports with --port and --admin"
    : "";
  return new CommandFailure(message, { hint });
}
