/** Draws the traffic, the plans and the weather of one run from its seed. */
import type {
  Plan,
  PlanBackend,
  PlanEndpoint,
  PlanRoute,
  PlanService,
} from "../../routing/plan.ts";
import type { Abort, ClientPlan } from "./client.ts";
import type {
  Behavior,
  BodyFraming,
  EndpointAnswer,
  ExchangeKind,
  HttpVersion,
  ScriptedExchange,
} from "./exchange.ts";
import { HOSTILITIES } from "./http2_hostility.ts";
import type { Http2ClientPlan } from "./http2_client.ts";
import type { Weather } from "./network.ts";
import { MIRROR_SERVICE } from "./policies.ts";
import type { PolicyMix } from "./policies.ts";
import { TWIN_SERVICE } from "./sharing.ts";
import type { TcpClientPlan } from "./tcp_client.ts";
import type { World } from "./world.ts";

export const ORIGIN_PORT = 8_080;
export const NAMESPACE = "sim";
/** The Service whose port takes tunnels only. */
export const TUNNEL_SERVICE = "tunnel";
export const APPLICATION = { address: "10.9.9.9", port: ORIGIN_PORT };

/** Where the proxy listens. */
export interface ProxyAddresses {
  readonly outbound: string;
  readonly inbound: string;
  /** Passes connections on to the Service for tunnels. */
  readonly tcp: string;
}

/** The endpoints of one Service: every address that any plan of the run gives it. */
export interface ServiceAddresses {
  readonly name: string;
  readonly protocol: HttpVersion;
  readonly addresses: readonly string[];
}

export function drawWeather(world: World, isCalm: boolean): Weather {
  const isTight = world.chance(0.5);
  const hostile = (share: number) => isCalm || world.chance(0.5) ? 0 : share;
  return {
    delayMaxMs: world.pick([0, 1, 5]),
    capacityMin: isTight ? 200 : 4_000,
    capacityMax: isTight ? 4_000 : 100_000,
    resets: hostile(0.01),
    connectFailures: hostile(0.2),
    connectTimeouts: hostile(0.05),
    partial: world.pick([0, 0.1, 0.6]),
    late: world.pick([0, 0.05, 0.3]),
  };
}

export function drawServices(world: World): ServiceAddresses[] {
  const services = Array.from({ length: world.between(1, 3) }, (_, index) => ({
    name: `svc${index}`,
    protocol: world.pick<HttpVersion>(["http1", "http2"]),
    addresses: Array.from({ length: world.between(1, 3) }, (_, end) => `10.0.${index}.${end + 1}`),
  }));
  const [{ protocol, addresses }] = services;
  const twin = { name: TWIN_SERVICE, protocol, addresses: addresses.slice(world.between(0, 1)) };
  return [
    ...services,
    ...(world.chance(0.5) && twin.addresses.length > 0 ? [twin] : []),
    { name: MIRROR_SERVICE, protocol: "http1", addresses: ["10.2.0.1", "10.2.0.2"] },
    { name: TUNNEL_SERVICE, protocol: "http1", addresses: ["10.1.0.1"] },
  ];
}

/** A plan over some of the addresses of each Service; the next one may take others. */
export function drawPlan(
  world: World,
  services: readonly ServiceAddresses[],
  index: number,
  policies: PolicyMix | null = null,
): Plan {
  const groups: Record<string, PlanEndpoint[]> = {};
  for (const { name, addresses } of services) {
    const kept = addresses.filter(() => world.chance(0.7));
    groups[groupOf(name)] = (kept.length > 0 ? kept : addresses.slice(0, 1)).map(endpoint);
  }
  return {
    version: 2,
    hash: `${index}`.padEnd(64, "0"),
    clusterDomain: "cluster.local",
    permissive: true,
    services: services.map((one) => service(world, one, policies)),
    groups,
    targets: [],
    ...(policies !== null && {
      endpointPolicies: Object.fromEntries(
        services.map(({ name }) => [groupOf(name), policies.ofEndpoints(name)]),
      ),
    }),
  };
}

/** The addresses that a request to a Service may end at: of its own endpoints, and of those of its split. */
function originsOf(services: readonly ServiceAddresses[], name: string): Set<string> {
  const isAlone = [TUNNEL_SERVICE, MIRROR_SERVICE, TWIN_SERVICE].includes(name);
  const names = isAlone ? [name] : [name, services[0].name];
  return new Set(
    services.filter((service) => names.includes(service.name))
      .flatMap(({ addresses }) => addresses)
      .map((address) => `${address}:${ORIGIN_PORT}`),
  );
}

