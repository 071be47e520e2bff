/**
 * One simulated run: the real engine between scripted clients and endpoints, on a simulated network and clock, all
 * drawn from one seed; and the promises that must hold whatever happened.
 */
import { ARENA_BYTES, BufferPool, NO_BUFFER } from "../../proxy/connection/buffers.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import type { ProxyConfig, ProxyTimeouts, RequestRecord } from "../../proxy/config.ts";
import { Engine } from "../../proxy/engine.ts";
import type { Io } from "../../proxy/io/io.ts";
import { Client } from "./client.ts";
import type { ClientPlan } from "./client.ts";
import {
  APPLICATION,
  drawClient,
  drawPlan,
  drawServices,
  drawWeather,
  ExchangeMaker,
  NAMESPACE,
  ORIGIN_PORT,
  TUNNEL_SERVICE,
} from "./generate.ts";
import type { ServiceAddresses } from "./generate.ts";
import { Network } from "./network.ts";
import { OriginConnection, TunnelOrigin } from "./origin.ts";
import { fail } from "./run_state.ts";
import type { RunState } from "./run_state.ts";
import { SimulatedIo } from "./simulated_io.ts";
import { SimulationError, World } from "./world.ts";

/** Short, so that a run sees all of them expire. */
const TIMEOUTS: ProxyTimeouts = {
  ...DEFAULT_TIMEOUTS,
  connectMs: 500,
  responseMs: 3_000,
  requestHeadMs: 1_500,
  clientIdleMs: 4_000,
  upstreamIdleMs: 2_000,
  stallMs: 2_000,
  drainMs: 5_000,
};
/** Everybody has given up, and been given up, long before. */
const LIMIT_MS = 60_000;
/** What only repeats itself is a loop that burns a processor. */
const IDLE_TURNS_MAX = 500;

/** Made once: what one run leaves in it is junk to the next. */
const arena = new Uint8Array(ARENA_BYTES);
const scratch = new Uint8Array(65_536);

export interface RunOptions {
  /** Makes the driver; tests plant bugs here. */
  readonly makeIo: (world: World, network: Network, arena: Uint8Array) => SimulatedIo;
  /** Is told what the proxy does. */
  readonly onTrace: ((line: string) => void) | null;
}

const DEFAULT_OPTIONS: RunOptions = {
  makeIo: (world, network, bytes) => new SimulatedIo(world, network, bytes),
  onTrace: null,
};

export interface RunSummary {
  readonly isCalm: boolean;
  readonly exchanges: number;
  readonly answeredByEndpoints: number;
  readonly simulatedMs: number;
}

/** @throws {SimulationError} a promise was broken */
export function simulate(seed: number, options: Partial<RunOptions> = {}): RunSummary {
  return new Simulation(seed, { ...DEFAULT_OPTIONS, ...options }).run();
}

class Simulation {
  readonly #world: World;
  readonly #io: SimulatedIo;
  readonly #engine: Engine;
  readonly #state: RunState;
  readonly #services: readonly ServiceAddresses[];
  readonly #clients: Client[] = [];
  readonly #records: RequestRecord[] = [];
  readonly #isCalm: boolean;
  #isDrained = false;
  /** The most buffers that may be lent; fewer than are wanted in some hostile runs. */
  readonly #buffersMax: number;

