/** Scenario: the engine on a calm simulated network, with both ends of its connections in the hands of a test. */
import { Random } from "../../base/random.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { ARENA_BYTES } from "../../proxy/loop/arena.ts";
import { Engine } from "../../proxy/run/engine.ts";
import type { Io } from "../../proxy/io/io.ts";
import type { Plan, PlanEndpoint, PlanRoutePolicy } from "../../routing/plan.ts";
import { drawPlan, NAMESPACE, ORIGIN_PORT } from "./generate.ts";
import type { ServiceAddresses } from "./generate.ts";
import { Network } from "./network.ts";
import type { Side, Weather } from "./network.ts";
import { withPlatformRandom } from "./platform_random.ts";
import { SimulatedIo } from "./simulated_io.ts";
import { World } from "./world.ts";

const CALM: Weather = {
  delayMaxMs: 0,
  capacityMin: 100_000,
  capacityMax: 100_000,
  resets: 0,
  connectFailures: 0,
  connectTimeouts: 0,
  partial: 0,
  late: 0,
};

const CLIENTS = { address: "127.0.0.1", port: 0, namespace: NAMESPACE, identity: "", seed: null };

const arena = new Uint8Array(ARENA_BYTES);

/** One end of a connection, with what has arrived there as Latin-1 text. */
export class End {
  readonly side: Side;
  text = "";
  /** Reads nothing for now. */
  isDeaf = false;

  constructor(side: Side) {
    this.side = side;
    side.onChange = () => {
      if (this.isDeaf) return;
      const bytes = new Uint8Array(side.unread);
      side.read(bytes, 0, bytes.length);
      this.text += String.fromCharCode(...bytes);
      if (bytes.length > 0) this.onText();
    };
  }

  /** Called when there is more text. */
  onText: () => void = () => {};

  send(...parts: (string | Uint8Array)[]): void {
    for (const part of parts) {
      this.side.send(
        typeof part === "string" ? Uint8Array.from(part, (one) => one.charCodeAt(0)) : part,
      );
    }
  }
}

/** A simulated network, a calm one unless weather is asked for, and the driver on it. */
export class CalmNetwork {
  readonly world: World;
  readonly network: Network;
  readonly io: SimulatedIo;

  constructor(seed = 1, weather: Partial<Weather> = {}) {
    this.world = new World(seed);
    this.network = new Network(this.world, { ...CALM, ...weather });
    this.io = new SimulatedIo(this.world, this.network, arena);
  }

  /**
   * Opens an endpoint at `address:port`, in place of the one that was there; the connections of the proxy to it, in the order in
   * which they were made.
   */
  listenAt(place: string, onConnection: (end: End) => void = () => {}): End[] {
    const ends: End[] = [];
    this.network.listen(place, (side) => {
      const end = new End(side);
      ends.push(end);
      onConnection(end);
    });
    return ends;
  }

  /** Lets `ms` go by. */
  pass(ms: number): void {
    const { world, io } = this;
    const endMs = world.nowMs + ms;
    while (world.nowMs < endMs) {
      world.runDue();
      if (io.hasPending || world.nowMs >= io.sweepDueMs) {
        io.turn();
        world.nowMs += 0.01;
      } else world.nowMs = Math.max(world.nowMs, Math.min(world.nextMs, io.sweepDueMs, endMs));
    }
  }
}

export class Scenario extends CalmNetwork {
  readonly engine: Engine;
  /** Connections of the proxy to the endpoint, in the order in which they were made. */
  readonly endpoint: End[] = this.listen("10.0.0.1");
  readonly plan: Plan;
  /** Names outside the mesh that were asked for. */
  readonly lookups: string[] = [];
  /** Takes what the engine reports. */
  onRecords: () => void = () => {};
  readonly #port: number;
  readonly #tcpPort: number;

  /** One Service, `svc0.sim`, with one endpoint. */
  constructor(
    protocol: ServiceAddresses["protocol"],
    change: (plan: Plan) => Plan = (plan) => plan,
  ) {
    super();
    const services = [{ name: "svc0", protocol, addresses: ["10.0.0.1"] }, {
      name: "tunnel",
      protocol: "http1" as const,
      addresses: ["10.1.0.1"],
    }];
    this.plan = change(drawPlan(this.world, services, 0));
    // What the engine draws, it draws alike in every run: how long a retry waits, above all.
    this.engine = withPlatformRandom(new Random(1, "platform"), () =>
      new Engine(
        this.io as Io,
        {
          driver: "native",
          workers: 1,
          outbound: [
            CLIENTS,
            { ...CLIENTS, tcp: { namespace: NAMESPACE, service: "svc0", port: 80 } },
          ],
          inbound: [],
          admin: null,
          timeouts: { ...DEFAULT_TIMEOUTS, upstreamIdleMs: 2_000 },
          bodyBytesMax: Infinity,
          reportRequests: true,
          egress: true,
        },
        this.plan,
        {
          onRecords: () => this.onRecords(),
          onAccessLines() {},
          onSpans() {},
          onLog() {},
          lookUp: (name) => void this.lookups.push(name),
        },
      ));
    [this.#port, this.#tcpPort] = this.engine.listen().outbound;
  }

  /** Opens an endpoint, in place of the one that was at its address; its connections. */
  listen(address: string, onConnection?: (end: End) => void): End[] {
    return this.listenAt(`${address}:${ORIGIN_PORT}`, onConnection);
  }

  /** Gives the Service these endpoints. */
  spread(...addresses: readonly string[]): void {
    this.apply(withEndpoints(this.plan, "svc0", addresses));
  }

  /** Gives the Service a policy. */
  police(policy: Omit<PlanRoutePolicy, "sources">): void {
    this.apply(withPolicy(this.plan, policy));
  }

  apply(plan: Plan): void {
    this.engine.apply(plan);
    this.io.turn();
  }

  client(): End {
    return new End(this.network.connect(`proxy:${this.#port}`, false));
  }

  /** A client whose connection is passed on whole. */
  tcpClient(): End {
    return new End(this.network.connect(`proxy:${this.#tcpPort}`, false));
  }
}

/** The plan with a policy for its first Service. */
export function withPolicy(plan: Plan, policy: Omit<PlanRoutePolicy, "sources">): Plan {
  const [first, ...rest] = plan.services;
  const source = {
    policy: { kind: "TrafficPolicy", namespace: "sim", name: "p" },
    target: "Service sim/svc0",
    position: null,
  };
  const sources = Object.fromEntries(Object.keys(policy).map((section) => [section, source]));
  const [port] = first.ports;
  return {
    ...plan,
    services: [{ ...first, ports: [{ ...port, policy: { ...policy, sources } }] }, ...rest],
  };
}

/** The plan with other endpoints for a Service. */
export function withEndpoints(plan: Plan, name: string, addresses: readonly string[]): Plan {
  const endpoints = addresses.map((address): PlanEndpoint => ({
    address,
    port: ORIGIN_PORT,
    pod: "",
    workload: "",
    hostname: "",
    identity: "",
  }));
  return { ...plan, groups: { ...plan.groups, [`${NAMESPACE}/${name}:80`]: endpoints } };
}
