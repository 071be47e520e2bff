/** Scenario: the engine on a calm simulated network, with both ends of its connections in the hands of a test. */
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import { ARENA_BYTES } from "../../proxy/loop/arena.ts";
import { Engine } from "../../proxy/run/engine.ts";
import type { Io } from "../../proxy/io/io.ts";
import type { Plan } from "../../routing/plan.ts";
import { drawPlan, NAMESPACE, ORIGIN_PORT } from "./generate.ts";
import type { ServiceAddresses } from "./generate.ts";
import { Network } from "./network.ts";
import type { Side, Weather } from "./network.ts";
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
      this.onText();
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

/** A calm simulated network, and the driver on it. */
export class CalmNetwork {
  readonly world = new World(1);
  readonly network = new Network(this.world, CALM);
  readonly io = new SimulatedIo(this.world, this.network, arena);

  /** Opens one more endpoint, at `address:port`; the connections of the proxy to it, in the order in which they were made. */
  listenAt(place: string): End[] {
    const ends: End[] = [];
    this.network.listen(place, (side) => ends.push(new End(side)));
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
    this.engine = new Engine(
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
        reportRequests: false,
      },
      this.plan,
      { onRecords() {}, onSpans() {}, onLog() {}, lookUp() {} },
    );
    [this.#port, this.#tcpPort] = this.engine.listen().outbound;
  }

  /** Opens one more endpoint; its connections. */
  listen(address: string): End[] {
    return this.listenAt(`${address}:${ORIGIN_PORT}`);
  }

  client(): End {
    return new End(this.network.connect(`proxy:${this.#port}`, false));
  }

  /** A client whose connection is passed on whole. */
  tcpClient(): End {
    return new End(this.network.connect(`proxy:${this.#tcpPort}`, false));
  }
}