function groupOf(name: string): string {
  return `${NAMESPACE}/${name}:80`;
}

function endpoint(address: string): PlanEndpoint {
  return { address, port: ORIGIN_PORT, pod: "", workload: "", hostname: "", identity: "" };
}

function service(
  world: World,
  { name, protocol }: ServiceAddresses,
  policies: PolicyMix | null,
): PlanService {
  const policy = policies === null ? {} : { policy: policies.ofRoute(name) };
  const own = route(groupOf(name), [name], world);
  // Some requests of a run are split between the Service and the first one.
  const split = route(`${groupOf(name)}/${world.between(0, 1e9)}`, [name, "svc0"], world);
  const match = {
    group: { kind: "HTTPRouteGroup", namespace: NAMESPACE, name: "get" },
    name: "get",
    path: null,
    methods: ["GET"],
    headers: [],
    position: null,
  };
  const isAlone = ["svc0", TUNNEL_SERVICE, MIRROR_SERVICE, TWIN_SERVICE].includes(name);
  const isSplit = !isAlone && world.chance(0.5);
  return {
    namespace: NAMESPACE,
    name,
    clusterIps: [],
    ports: [{
      port: 80,
      name: "http",
      protocol: protocol === "http2" ? "http2" : "http",
      rules: isSplit ? [{ match, route: split, ...policy }] : [],
      fallback: own,
      ...policy,
    }],
    podHosts: [],
    position: null,
  };
}

function route(id: string, names: readonly string[], world: World): PlanRoute {
  return {
    id,
    split: null,
    position: null,
    backends: names.map((name): PlanBackend => ({
      namespace: NAMESPACE,
      service: name,
      weight: names.length === 1 ? 1 : world.between(1, 4),
      state: "ready",
      group: groupOf(name),
    })),
  };
}

/** No other answer of the simulation has it. */
const COPY_STATUS = 299;
const METHODS = ["GET", "GET", "POST", "POST", "PUT", "HEAD", "DELETE", "PATCH"];
const HOSTILE: readonly Behavior[] = [
  ...["silent", "close-before", "reset-before", "cut-head", "cut-body", "reset-body"] as const,
  ...["stall-body", "garbage", "bad-chunk", "extra", "early-close", "close-after"] as const,
  ...["refuse"] as const,
];

export class ExchangeMaker {
  readonly exchanges = new Map<number, ScriptedExchange>();
  /** Where copies of requests go. */
  readonly mirrors: ReadonlySet<string>;
  /** Endpoints behave well. */
  isCalm: boolean;
  /** Of bodies. */
  bytesMax = Infinity;
  readonly #world: World;
  readonly #weather: Weather;
  readonly #services: readonly ServiceAddresses[];
  readonly #application: string;

  constructor(
    world: World,
    isCalm: boolean,
    weather: Weather,
    services: readonly ServiceAddresses[],
  ) {
    this.#world = world;
    this.isCalm = isCalm;
    this.mirrors = originsOf(services, MIRROR_SERVICE);
    this.#weather = weather;
    this.#services = services;
    this.#application = `${APPLICATION.address}:${APPLICATION.port}`;
  }

