/**
 * One simulated run: the real engine between scripted clients and endpoints, on a simulated network and clock, all
 * drawn from one seed; and the promises that must hold whatever happened.
 */
import { Random } from "../../base/random.ts";
import type { Plan, PlanBackend } from "../../routing/plan.ts";
import { sharingPlan } from "../../routing/table/plan_for_test.ts";
import { ARENA_BYTES } from "../../proxy/loop/arena.ts";
import { DEFAULT_TIMEOUTS } from "../../proxy/config.ts";
import type {
  ProxyConfig,
  ProxyTimeouts,
  ProxyTls,
  TlsOrigination,
  TlsTermination,
} from "../../proxy/config.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { PLAN_ANSWER_MS } from "../../proxy/limits.ts";
import { Engine } from "../../proxy/run/engine.ts";
import type { Io } from "../../proxy/io/io.ts";
import { Client } from "./client.ts";
import { hasAnswerBody, isIdempotent } from "./exchange.ts";
import type { Actor } from "./client.ts";
import { openEndpoints } from "./endpoints.ts";
import {
  APPLICATION,
  drawClient,
  drawHttp2Client,
  drawPlan,
  drawServices,
  drawTcpClient,
  drawWeather,
  ExchangeMaker,
  NAMESPACE,
  ORIGIN_PORT,
  type ProxyAddresses,
  TUNNEL_SERVICE,
} from "./generate.ts";
import type { ServiceAddresses } from "./generate.ts";
import { Http2Client } from "./http2_client.ts";
import { Network } from "./network.ts";
import { MIRROR_SERVICE, PolicyMix } from "./policies.ts";
import { Probe } from "./probe.ts";
import { ENDPOINT_URI, failRun, RunState } from "./run_state.ts";
import { Sharing, TWIN_SERVICE } from "./sharing.ts";
import { SimulatedIo } from "./simulated_io.ts";
import { SimulatedSource } from "./simulated_source.ts";
import { TcpClient } from "./tcp_client.ts";
import { World } from "./world.ts";

/** Short, so that a run sees all of them expire. */
const TIMEOUTS: ProxyTimeouts = {
  ...DEFAULT_TIMEOUTS,
  connectMs: 500,
  egressConnectMs: 500,
  pendingMs: 500,
  responseMs: 3_000,
  requestHeadMs: 1_500,
  clientIdleMs: 4_000,
  upstreamIdleMs: 2_000,
  stallMs: 2_000,
  tcpIdleMs: 3_000,
  drainMs: 5_000,
};
/** Of bodies after the last fault: below every limit on bodies that a run may have. */
const RECOVERED_BYTES_MAX = 5_000;
/** The time within which the clients of a run come. */
const DENSE_MS = 500;
const SPARSE_MS = 6_000;
const CERTIFICATE = { chainPem: "", keyPem: "" };
const TERMINATION: TlsTermination = {
  certificate: CERTIFICATE,
  clientCertificate: "ignored",
  clientAuthority: null,
  minVersion: "1.3",
  ticketKeys: null,
};
const ORIGINATION: TlsOrigination = {
  certificate: null,
  authority: null,
  target: { serverName: null, uriSans: [ENDPOINT_URI] },
  minVersion: "1.3",
};
const CLIENTS = { address: "127.0.0.1", port: 0, namespace: NAMESPACE, identity: "", seed: null };
/** Every peer has given up, and been given up, long before. */
const LIMIT_MS = 60_000;
/** After the last fault: whatever was begun has ended, and whatever was kept has been let go of. */
const QUIET_MS = 10_000;
/** Its number; there are fewer before it. */
const RECOVERY_PLAN = 9;
/** How far the loop's clock may be behind. */
const TURN_MS = 200;
/** What only repeats itself is a loop that burns a processor. */
const IDLE_TURNS_MAX = 500;

/** Made once: what one run leaves in it is junk to the next. */
const arena = new Uint8Array(ARENA_BYTES);

