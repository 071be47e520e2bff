/** ReplayTally: counts what would become of the requests of a log, against what became of them, with a few samples of each kind. */
import { LOG_BACKENDS_MAX, LOG_SAMPLES_MAX } from "../limits.ts";
import type { LoggedRequest } from "./log_formats.ts";
import type { LogAnswer, LogRoute, LogRouter } from "./log_router.ts";

/** What there is to say of some requests. */
export const LOG_KINDS = {
  moved: "Requests that must go to another backend than they did",
  denied: "Requests that traffic targets would refuse",
  refused: "Requests that the proxy would answer by itself",
  uncovered: "Requests that no rule takes",
  matched: "Requests that a rule or split takes now, and none did",
  unknown: "Requests to hosts that the manifests do not have",
  undecided: "Requests that depend on headers which the log does not have",
} as const;

export type LogKind = keyof typeof LOG_KINDS;

/** One value a kind. */
export function byKind<Value>(of: (kind: LogKind) => Value): Readonly<Record<LogKind, Value>> {
  return {
    moved: of("moved"),
    denied: of("denied"),
    refused: of("refused"),
    uncovered: of("uncovered"),
    matched: of("matched"),
    unknown: of("unknown"),
    undecided: of("undecided"),
  };
}

interface KindCount {
  count: number;
  readonly samples: Set<string>;
}

interface RouteCount {
  requests: number;
  /** Of those whose backend is recorded. */
  recorded: number;
  readonly backends: Map<string, number>;
}

export class ReplayTally {
  requests = 0;
  /** Relayed whole; they are routed, too. */
  connections = 0;
  /** Of other listeners, or answered by the proxy before it had a route: there is nothing to compare. */
  unrouted = 0;
  readonly kinds = byKind((): KindCount => ({ count: 0, samples: new Set() }));
  readonly routes = new Map<LogRoute, RouteCount>();

  /** Routes a request, if there is something to compare, and counts it. */
  take(request: LoggedRequest, router: LogRouter): void {
    const { outcome } = request;
    const isRouted = outcome === null || outcome.service !== "" ||
      outcome.reason === "host-unknown";
    if (isRouted) this.#add(request, router.answer(request));
    else this.unrouted++;
  }

  #add(request: LoggedRequest, answer: LogAnswer): void {
    if (request.method === "TCP") this.connections++;
    else this.requests++;
    const { outcome } = request;
    const { route, reason, dependsOn } = answer;
    if (dependsOn !== null) {
      return this.#count("undecided", request, `depends on ${dependsOn.join()}`);
    }
    if (route === null) {
      const isOutside = outcome === null || outcome.service === "";
      const isUnknown = reason === "host-unknown" || reason === "alias-outside";
      return this.#count(isUnknown && isOutside ? "unknown" : "refused", request, reason ?? "");
    }
    if (reason !== null && reason !== outcome?.reason) {
      this.#count(reason === "access-denied" ? "denied" : "refused", request, reason);
    }
    this.#compareRules(request, route);
    this.#countBackend(request, route, reason === null);
  }

  #compareRules(request: LoggedRequest, { rule, route, port }: LogRoute): void {
    const { outcome } = request;
    const isTaken = rule !== null || route.split !== null;
    // Without a record what no rule takes is a hole only where there are rules.
    const wasTaken = outcome === null
      ? port.rules.length > 0
      : outcome.rule !== "" || outcome.split !== "";
    if (!isTaken && wasTaken) {
      this.#count("uncovered", request, "goes to the Service's own endpoints");
    }
    if (isTaken && !wasTaken && outcome !== null) {
      const by = rule === null
        ? `split ${route.split?.name}`
        : `${rule.match.group.name}#${rule.match.name}`;
      this.#count("matched", request, `taken by ${by}`);
    }
  }

  #countBackend(
    { outcome, ...request }: LoggedRequest,
    route: LogRoute,
    isForwarded: boolean,
  ): void {
    const count = this.routes.get(route) ?? { requests: 0, recorded: 0, backends: new Map() };
    this.routes.set(route, count);
    count.requests++;
    if (outcome === null || outcome.backend === "" || !isForwarded) return;
    const { backend } = outcome;
    count.recorded++;
    const known = count.backends.get(backend);
    if (known !== undefined || count.backends.size < LOG_BACKENDS_MAX) {
      count.backends.set(backend, (known ?? 0) + 1);
    }
    if (!route.shares.has(backend)) this.#sample("moved", request, `was ${backend}`);
  }

  /**
   * How many requests cannot have stayed with their backend: what it had beyond its share, rounded up. Of one proxy's requests
   * under its own plan that is none, because splits are exact.
   */
  #movedOf({ shares }: LogRoute, { recorded, backends }: RouteCount): number {
    let moved = 0;
    for (const [backend, count] of backends) {
      moved += Math.max(0, count - Math.ceil(recorded * (shares.get(backend) ?? 0)));
    }
    return moved;
  }

  /** Counts what only all requests together tell. */
  finish(): void {
    for (const [route, count] of this.routes) this.kinds.moved.count += this.#movedOf(route, count);
  }

  #count(kind: LogKind, request: Omit<LoggedRequest, "outcome">, what: string): void {
    this.kinds[kind].count++;
    this.#sample(kind, request, what);
  }

  #sample(
    kind: LogKind,
    { method, authority, path }: Omit<LoggedRequest, "outcome">,
    what: string,
  ): void {
    const { samples } = this.kinds[kind];
    if (samples.size < LOG_SAMPLES_MAX) {
      samples.add(`${method} ${authority}${path.split("?", 1)[0]}: ${what}`);
    }
  }
}
