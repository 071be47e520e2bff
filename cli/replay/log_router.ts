/**
 * LogRouter: where a plan sends the requests of a log. It decides as a proxy does; what a log does not say of a request, it may have
 * had: then the rule that took it is believed, if the plan has that rule, and else the answer is that it depends.
 */
import type { RefusalReason } from "../../base/refusals.ts";
import { readAsked } from "../../proxy/run/read_asked.ts";
import { MatchIndex } from "../../routing/match/match_index.ts";
import {
  type MatchConditions,
  type Plan,
  type PlanPort,
  type PlanRoute,
  type PlanRule,
  routingsOf,
} from "../../routing/plan.ts";
import { DEFAULT_PORT, type RequestHead } from "../../routing/request.ts";
import { buildTable } from "../../routing/table/build.ts";
import {
  decide,
  decideAt,
  decideConnection,
  decideWhole,
  Decision,
} from "../../routing/table/decide.ts";
import { SplitState } from "../../routing/table/split.ts";
import type { Table, TablePort } from "../../routing/table/table.ts";
import type { RequestSender } from "../../console/values.ts";
import { LOG_CALLERS_MAX, REMEMBERED_REQUESTS_MAX } from "../limits.ts";
import type { LogFormat, LoggedRequest } from "./log_formats.ts";

/** What decides of some requests; the same object for all of them. */
export interface LogRoute {
  /** `namespace/service`. */
  readonly service: string;
  readonly port: PlanPort;
  /** Null: no rule. */
  readonly rule: PlanRule | null;
  readonly route: PlanRoute;
  /** By `namespace/service`, from 0 to 1: of this caller. */
  readonly shares: ReadonlyMap<string, number>;
}

export interface LogAnswer {
  /** Null: none was found, or it depends. */
  readonly route: LogRoute | null;
  /** Why the proxy would answer by itself; null: it would not. */
  readonly reason: RefusalReason | null;
  /** The headers that it depends on, which the log does not have; null: on none. */
  readonly dependsOn: readonly string[] | null;
}

interface Caller {
  readonly table: Table;
  readonly state: SplitState;
}

export class LogRouter {
  readonly #plan: Plan;
  readonly #sender: RequestSender;
  readonly #format: LogFormat;
  /** Headers that rules and targets ask for. */
  readonly #asked: ReadonlySet<string>;
  readonly #unknown: ReadonlySet<string>;
  readonly #callers = new Map<string, Caller>();
  readonly #routes = new Map<string, LogRoute>();
  /** By port: its rules without the conditions that the log says nothing of; null: there are none. */
  readonly #asksQuery: boolean;
  readonly #known = new Map<PlanPort, MatchIndex | null>();
  readonly #remembered = new Map<string, LogAnswer>();
  readonly #decision = new Decision();

  /** @param sender of requests whose caller the log does not say */
  constructor(plan: Plan, sender: RequestSender, format: LogFormat) {
    this.#plan = plan;
    this.#sender = sender;
    this.#format = format;
    const ports = plan.services.flatMap(({ ports }) => ports);
    const rules = ports.flatMap(routingsOf).flatMap((routing) => routing.rules);
    const matches = [
      ...rules.map(({ match }) => match),
      ...plan.targets.flatMap(({ http }) => http),
    ];
    this.#asksQuery = matches.some(({ queries }) => queries !== undefined);
    this.#asked = new Set(matches.flatMap(({ headers }) => headers.map(({ name }) => name)));
    this.#unknown = new Set(
      [...this.#asked].filter((name) => name !== "host" && !format.knows(name)),
    );
  }