export interface RunOptions {
  /** Makes the driver; tests plant bugs here. */
  readonly makeIo: (world: World, network: Network, arena: Uint8Array) => SimulatedIo;
  /** Sections that the policies of the run have, and whether its connections are secured, whatever is drawn. */
  readonly sections: readonly string[];
  readonly isSecure: boolean;
  /** Nothing takes time, and endpoints end connections right behind their answers. */
  readonly isBrisk: boolean;
  /** Clients come seconds apart, so that connections are idle for long. */
  readonly isSparse: boolean;
  /** Endpoints that are to speak HTTP/2 most often begin with something else. */
  readonly isMisled: boolean;
  /** Is told what the proxy does. */
  readonly onTrace: ((line: string) => void) | null;
}

const DEFAULT_OPTIONS: RunOptions = {
  makeIo: (world, network, bytes) => new SimulatedIo(world, network, bytes),
  sections: [],
  isSecure: false,
  isBrisk: false,
  isSparse: false,
  isMisled: false,
  onTrace: null,
};

interface RunSummary {
  readonly isCalm: boolean;
  readonly exchanges: number;
  readonly answeredByEndpoints: number;
  readonly simulatedMs: number;
}

/** @throws {SimulationError} a promise was broken */
export function runSimulation(seed: number, options: Partial<RunOptions> = {}): RunSummary {
  const probe = new Probe();
  const random = new Random(seed, "platform");
  return probe.watch(
    random,
    () => new Simulation(seed, probe, { ...DEFAULT_OPTIONS, ...options }).run(),
  );
}

/** What the access log is compared in: the rest is the same for many requests. */
const LOGGED = [
  ...["method", "authority", "path", "status", "reason", "requestBytes", "responseBytes"],
  ...["grpcStatus", "service", "rule", "split", "backend", "pod", "endpoint", "attempts", "plan"],
] as readonly (keyof RequestRecord)[];

class Simulation {
  readonly #world: World;
  readonly #io: SimulatedIo;
  readonly #engine: Engine;
  readonly #state: RunState;
  readonly #services: readonly ServiceAddresses[];
  readonly #maker: ExchangeMaker;
  readonly #proxies: ProxyAddresses;
  readonly #clients: Actor[] = [];
  readonly #records: RequestRecord[] = [];
  #accessLog = "";
  readonly #plans: Plan[] = [];
  /** Null: the engine has whole plans. */
  readonly #source: SimulatedSource | null;
  readonly #probe: Probe;
  readonly #isCalm: boolean;
  #isDrained = false;