  constructor(seed: number, { makeIo, onTrace }: RunOptions) {
    const world = new World(seed);
    world.onTrace = onTrace;
    this.#world = world;
    this.#isCalm = world.chance(0.5);
    const weather = drawWeather(world, this.#isCalm);
    const network = new Network(world, weather);
    this.#services = drawServices(world);
    const maker = new ExchangeMaker(world, this.#isCalm, weather, this.#services);
    this.#state = {
      world,
      network,
      exchanges: maker.exchanges,
      isCalm: this.#isCalm,
      drainingMs: Infinity,
      cuts: new Map(),
      scratch,
    };
    this.#buffersMax = !this.#isCalm && world.chance(0.2) ? world.between(3, 10) : Infinity;
    this.#openOrigins(network);
    this.#io = makeIo(world, network, arena);
    const plan = drawPlan(world, this.#services, 0);
    this.#engine = new Engine(this.#io as Io, this.#config(), plan, {
      onRecords: (records) => void this.#records.push(...records),
      onLog() {},
      lookUp() {},
    });
    const ports = this.#engine.listen();
    const proxies = {
      outbound: `proxy:${ports.outbound[0]}`,
      inbound: `proxy:${ports.inbound[0]}`,
    };
    const count = world.between(1, 12);
    for (let i = 0; i < count; i++) {
      this.#addClient(drawClient(world, maker, this.#isCalm, proxies));
    }
    this.#scheduleSwaps();
    if (world.chance(0.4)) world.after(world.between(0, 2_000), () => this.#drain());
  }

  run(): RunSummary {
    const take = BufferPool.prototype.take;
    const { buffersMax } = { buffersMax: this.#buffersMax };
    BufferPool.prototype.take = function (): number {
      return this.lentCount >= buffersMax ? NO_BUFFER : take.call(this);
    };
    try {
      this.#loop(() => this.#clients.every(({ isDone }) => isDone));
      if (this.#state.drainingMs === Infinity) this.#drain();
      this.#loop(() => this.#isDrained && this.#io.connections === 0);
    } finally {
      BufferPool.prototype.take = take;
    }
    this.#checkEnd();
    const outcomes = Array.from(this.#state.exchanges.values(), ({ outcome }) => outcome);
    return {
      isCalm: this.#isCalm,
      exchanges: outcomes.length,
      answeredByEndpoints:
        outcomes.filter((outcome) => outcome?.isWhole === true && outcome.reason === "").length,
      simulatedMs: this.#world.nowMs,
    };
  }

  #config(): ProxyConfig {
    const hasLimit = !this.#isCalm && this.#world.chance(0.2);
    return {
      driver: "native",
      workers: 1,
      outbound: [{ address: "127.0.0.1", port: 0, namespace: NAMESPACE, identity: "", seed: null }],
      inbound: [{ address: "127.0.0.1", port: 0, application: APPLICATION }],
      admin: null,
      timeouts: TIMEOUTS,
      bodyBytesMax: hasLimit ? 10_000 : Infinity,
      reportRequests: true,
    };
  }

  #openOrigins(network: Network): void {
    const addresses = this.#services.flatMap(({ name, addresses }) =>
      addresses.map((address) => ({ name, address }))
    );
    for (const { name, address } of [...addresses, { name: "", address: APPLICATION.address }]) {
      const key = `${address}:${ORIGIN_PORT}`;
      // In a hostile run some are dead, and some of those do not even refuse.
      if (!this.#isCalm && this.#world.chance(0.1)) {
        if (this.#world.chance(0.3)) network.silence(key);
        continue;
      }
      network.listen(key, (side) => {
        if (name === TUNNEL_SERVICE) new TunnelOrigin(this.#state, side);
        else new OriginConnection(this.#state, key, side);
      });
    }
  }

  #addClient(plan: ClientPlan): void {
    const client = new Client(this.#state, plan);
    this.#clients.push(client);
    this.#world.after(this.#world.between(0, 500), () => client.dial());
  }

  #scheduleSwaps(): void {
    const count = this.#world.between(0, 8);
    for (let index = 1; index <= count; index++) {
      this.#world.after(this.#world.between(0, 1_500), () => {
        this.#engine.apply(drawPlan(this.#world, this.#services, index));
        this.#io.turn();
      });
    }
  }

  #drain(): void {
    if (this.#state.drainingMs !== Infinity) return;
    this.#state.drainingMs = this.#world.nowMs;
    this.#engine.drain(() => {
      this.#isDrained = true;
    });
    // A command comes as an event, which ends with its batch.
    this.#io.turn();
  }

  /** Lets time pass until `isOver`. */
  #loop(isOver: () => boolean): void {
    const world = this.#world;
    const io = this.#io;
    for (let turns = 0;; turns++) {
      world.runDue();
      if (isOver()) return;
      if (world.nowMs > LIMIT_MS) this.#fail(`It hangs: ${this.#describe()}`);
      if (io.hasPending || world.nowMs >= io.sweepDueMs) {
        io.turn();
        if (turns % 8 === 0) this.#checkNow();
        if (io.idleTurns > IDLE_TURNS_MAX) this.#fail(`It spins: ${this.#describe()}`);
        // A turn takes time, and things happen meanwhile.
        world.nowMs += world.between(0, 100) / 1000;
      } else {
        const nextMs = Math.min(world.nextMs, io.sweepDueMs);
        if (nextMs === Infinity) this.#fail(`Nothing will ever happen: ${this.#describe()}`);
        world.nowMs = Math.max(world.nowMs, nextMs);
      }
    }
  }

  #checkNow(): void {
    const { buffersLent, connectionsOpen, upstreamsOpen, faults, lastFault } = this.#engine
      .snapshot();
    if (faults > 0) this.#fail(`A fault: ${lastFault}`);
    const [violation] = this.#io.violations;
    if (violation !== undefined) this.#fail(`Against the contract of Io: ${violation}`);
    if (buffersLent > 2 * (connectionsOpen + upstreamsOpen)) {
      this.#fail(`${buffersLent} buffers for ${connectionsOpen} and ${upstreamsOpen} connections`);
    }
  }

  #checkEnd(): void {
    this.#checkNow();
    const { buffersLent, connectionsOpen, upstreamsOpen } = this.#engine.snapshot();
    if (buffersLent !== 0) this.#fail(`${buffersLent} buffers were not given back`);
    if (connectionsOpen + upstreamsOpen !== 0) this.#fail("Connections are still registered");
    for (const exchange of this.#state.exchanges.values()) {
      const records = this.#records.filter(({ path }) => path.startsWith(`/t/${exchange.token}?`));
      const { outcome, sendings, token } = exchange;
      if (records.length > sendings) {
        this.#fail(`Exchange ${token} was reported ${records.length} times`);
      }
      if (outcome?.isWhole !== true || exchange.kind === "connect") continue;
      // Of a head that never arrived in full the path is not known.
      if (outcome.reason === "request-timeout") continue;
      const isReported = records.some(({ status, reason }) =>
        status === outcome.status && reason === outcome.reason
      );
      if (!isReported) this.#fail(`The answer to exchange ${token} was not reported`);
    }
    if (this.#isCalm) this.#checkDrained();
  }

  /** Draining costs no exchange that was under way. */
  #checkDrained(): void {
    for (const { token, firstArrivalMs, outcome } of this.#state.exchanges.values()) {
      if (firstArrivalMs < this.#state.drainingMs && outcome?.isWhole !== true) {
        this.#fail(`Exchange ${token} was under way, and draining cut it`);
      }
    }
  }

  #describe(): string {
    const open = this.#clients.filter(({ isDone }) => !isDone).map(({ plan, answered }) =>
      `a client at exchange ${plan.exchanges[answered]?.token ?? "none"}`
    );
    return `${this.#io.connections} connections of the proxy are open, ${open.join(", ")}`;
  }

  #fail(message: string): never {
    fail(this.#state, message);
  }
}

export { SimulationError };
