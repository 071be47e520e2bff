/**
 * Engine: the data plane of one event loop. It opens the listeners, binds routers to the plan in force, and
 * answers questions about itself. It runs on either driver, and starts nothing that it does not also stop.
 */
import { LOCAL_STATE, type StateStore } from "../../base/state_store.ts";
import { buildTable } from "../../routing/table/build.ts";
import type { Table } from "../../routing/table/table.ts";
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import type { Plan } from "../../routing/plan.ts";
import type { PlanView } from "../../routing/plan_view.ts";
import type { PlanChange } from "../../routing/source/held_parts.ts";
import { HeldPlan } from "../../routing/source/held_plan.ts";
import type { PlanQuestion } from "../../routing/source/messages.ts";
import {
  asksForCertificates,
  type InboundListener,
  type LogEvent,
  type OutboundListener,
  type ProxyConfig,
  type ProxyTls,
} from "../config.ts";
import { Clients } from "../accept/clients.ts";
import { Loop, type Timed } from "../loop/loop.ts";
import { Pools } from "../pool/pools.ts";
import { Tracer } from "../tracing/tracer.ts";
import { isLocal } from "../../base/ip.ts";
import { InboundAccess, InboundRouter } from "../route/inbound.ts";
import { Interest } from "../route/interest.ts";
import { OutboundRouter } from "../route/outbound.ts";
import type { ExplainQuery } from "./explain_query.ts";
import { readAsked } from "./read_asked.ts";
import { type AcceptHandler, Acceptor } from "../accept/acceptor.ts";
import { type Fd, type Io, IoError } from "../io/io.ts";
import {
  NOTICE_INTERVAL_MS,
  PLAN_ANSWER_MS,
  SWEEP_INTERVAL_MS,
  TLS_LOG_INTERVAL_MS,
} from "../limits.ts";
import type { LoopSnapshot } from "../observe/exposition.ts";
import { AccessLines } from "../observe/access_lines.ts";
import { SeldomLog } from "../observe/seldom_log.ts";
import { Telemetry } from "../observe/telemetry.ts";
import { EndpointUses } from "./endpoint_uses.ts";
import type { TableEndpoint } from "../../routing/table/endpoint_set.ts";
import type { TapDemand } from "../observe/tap.ts";
import type { FinishedSpan, RequestRecord } from "../observe/request_record.ts";
import { TlsContexts } from "../tls/contexts.ts";

/** What an engine tells of itself. */
interface EngineHooks {
  /** Takes the requests answered in one batch of events, where the configuration or `Engine.report` asks for them. */
  onRecords(records: RequestRecord[]): void;
  /** Takes lines of the access log, where there is one. The bytes are valid until it returns. */
  onAccessLines(lines: Uint8Array, count: number): void;
  /** Takes the spans that ended in one batch of events. */
  onSpans(spans: FinishedSpan[]): void;
  onLog(event: LogEvent): void;
  /** Asks for the addresses of a name outside the mesh; `Engine.resolved` is called with them later. */
  lookUp(name: string): void;
  /** Asks the source of the plan; `Engine.update` is called later, or before it returns. Left out: plans are of the whole mesh. */
  readonly ask?: ((question: PlanQuestion) => void) | undefined;
}

/** What a proxy begins with. */
export type FirstPlan = Plan | PlanChange;

function isChange(first: FirstPlan): first is PlanChange {
  return "answered" in first;
}

export class Engine {
  readonly #io: Io;
  readonly #config: ProxyConfig;
  readonly #hooks: EngineHooks;
  readonly #loop: Loop;
  readonly #pools: Pools;
  readonly #telemetry: Telemetry;
  readonly #tls: TlsContexts;
  readonly #outbound: readonly OutboundRouter[] = [];
  readonly #inbound: readonly InboundRouter[];
  readonly #acceptor: Acceptor;
  readonly #interest: Interest;
  readonly #held = new HeldPlan();
  #listeners: Fd[] = [];
  #plan: PlanView;
  readonly #uses = new EndpointUses();
  /** A plan has come since the counters of pods were looked through. */
  #mayLackPods = false;
  #onDrained: (() => void) | null = null;
  #drainDeadlineMs = Infinity;