  constructor(seed: number, probe: Probe, options: RunOptions) {
    const { makeIo, onTrace, sections, isSecure, isBrisk, isSparse, isMisled } = options;
    this.#probe = probe;
    const world = new World(seed);
    world.onTrace = onTrace;
    this.#world = world;
    this.#isCalm = (world.chance(0.5) || isBrisk) && !isMisled;
    const drawn = drawWeather(world, this.#isCalm);
    const weather = isBrisk ? { ...drawn, delayMaxMs: 0, late: 0 } : drawn;
    const network = new Network(world, weather);
    this.#services = drawServices(world);
    const maker = new ExchangeMaker(world, this.#isCalm, weather, this.#services);
    this.#maker = maker;
    const policies = new PolicyMix(world, this.#isCalm, sections);
    const mayBeSecure = world.chance(0.4) || isSecure;
    const tls = {
      outbound: mayBeSecure && world.chance(0.5),
      inbound: mayBeSecure && world.chance(0.5),
      upstream: mayBeSecure && (world.chance(0.7) || isSecure),
    };
    const [first] = this.#services;
    const sharing = new Sharing(policies, first.name, new Set(originsAt(first)));
    this.#state = new RunState(
      world,
      network,
      maker.exchanges,
      this.#isCalm,
      policies,
      tls,
      sharing,
    );
    this.#state.isBrisk = isBrisk;
    this.#state.isMisled = isMisled;
    this.#state.isTight = !this.#isCalm && world.chance(0.4);
    if (this.#state.isTight) probe.buffersMax = world.between(3, 10);
    openEndpoints(this.#state, this.#services, this.#maker);
    this.#io = makeIo(world, network, arena);
    const plan = drawPlan(world, this.#services, 0, policies);
    this.#plans.push(plan);
    this.#io.onConnect = (address) => this.#checkConnections(address);
    sharing.openEnds = () => this.#io.openEnds();
    this.#source = world.chance(0.4) ? this.#openSource(plan) : null;
    this.#engine = new Engine(this.#io as Io, this.#config(), this.#source?.begin() ?? plan, {
      onRecords: (records) => void this.#records.push(...records),
      onAccessLines: (lines) => void (this.#accessLog += new TextDecoder().decode(lines)),
      onSpans() {},
      onLog() {},
      lookUp() {},
      ask: (question) => this.#source?.ask(question),
    });
    this.#source?.serve(this.#engine);
    const ports = this.#engine.listen();
    this.#proxies = {
      outbound: `proxy:${ports.outbound[0]}`,
      inbound: `proxy:${ports.inbound[0]}`,
      tcp: `proxy:${ports.outbound[1]}`,
    };
    const spreadMs = isSparse || world.chance(0.05) ? SPARSE_MS : DENSE_MS;
    this.#addClients(world.between(1, 12), spreadMs);
    this.#scheduleSwaps();
    if (world.chance(0.4)) world.after(world.between(0, 2_000), () => this.#drain());
  }

  run(): RunSummary {
    this.#loop(() => this.#clients.every(({ isDone }) => isDone));
    if (!this.#isCalm && this.#state.drainingMs === Infinity) this.#recover();
    if (this.#state.drainingMs === Infinity) this.#drain();
    this.#loop(() => this.#isDrained && this.#io.connections === 0);
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
      outbound: [
        CLIENTS,
        { ...CLIENTS, tcp: { namespace: NAMESPACE, service: TUNNEL_SERVICE, port: 80 } },
      ],
      inbound: [{ address: "127.0.0.1", port: 0, application: APPLICATION }],
      admin: null,
      tls: this.#tls(),
      timeouts: TIMEOUTS,
      bodyBytesMax: hasLimit ? 10_000 : Infinity,
      reportRequests: true,
      accessLog: "json",
    };
  }

  #tls(): ProxyTls {
    const { outbound, inbound, upstream } = this.#state.tls;
    return {
      ...(outbound && { outbound: TERMINATION }),
      ...(inbound && { inbound: TERMINATION }),
      ...(upstream && { upstream: ORIGINATION }),
    };
  }

  #addClients(count: number, spreadMs = DENSE_MS): void {
    const world = this.#world;
    const { isCalm } = this.#state;
    for (let i = 0; i < count; i++) {
      const client = world.chance(0.1)
        ? new TcpClient(this.#state, drawTcpClient(world, this.#maker, isCalm, this.#proxies))
        : world.chance(0.5)
        ? new Http2Client(this.#state, drawHttp2Client(world, this.#maker, isCalm, this.#proxies))
        : new Client(this.#state, drawClient(world, this.#maker, isCalm, this.#proxies));
      this.#clients.push(client);
      world.after(world.between(0, spreadMs), () => client.dial());
    }
  }

  /** Once nothing goes wrong any more, every request is answered; nothing that went wrong has left a trace. */
  #recover(): void {
    const { network } = this.#state;
    network.calm();
    this.#source?.calm();
    this.#probe.buffersMax = Infinity;
    const quietMs = this.#world.nowMs + QUIET_MS;
    this.#world.at(quietMs, () => {});
    this.#loop(() => this.#world.nowMs >= quietMs);
    if (this.#state.drainingMs !== Infinity) return;
    const { connections } = this.#io;
    if (connections > 0) this.#fail(`${connections} connections are open and unused`);
    const leftovers = this.#probe.leftovers();
    if (leftovers !== "") this.#fail(leftovers);
    this.#checkAccessLog();
    this.#state.mayLackAnswers = false;
    this.#state.isCalm = this.#maker.isCalm = this.#state.policies.isCalm = true;
    this.#swap(RECOVERY_PLAN);
    // What comes from now on is decided by it alone.
    this.#source?.settle();
    this.#maker.bytesMax = RECOVERED_BYTES_MAX;
    openEndpoints(this.#state, this.#services, this.#maker);
    this.#addClients(3);
    this.#loop(() => this.#clients.every(({ isDone }) => isDone));
  }

  #scheduleSwaps(): void {
    const count = this.#world.between(0, 8);
    for (let index = 1; index <= count; index++) {
      this.#world.after(this.#world.between(0, 1_500), () => {
        this.#swap(index);
      });
    }
    if (this.#world.chance(0.7)) return;
    this.#world.after(this.#world.between(0, 1_000), () => {
      this.#engine.replaceCertificates(this.#tls());
    });
  }

  #swap(index: number): void {
    const drawn = drawPlan(this.#world, this.#services, index, this.#state.policies);
    // Some are put together from parts, and some come from elsewhere.
    const before = this.#plans[this.#plans.length - 1];
    const plan = index % 3 === 0 ? drawn : sharingPlan(before, drawn);
    this.#plans.push(plan);
    if (this.#source !== null) return this.#source.set(plan);
    this.#engine.apply(plan);
    this.#io.turn();
  }

  #openSource(plan: Plan): SimulatedSource {
    this.#state.mayLackAnswers = !this.#isCalm;
    return new SimulatedSource(this.#world, plan, this.#isCalm, (held) => {
      this.#plans.push(held);
      this.#io.turn();
    });
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
    const excess = this.#probe.excess();
    if (excess !== "") this.#fail(excess);
    const { lastFault } = this.#engine.snapshot();
    if (lastFault !== "") this.#fail(`A fault: ${lastFault}`);
    const [violation] = this.#io.violations;
    if (violation !== undefined) this.#fail(`Against the contract of Io: ${violation}`);
    this.#checkPlaces();
    const endless = this.#probe.endless();
    if (endless !== "") this.#fail(endless);
  }

  /** No more connections to the endpoints of a Service than its policy allows. */
  #checkConnections(address: string): void {
    // Each listener stands for clients of its own, and counts for itself.
    const limitOf = ({ name }: ServiceAddresses) =>
      (this.#state.policies.limitsOf(name)?.maxConnections ?? Infinity) *
      (name === TUNNEL_SERVICE ? 2 : 1);
    // The first Service's endpoints are those of its twin, too.
    const [first] = this.#services;
    const isFirst = originsAt(first).includes(address);
    const owners = this.#services.filter((service) =>
      originsAt(service).includes(address) || (isFirst && service.name === TWIN_SERVICE)
    );
    // Copies are not counted against the limits of the Service that gets them.
    if (owners.length === 0 || owners.some(({ name }) => name === MIRROR_SERVICE)) return;
    const names = owners.map(({ name }) => name).join(" and ");
    const most = owners.reduce((sum, owner) => sum + limitOf(owner), 0);
    const count = this.#io.connectionsTo(owners.flatMap(originsAt));
    if (count > most) this.#fail(`${count} connections to ${names}, where ${most} may be`);
  }

  /** No more connections are counted for a Service than can be its own: others take none of its places. */
  #checkPlaces(): void {
    const [first] = this.#services;
    for (const service of this.#services) {
      const { name } = service;
      const limits = this.#state.policies.limitsOf(name);
      if (limits === null || name === MIRROR_SERVICE) continue;
      // The first Service stands behind splits of others, whose limits hold for it where it has none.
      const origins = new Set([...originsAt(service), ...originsAt(first)]);
      const isShared = name === first.name || name === TWIN_SERVICE;
      const foreign = isShared ? this.#state.sharing.foreignTo(name) : 0;
      const most = this.#io.connectionsTo([...origins]) - foreign;
      const counted = this.#probe.connectionsUnder(limits);
      if (counted > most) {
        this.#fail(`${counted} connections are counted for ${name}, which can have ${most}`);
      }
    }
  }