  answer(request: LoggedRequest): LogAnswer {
    const headers = request.headers.filter(([name]) => this.#asked.has(name));
    const { method, authority, path, source, outcome } = request;
    // What no rule asks for would only fill the memory.
    const plain = this.#asksQuery ? path : path.split("?", 1)[0];
    const taken = outcome === null ? "-" : `${outcome.service} ${outcome.rule}`;
    const key = `${method} ${authority} ${plain} ${source} ${taken} ${headers.join("\n")}`;
    const known = this.#remembered.get(key);
    if (known !== undefined) return known;
    if (this.#remembered.size === REMEMBERED_REQUESTS_MAX) this.#remembered.clear();
    const answer = this.#decide({ ...request, path: plain, headers });
    this.#remembered.set(key, answer);
    return answer;
  }

  #decide(request: LoggedRequest): LogAnswer {
    const { method, authority, path, headers } = request;
    const isWhole = method === "TCP";
    // `OPTIONS *` is of the whole server, as a URL without a path.
    const target = path.startsWith("/") ? path : "";
    const url = isWhole ? `tcp://${authority}` : `http://${authority}${target}`;
    const asked = readAsked({ method, url, headers });
    if (asked.unrouted !== null) return { route: null, reason: asked.unrouted, dependsOn: null };
    const { head } = asked;
    const { table, state } = this.#callerOf(request.source);
    const decision = this.#decision;
    if (isWhole) decideWhole(table, head, state, decision);
    else decide(table, head, DEFAULT_PORT, state, decision);
    const captured = capturedPort(table, request, decision.port);
    if (captured !== null && isWhole) decideConnection(captured, state, decision);
    else if (captured !== null) decideAt(captured, head, state, decision);
    const { port, route, reason } = decision;
    if (port === null || route === null) return { route: null, reason, dependsOn: null };
    if (!isWhole && port.isHttp && !port.pods.includes(route)) {
      const open = this.#openRule(port, head);
      if (open !== null) return this.#withRecord(port, head, request, open, decision);
    }
    return {
      route: this.#routeOf(request.source, port, route.rule, route.plan),
      reason,
      dependsOn: null,
    };
  }

  /** The first rule that may take the request, if that depends on headers that the log does not have. */
  #openRule(port: TablePort, head: RequestHead): PlanRule | null {
    if (this.#unknown.size === 0) return null;
    let index = this.#known.get(port.plan);
    if (index === undefined) {
      const matches = port.plan.rules.map(({ match }) => match);
      const isOpen = matches.some((match) => this.#isOpen(match));
      index = !isOpen ? null : new MatchIndex(matches.map((match) => ({
        ...match,
        headers: match.headers.filter(({ name }) => !this.#unknown.has(name)),
      })));
      this.#known.set(port.plan, index);
    }
    if (index === null) return null;
    const first = index.find(head);
    const rule = first === -1 ? null : port.plan.rules[first];
    return rule !== null && this.#isOpen(rule.match) ? rule : null;
  }

  #isOpen({ headers }: MatchConditions): boolean {
    return headers.some(({ name }) => this.#unknown.has(name));
  }

  /** Believes the log as to which rule took the request, where the plan has that rule and what is known of it holds. */
  #withRecord(
    port: TablePort,
    head: RequestHead,
    { outcome, source }: LoggedRequest,
    open: PlanRule,
    { route, reason }: Decision,
  ): LogAnswer {
    const took = outcome === null || outcome.service === ""
      ? undefined
      : outcome.rule === ""
      ? null
      : port.rules.find(({ rule }) => rule !== null && recordedName(rule) === outcome.rule);
    // It was taken by no rule, as if it had none of the headers that are not known.
    if (took === null && route !== null) {
      return {
        route: this.#routeOf(source, port, route.rule, route.plan),
        reason,
        dependsOn: null,
      };
    }
    if (took !== null && took?.rule && this.#mayTake(took.rule, head)) {
      const own = this.#routeOf(source, port, took.rule, took.plan);
      const isRefused = took.backends.length === 0;
      return { route: own, reason: isRefused ? took.refusal : null, dependsOn: null };
    }
    const names = open.match.headers.map(({ name }) => name).filter((name) =>
      this.#unknown.has(name)
    );
    return { route: null, reason: null, dependsOn: names };
  }

  #mayTake({ match }: PlanRule, head: RequestHead): boolean {
    const headers = match.headers.filter(({ name }) => !this.#unknown.has(name));
    return new MatchIndex([{ ...match, headers }]).find(head) === 0;
  }

  #routeOf(source: string, port: TablePort, rule: PlanRule | null, route: PlanRoute): LogRoute {
    const key = `${this.#callers.has(source) ? source : ""} ${port.group} ${route.id}`;
    let known = this.#routes.get(key);
    if (known === undefined) {
      const tableRoute = [...port.rules, port.fallback, ...port.pods].find(({ plan }) =>
        plan === route
      );
      const shares = new Map(
        tableRoute?.backends.map(({ key, weight }) => [key, weight / tableRoute.weightTotal]),
      );
      known = { service: port.service.key, port: port.plan, rule, route, shares };
      this.#routes.set(key, known);
    }
    return known;
  }

  #callerOf(source: string): Caller {
    const isTold = source !== "" &&
      (this.#callers.has(source) || this.#callers.size < LOG_CALLERS_MAX);
    const key = isTold ? source : "";
    let caller = this.#callers.get(key);
    if (caller === undefined) {
      const [namespace] = source.split("/");
      const sender = isTold ? { namespace, identity: source } : this.#sender;
      const table = buildTable(this.#plan, { ...sender, seed: null });
      caller = { table, state: new SplitState(table) };
      this.#callers.set(key, caller);
    }
    return caller;
  }
}

/** The port that a request was for whatever its host says, because its connection was captured on the way to it; null: its host decides. */
function capturedPort(
  table: Table,
  { outcome }: LoggedRequest,
  named: TablePort | null,
): TablePort | null {
  const asked = outcome?.service ?? "";
  if (asked === "" || named?.group === asked) return null;
  const service = table.services.get(asked.slice(0, asked.lastIndexOf(":")));
  return service?.ports.find(({ group }) => group === asked) ?? null;
}

/** As the access log names it. */
function recordedName({ match: { group, name } }: PlanRule): string {
  return `${group.namespace}/${group.name}/${name}`;
}