  /**
   * @param isInbound the request comes to the listener of the application
   * @param isPadded its head is likely to be long
   */
  make(
    isInbound: boolean,
    isLast: boolean,
    isPadded: boolean,
    protocol: HttpVersion = "http1",
    forced: ExchangeKind | null = null,
  ): ScriptedExchange {
    const world = this.#world;
    const isOne = protocol === "http1";
    const isTunnel = isOne ? isLast : world.chance(0.1);
    const kind = forced ?? (isTunnel ? this.#kind(isInbound) : "request");
    const minorVersion = isOne && kind === "request" && world.chance(0.15) ? 0 : 1;
    const method = kind === "upgrade"
      ? "GET"
      : kind === "connect"
      ? "CONNECT"
      : world.pick(METHODS);
    const { name: service, protocol: spoken } = this.#service(kind);
    const endpointProtocol = isInbound ? protocol : spoken;
    const mayHaveBody = kind === "request" && (method !== "GET" || world.chance(0.1));
    const framing = !mayHaveBody || world.chance(0.2)
      ? "none"
      : minorVersion === 0 || world.chance(0.5)
      ? "length"
      : "chunked";
    const bytes = framing === "none" ? 0 : this.#size();
    const isWebSocket = kind === "upgrade" &&
      (!isOne || endpointProtocol === "http2" || world.chance(0.5));
    const hasTrailers = framing === "chunked" && world.chance(0.3);
    const exchange: ScriptedExchange = {
      token: this.exchanges.size + 1,
      kind,
      upgrade: kind !== "upgrade" ? "" : isWebSocket ? "websocket" : "simulation",
      protocol,
      endpointProtocol,
      authority: `${service}.${NAMESPACE}:80`,
      service: isInbound ? "" : service,
      origins: isInbound ? new Set([this.#application]) : originsOf(this.#services, service),
      method,
      minorVersion,
      isAbsolute: isOne && kind === "request" && minorVersion === 1 && world.chance(0.1),
      framing,
      bytes,
      hasTrailers,
      isClosing: isOne && kind === "request" && world.chance(minorVersion === 0 ? 0.5 : 0.1),
      paddingBytes: isPadded
        ? world.between(0, 3_000)
        : world.chance(0.3)
        ? world.skewed(world.chance(0.2) ? 9_000 : 300)
        : 0,
      forwardedFor: world.chance(0.1) ? "198.51.100.9" : "",
      expectsContinue: isOne && minorVersion === 1 && framing !== "none" && world.chance(0.2),
      answer: this.#answer(kind, method, isWebSocket),
      tunnelBytes: [world.skewed(60_000), world.skewed(60_000)],
      sendings: 0,
      arrivals: 0,
      copies: 0,
      firstArrivalMs: Infinity,
      refusals: 0,
      mayLoseTrailers: false,
      isAborted: false,
      outcome: null,
    };
    this.exchanges.set(exchange.token, exchange);
    return exchange;
  }

  /** A Service for requests of a kind. */
  #service(kind: ExchangeKind): ServiceAddresses {
    const services = this.#services.slice(0, -2);
    if (kind === "connect") return this.#services[this.#services.length - 1];
    return this.#world.pick(services);
  }

  #kind(isInbound: boolean): ExchangeKind {
    if (!this.#world.chance(0.2)) return "request";
    return isInbound || this.#world.chance(0.5) ? "upgrade" : "connect";
  }

  #size(): number {
    const world = this.#world;
    const bytes = world.chance(0.1) ? 0 : world.skewed(world.chance(0.1) ? 150_000 : 20_000);
    return Math.min(bytes, this.bytesMax);
  }

  /** What answers the copy of a request: anything, and it must never be seen. */
  copyOf(exchange: ScriptedExchange, origins: ReadonlySet<string>): ScriptedExchange {
    const wasCalm = this.isCalm;
    this.isCalm = false;
    const answer = { ...this.#answer("request", exchange.method), status: COPY_STATUS };
    this.isCalm = wasCalm;
    return { ...exchange, origins, answer, mayLoseTrailers: true };
  }

  #answer(kind: ExchangeKind, method: string, isWebSocket = false): EndpointAnswer {
    const world = this.#world;
    const behavior = this.#behavior(kind);
    const needsBody = /body|chunk|extra/.test(behavior);
    const framing: BodyFraming = behavior === "bad-chunk"
      ? "chunked"
      : behavior === "extra"
      ? world.pick(["length", "chunked"])
      : behavior === "cut-body"
      ? world.pick(["length", "chunked", "close", "close"])
      : world.pick(["length", "length", "chunked", "chunked", "close"]);
    const mayBeOld = framing !== "chunked" && world.chance(0.1);
    const isSwitching = kind === "upgrade" && world.chance(0.8);
    // Over HTTP/2 any 2xx would open the tunnel.
    const plain = isWebSocket
      ? [404, 500]
      : needsBody || method === "HEAD"
      ? [200]
      : [200, 200, 200, 204, 304, 404, 500];
    const status = isSwitching ? 101 : kind === "connect" ? 200 : world.pick(plain);
    const isSlow = world.chance(0.2);
    return {
      behavior: isSwitching || kind === "connect" ? "answer" : behavior,
      status,
      minorVersion: mayBeOld ? 0 : 1,
      framing,
      bytes: needsBody ? 2 + world.skewed(behavior === "extra" ? 3_000 : 30_000) : this.#size(),
      isClosing: world.chance(0.1),
      interims: behavior !== "extra" && world.chance(0.1) ? world.between(1, 3) : 0,
      hasTrailers: framing === "chunked" && !needsBody && world.chance(0.3),
      delayMs: world.chance(0.5) ? 0 : world.between(0, 200),
      pieceBytes: isSlow ? 3_000 : 65_536,
      pauseMs: isSlow ? 3 : 0,
    };
  }

  #behavior(kind: ExchangeKind): Behavior {
    const world = this.#world;
    if (kind !== "request") return "answer";
    if (world.chance(0.1)) return "early";
    if (this.isCalm || !world.chance(0.4)) return "answer";
    const behavior = world.chance(0.2) ? "reset-before" : world.pick(HOSTILE);
    // A second answer can be told from the next one only if it is read together with the first.
    if (behavior === "extra" && this.#weather.partial > 0) return "answer";
    return behavior;
  }
}

export function drawClient(
  world: World,
  maker: ExchangeMaker,
  isCalm: boolean,
  proxies: ProxyAddresses,
): ClientPlan {
  const isInbound = world.chance(0.2);
  // A long pipeline fills the read buffer with whole and partial requests.
  const isPipelining = world.chance(0.15);
  const count = isPipelining ? world.between(8, 30) : world.between(1, 5);
  const exchanges = Array.from(
    { length: count },
    (_, index) => maker.make(isInbound, index === count - 1, isPipelining),
  );
  const isSlowSender = world.chance(0.3);
  const isSlowReader = world.chance(0.3);
  const aborts: readonly Abort[] = ["reset", "close", "end", "stall"];
  const abort = isCalm || !world.chance(0.4) ? null : world.pick(aborts);
  const abortsSending = world.chance(0.5);
  return {
    exchanges,
    isInbound,
    proxy: isInbound ? proxies.inbound : proxies.outbound,
    depth: isPipelining ? count : world.pick([1, 1, 2, 4]),
    send: { pieceBytes: isSlowSender ? 500 : 65_536, pauseMs: isSlowSender ? 2 : 0 },
    receive: { readBytes: isSlowReader ? 1_000 : 65_536, readPauseMs: isSlowReader ? 2 : 0 },
    abort,
    abortAtSent: abort !== null && abortsSending ? world.skewed(20_000) : Infinity,
    abortAtReceived: abort !== null && !abortsSending ? world.skewed(20_000) : Infinity,
    garbageAt: !isCalm && world.chance(0.2) ? world.between(0, count - 1) : -1,
    finish: world.pick(["close", "wait"]),
  };
}

export function drawTcpClient(
  world: World,
  maker: ExchangeMaker,
  isCalm: boolean,
  proxies: ProxyAddresses,
): TcpClientPlan {
  const isSlow = world.chance(0.3);
  const aborts: readonly Abort[] = ["reset", "close", "end", "stall"];
  const abort = isCalm || !world.chance(0.4) ? null : world.pick(aborts);
  return {
    exchange: maker.make(false, true, false, "http1", "connect"),
    proxy: proxies.tcp,
    send: { pieceBytes: isSlow ? 500 : 65_536, pauseMs: isSlow ? 2 : 0 },
    receive: { readBytes: isSlow ? 1_000 : 65_536, readPauseMs: isSlow ? 2 : 0 },
    abort,
    abortAtSent: abort === null ? Infinity : world.skewed(20_000),
  };
}

export function drawHttp2Client(
  world: World,
  maker: ExchangeMaker,
  isCalm: boolean,
  proxies: ProxyAddresses,
): Http2ClientPlan {
  const isInbound = world.chance(0.2);
  const count = world.skewed(30);
  const isSlowSender = world.chance(0.2);
  const isSlowReader = world.chance(0.2);
  const aborts: readonly Abort[] = ["reset", "close", "end", "stall"];
  const abort = isCalm || !world.chance(0.3) ? null : world.pick(aborts);
  const abortsSending = world.chance(0.5);
  const isHostile = !isCalm && world.chance(0.4);
  return {
    exchanges: Array.from({ length: count }, () => maker.make(isInbound, false, false, "http2")),
    isInbound,
    proxy: isInbound ? proxies.inbound : proxies.outbound,
    depth: world.pick([1, 3, 10, 30]),
    send: { pieceBytes: isSlowSender ? 500 : 65_536, pauseMs: isSlowSender ? 2 : 0 },
    receive: { readBytes: isSlowReader ? 2_000 : 65_536, readPauseMs: isSlowReader ? 1 : 0 },
    abort,
    abortAtSent: abort !== null && abortsSending ? world.skewed(20_000) : Infinity,
    abortAtReceived: abort !== null && !abortsSending ? world.skewed(20_000) : Infinity,
    hostility: isHostile ? { what: world.pick(HOSTILITIES), after: world.between(0, count) } : null,
    resets: isCalm || world.chance(0.5) ? 0 : 0.2,
    starves: isCalm || world.chance(0.5) ? 0 : 0.1,
    isFickle: world.chance(0.2),
    finish: world.pick(["close", "goaway", "end", "wait"]),
  };
}