  /**
   * @param first a plan of the whole mesh, or what is held of one whose source can be asked for more
   * @param state what the event loops of one proxy share
   * @throws {Error} the plan cannot be executed
   * @throws {IoError} certificates are of no use, or there is no TLS on this machine
   */
  constructor(
    io: Io,
    config: ProxyConfig,
    first: FirstPlan,
    hooks: EngineHooks,
    state: StateStore = LOCAL_STATE,
  ) {
    const plan = isChange(first) ? this.#held.take(first).plan : first;
    this.#io = io;
    this.#config = config;
    this.#hooks = hooks;
    const { accessLog, reportRequests, outbound, inbound } = config;
    const accessLines = accessLog === undefined
      ? null
      : new AccessLines(accessLog, (lines, count) => hooks.onAccessLines(lines, count));
    this.#telemetry = new Telemetry(reportRequests, accessLines, outbound, inbound);
    const telemetry = this.#telemetry;
    const loop = new Loop(io, config, telemetry);
    const pools = new Pools(io);
    this.#loop = loop;
    this.#pools = pools;
    this.#tls = new TlsContexts(io, config.tls ?? {}, {
      trustDomain: loop.trustDomain,
      ownAddresses: config.mutualTls === true ? applicationAddresses(config) : null,
    });
    const failures = new SeldomLog(TLS_LOG_INTERVAL_MS, hooks.onLog);
    this.#telemetry.onTlsFailure = ({ code, detail }, peer) => {
      const fields = { reason: code, detail, peer };
      failures.note({ level: "warn", message: "TLS handshake failed", fields }, io.nowMs);
    };
    const unanswered = new SeldomLog(NOTICE_INTERVAL_MS, hooks.onLog);
    this.#plan = plan;
    this.#interest = new Interest({
      io,
      timers: loop.timers,
      telemetry,
      ask: isChange(first) ? hooks.ask ?? null : null,
      onUnanswered: (question) => {
        const fields = { question, waitedMs: PLAN_ANSWER_MS };
        unanswered.note({ level: "warn", message: "No answer about the plan", fields }, io.nowMs);
      },
    });
    if (isChange(first)) this.#interest.answered(first.answered);
    const services = { loop, pools, telemetry, state, interest: this.#interest };
    this.#outbound = this.#buildTables(plan).map((table, index) =>
      new OutboundRouter(index, services, table, this.#tls.endpoints)
    );
    this.#uses.change(
      this.#outbound.map(({ table }) => ({ gone: [], come: [...table.services.values()] })),
    );
    this.#inbound = this.#inboundRouters(plan);
    const captures = [...config.outbound, ...config.inbound].some(({ capture }) =>
      capture === true
    );
    const callers = config.outbound.map(({ identity }) => identity);
    const settings = { hasEgress: config.egress === true, captures, callers };
    const clients = new Clients(loop, telemetry, new Tracer(config, loop.random));
    this.#acceptor = new Acceptor(clients, services, settings, plan, hooks);
    io.onSweep(SWEEP_INTERVAL_MS, () => this.#sweep());
    io.onBatchEnd(() => this.#endBatch());
  }

  #inboundRouters(plan: PlanView): InboundRouter[] {
    const { inbound, outbound } = this.#config;
    const asksCallers = asksForCertificates(this.#config);
    const denials = new SeldomLog(NOTICE_INTERVAL_MS, this.#hooks.onLog);
    return inbound.map((own, index) => {
      const { application: { address, port }, identity = "", probes = [] } = own;
      const listener = outbound.length + index;
      const backend = `${address}:${port}`;
      const stats = this.#telemetry.statsOf({
        listener: String(listener),
        service: "application",
        port: String(port),
        split: "",
        backend,
        rule: "",
      });
      const pool = this.#pools.of({ key: backend, address, port });
      const access = new InboundAccess({
        destination: asksCallers ? identity : "",
        pod: isLocal(address) ? null : address,
        trustDomain: this.#loop.trustDomain,
        mtls: this.#config.mutualTls === true ? own : null,
        probes,
        counts: this.#telemetry.callers,
        onDenied: (denial) => {
          const fields = { ...denial };
          denials.note({ level: "info", message: "Caller turned away", fields }, this.#io.nowMs);
        },
      }, plan);
      return new InboundRouter(listener, access, { port, pool, stats });
    });
  }

  /**
   * Opens the listeners; returns their ports, outbound ones first.
   * @throws {IoError} an address cannot be had
   */
  listen(): { outbound: number[]; inbound: number[] } {
    const { outbound, inbound } = this.#config;
    const { outbound: fromClients, inbound: context, mesh } = this.#tls;
    const acceptsPlain = this.#config.tls?.inbound?.acceptsPlain === true;
    const fromMesh = { context, acceptsPlain, mesh };
    return {
      outbound: outbound.map((listener, i) =>
        this.#open(listener, this.#acceptor.ofOutbound(listener, this.#outbound[i], fromClients))
      ),
      inbound: inbound.map((listener, i) =>
        this.#open(
          listener,
          this.#acceptor.ofInbound(listener, this.#inbound[i], fromMesh),
        )
      ),
    };
  }

  /**
   * Takes a plan into force for every listener at once, or for none.
   * @throws {Error} it cannot be executed; the last good plan keeps serving
   */
  apply(plan: PlanView): void {
    const tables = this.#buildTables(plan);
    const changes = this.#outbound.map((router, index) => router.rebind(tables[index]));
    for (const { access } of this.#inbound) access.rebind(plan);
    this.#acceptor.rebind(plan);
    this.#plan = plan;
    const applications = this.#inbound.map(({ application: { pool } }) => pool.key);
    const isNamed = (key: string) => this.#uses.has(key) || applications.includes(key);
    this.#pools.retain(this.#uses.change(changes), isNamed);
    const changed = new Set(changes.flatMap(({ gone }) => gone.map(({ key }) => key)));
    this.#telemetry.retainRoutes(
      changed,
      (labels) => this.#outbound[Number(labels.listener)]?.hasRoute(labels) ?? true,
    );
    this.#mayLackPods = true;
    if (this.#telemetry.endpoints.isGrown) this.#retainPods();
  }

  /** What is counted of pods that no table has any more goes: before it is read, as that takes a look at all of them. */
  #retainPods(): void {
    if (!this.#mayLackPods) return;
    this.#mayLackPods = false;
    this.#telemetry.endpoints.retain(this.#endpoints());
  }

  *#endpoints(): Iterable<TableEndpoint> {
    for (const { table } of this.#outbound) {
      for (const { groups } of table.services.values()) {
        for (const group of groups) yield* group.endpoints;
      }
    }
  }

  /**
   * Takes what is different of the plan that is held, and what is answered with it.
   * @throws {Error} it cannot be executed; the last good plan keeps serving
   */
  update(change: PlanChange): void {
    const { plan, undo } = this.#held.take(change);
    try {
      this.apply(plan);
    } catch (error) {
      undo();
      throw error;
    }
    this.#interest.forgotten(change.forgotten);
    this.#interest.answered(change.answered);
  }

  /** Nothing is to be waited for while the source is away. */
  sourceIsAway(isAway: boolean): void {
    this.#interest.isSourceAway = isAway;
  }

  /** What was asked and is of no use any more. */
  unusedQuestions(): PlanQuestion[] {
    return this.#interest.takeUnused();
  }

  /** A request or a connection waits for the source. */
  get isWaiting(): boolean {
    return this.#interest.isWaiting;
  }

  /**
   * Uses other certificates from the next handshake on. Where TLS begins and ends stays as it is.
   * @throws {IoError} some are of no use
   */
  replaceCertificates(tls: ProxyTls): void {
    const isFirst = tls.mesh !== undefined && this.#tls.mesh?.inbound === null;
    this.#tls.replace(tls);
    if (isFirst) { for (const pool of this.#pools.all()) pool.endPlain(); }
  }

  /** The addresses of a name that was asked for; none if it has none. */
  resolved(name: string, addresses: readonly string[]): void {
    this.#acceptor.resolved(name, addresses);
  }

  /** What would become of a request, and why; takes no place in any sequence. Null: no such listener. */
  explain(query: ExplainQuery): Explanation | CallExplanation | null {
    const { side, listener, caller, origin } = query;
    const asked = readAsked(query, side, this.#loop.headBytesMax);
    if (side === "inbound") return this.#inbound[listener]?.explain(caller, asked, origin) ?? null;
    return this.#outbound[listener]?.explain(asked) ?? null;
  }

  /** Reports requests also where the configuration does not ask for it, or no longer. */
  report(demand: TapDemand): void {
    this.#telemetry.isReporting = demand !== null || this.#config.reportRequests;
    this.#telemetry.reportedHeaders = demand ?? [];
  }

  /** Records or spans that were dropped: too many are on their way. */
  lostReports(count: number): void {
    this.#telemetry.counts.reportsLost += count;
  }

  snapshot(): LoopSnapshot {
    const telemetry = this.#telemetry;
    const { timed, buffers } = this.#loop;
    this.#retainPods();
    const { counts, lastFault } = telemetry;
    const openOf = (kind: Timed["kind"]) => timed.filter((open) => open.kind === kind).length;
    counts.connectionsOpen = openOf("client");
    counts.upstreamsOpen = openOf("endpoint");
    counts.upstreamsIdle = 0;
    for (const { idleCount } of this.#pools.all()) counts.upstreamsIdle += idleCount;
    counts.buffersLent = buffers.lentCount;
    const samples = [...telemetry.samples(), ...this.#outbound.flatMap((router) => router.samples)];
    return { samples, lastFault, planHash: this.#plan.hash };
  }

  /** Begins to drain: clients, those that come now too, are told to go elsewhere. Goes on accepting. */
  discourage(): void {
    const loop = this.#loop;
    if (!loop.isDraining) this.#drainDeadlineMs = this.#io.nowMs + this.#config.timeouts.drainMs;
    loop.drain();
  }

  /** Stops accepting; `done` is called once the last client is gone, or `drainMs` after draining began. */
  drain(done: () => void): void {
    for (const fd of this.#listeners.splice(0)) this.#io.close(fd);
    this.discourage();
    this.#onDrained = done;
    // Without a client no event would come to look again.
    this.#finishDraining();
  }

  /** Opens one listener; what is redirected may come over either IP version. */
  #open(
    { address, port, capture }: OutboundListener | InboundListener,
    onAccepted: AcceptHandler,
  ): number {
    if (capture !== true || address.includes(":")) return this.#openAt(address, port, onAccepted);
    // Both at once, where this system has IPv6 at all.
    if (address === "0.0.0.0") {
      return this.#tryOpenAt("::", port, onAccepted) ?? this.#openAt(address, port, onAccepted);
    }
    const opened = this.#openAt(address, port, onAccepted);
    if (address === "127.0.0.1") this.#tryOpenAt("::1", opened, onAccepted);
    return opened;
  }

  #tryOpenAt(address: string, port: number, onAccepted: AcceptHandler): number | null {
    try {
      return this.#openAt(address, port, onAccepted);
    } catch (error) {
      if (!(error instanceof IoError)) throw error;
      const fields = { address, cause: error.message };
      this.#hooks.onLog({ level: "info", message: "Not capturing IPv6", fields });
      return null;
    }
  }

  #openAt(address: string, port: number, onAccepted: AcceptHandler): number {
    const listener = this.#io.listen(address, port, {
      onAccept: (fd, peer) => {
        this.#telemetry.counts.connectionsAccepted++;
        onAccepted(fd, peer);
      },
      onFault: (error) => this.#telemetry.fault(error),
    });
    this.#listeners.push(listener.fd);
    this.#acceptor.addOwnPlace(address, listener.port);
    return listener.port;
  }

  #endBatch(): void {
    this.#loop.endBatch();
    try {
      this.#hand();
    } catch (error) {
      this.#telemetry.fault(error);
    }
    this.#finishDraining();
  }

  /** Hands over what was told of exchanges in this batch of events. */
  #hand(): void {
    this.#telemetry.accessLines?.hand();
    const records = this.#telemetry.takeRecords();
    if (records.length > 0) this.#hooks.onRecords(records);
    const spans = this.#telemetry.takeSpans();
    if (spans.length > 0) this.#hooks.onSpans(spans);
  }

  #sweep(): void {
    this.#loop.sweep();
    this.#finishDraining();
  }

  #finishDraining(): void {
    if (this.#onDrained === null) return;
    const hasClients = this.#loop.timed.some(({ kind }) => kind === "client");
    if (hasClients && this.#io.nowMs < this.#drainDeadlineMs) return;
    const done = this.#onDrained;
    this.#onDrained = null;
    done();
  }

  /** A table for each client; rules that are the same as before keep their warm automata. */
  #buildTables(plan: PlanView): Table[] {
    const tables: Table[] = [];
    for (const [index, { namespace, identity, seed }] of this.#config.outbound.entries()) {
      const others = { before: this.#outbound[index]?.table, beside: tables.at(-1) };
      tables.push(buildTable(plan, { namespace, identity, seed }, others));
    }
    return tables;
  }
}

/** Where connections of the proxy's own reach a captured application at once: at loopback they would, but no plan has that. */
function applicationAddresses({ inbound }: ProxyConfig): string[] {
  return inbound.flatMap(({ capture, application: { address, otherAddress } }) =>
    capture === true ? [address, ...(otherAddress === undefined ? [] : [otherAddress])] : []
  );
}