  /** It has a line for each record, in their order, which says the same. */
  #checkAccessLog(): void {
    const lines = this.#accessLog.split("\n");
    if (lines.length !== this.#records.length + 1) this.#fail(`${lines.length - 1} lines of log`);
    for (const [i, record] of this.#records.entries()) {
      const line = JSON.parse(lines[i]);
      for (const name of LOGGED) {
        if (line[name] !== record[name]) this.#fail(`${name} in the log: ${lines[i]}`);
      }
    }
  }

  /** Where everything was reported and every backend could be had, splits are exact. */
  #checkSplits(): void {
    const counts = new Map<string, Map<string, number>>();
    for (const { service, rule, plan, backend } of this.#records) {
      if (rule === "" || backend === "") continue;
      const key = `${plan} ${service}`;
      const ofRule = counts.get(key) ?? new Map<string, number>();
      counts.set(key, ofRule);
      ofRule.set(backend, (ofRule.get(backend) ?? 0) + 1);
    }
    for (const [key, ofRule] of counts) {
      const backends = splitOf(this.#plans, key);
      const total = Array.from(ofRule.values()).reduce((sum, count) => sum + count, 0);
      const weights = backends.reduce((sum, { weight }) => sum + weight, 0);
      for (const { namespace, service, weight } of backends) {
        const count = ofRule.get(`${namespace}/${service}`) ?? 0;
        const share = total * weight / weights;
        if (count >= Math.floor(share) && count <= Math.ceil(share)) continue;
        this.#fail(`Of ${total} requests by rule ${key}, ${service} got ${count}, not ${share}`);
      }
    }
  }

  /** Where only a policy can have a request sent again, no more of that than the budget allows. */
  #checkBudgets(): void {
    for (const { name } of this.#services) {
      let requests = 0;
      let retries = 0;
      for (const exchange of this.#state.exchanges.values()) {
        if (exchange.service !== name) continue;
        requests += exchange.sendings;
        if (isIdempotent(exchange)) continue;
        retries += Math.max(0, exchange.arrivals - exchange.sendings);
      }
      const ms = this.#world.nowMs;
      const most = this.#state.policies.retriesMax(requests, this.#plans.length, ms);
      if (retries > most) this.#fail(`${retries} retries for ${name}, where ${most} are paid for`);
    }
  }

  #checkEnd(): void {
    const { complaint } = this.#state;
    if (complaint !== null) throw complaint;
    this.#checkNow();
    this.#checkBudgets();
    if (this.#isCalm) this.#checkSplits();
    const leftovers = this.#probe.leftovers();
    if (leftovers !== "") this.#fail(leftovers);
    for (const { path, planWaitMs } of this.#records) {
      if (planWaitMs > PLAN_ANSWER_MS + TURN_MS) this.#fail(`${path} waited ${planWaitMs} ms`);
    }
    for (const exchange of this.#state.exchanges.values()) {
      const records = this.#records.filter(({ path }) => path.startsWith(`/t/${exchange.token}?`));
      const { outcome, sendings, token } = exchange;
      if (records.length > sendings) {
        this.#fail(`Exchange ${token} was reported ${records.length} times`);
      }
      if (outcome?.isWhole !== true || exchange.kind !== "request") continue;
      // Its client may be gone before an endpoint of HTTP/2 has ended the stream of an answer that is whole without it.
      const isOver = exchange.answer.framing === "length" || !hasAnswerBody(exchange);
      if (exchange.endpointProtocol === "http2" && isOver) continue;
      // Of a head that never arrived in full, or found no buffer, the path is not known.
      if (outcome.reason === "request-timeout" || outcome.reason === "no-buffer") continue;
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
    const open = this.#clients.filter(({ isDone }) => !isDone).map((client) => client.describe());
    return `${this.#io.connections} connections of the proxy are open, ${open.join(", ")}`;
  }

  #fail(message: string): never {
    failRun(this.#state, message);
  }
}

/** Where the endpoints of a Service listen. */
function originsAt({ addresses }: ServiceAddresses): string[] {
  return addresses.map((address) => `${address}:${ORIGIN_PORT}`);
}

/** The backends of the rule of a Service in one plan; `key` has the first digits of the plan's hash, and the Service. */
function splitOf(plans: readonly Plan[], key: string): readonly PlanBackend[] {
  const [digits, port] = key.split(" ");
  const plan = plans.find(({ hash }) => hash.startsWith(digits));
  const service = plan?.services.find(({ namespace, name }) => port === `${namespace}/${name}:80`);
  return service?.ports[0].rules[0]?.route.backends ?? [];
}
