/**
 * RunningProxy: event loops, the admin port and what hears of requests, as one proxy: on one plan, alive or not, and ended
 * together. Until it is given a plan it has no loops, and its listeners are closed.
 */
import { withDeadline } from "../../base/deadline.ts";
import type { Plan } from "../../routing/plan.ts";
import type { PlanChange } from "../../routing/source/held_parts.ts";
import type { PlanQuestion } from "../../routing/source/messages.ts";
import type { PlanInquiry } from "../../routing/table/explanation.ts";
import type { Proxy, ProxyConfig, ProxyTls } from "../config.ts";
import { IoError } from "../io/io.ts";
import { LOOP_ANSWER_MS, LOOP_STOP_MS } from "../limits.ts";
import { collectorClient, SpanExporter } from "../observe/exporter.ts";
import type { PlanKeeping } from "../observe/exposition.ts";
import type { RequestRecord } from "../observe/request_record.ts";
import { Taps } from "../observe/tap.ts";
import { certificateExpiries, withTicketKeys } from "../tls/config.ts";
import type { CertificateExpiry } from "../tls/config.ts";
import {
  type AdminServer,
  type AdminSubject,
  metricsText,
  startAdmin,
  startHealth,
} from "./admin.ts";
import type { CommandInput, CommandKind } from "./commands.ts";
import type { FirstPlan } from "./engine.ts";
import type { EventLoop, LoopHooks } from "./event_loop.ts";
import type { ExplainQuery } from "./explain_query.ts";

/** What a proxy asks for, and tells, while it runs. */
export interface ProxyHooks {
  /** IP addresses of a name outside the mesh, as this system would call it; none if it has none. */
  readonly lookUp?: (name: string) => Promise<readonly string[]>;
  readonly onRequest?: (record: RequestRecord) => void;
  /** Takes lines of the access log, each with its end, and their count. The bytes are valid until it returns. */
  readonly onAccessLines?: (lines: Uint8Array, count: number) => void;
  /** How many of its lines found no reader so far; for metrics. */
  readonly accessesLost?: () => number;
  /** What there is to tell of plans that are kept for the next start. Left out: none are. */
  readonly planKeeping?: () => PlanKeeping;
  /**
   * Asks the source of the plan; `Proxy.update` is called with the answer, later or before it returns. Left out: plans are of the whole
   * mesh, by `Proxy.apply`.
   */
  readonly onQuestion?: (question: PlanQuestion) => void;
  /** What is held of the mesh, where it comes by `Proxy.update`. */
  readonly heldPlan?: () => Plan | null;
  /** Asks about a request, and resolves once the plan has what there is to know, or that takes too long. Null: it was known. */
  readonly onExplain?: (query: ExplainQuery) => Promise<PlanInquiry | null>;
  /** There is work on this thread that takes many small steps: an event loop on the same one lets it have them. */
  readonly isWorking?: () => boolean;
  /** An event loop on this thread has had nothing to do for a while: what takes time holds nothing up now. */
  readonly onIdle?: () => void;
  /** Why no plan has come yet, in one line; empty if that is not known. */
  readonly planProblem?: () => string;
  /** Why there is no certificate of the mesh yet, in one line; empty if that is not known. */
  readonly certificateProblem?: () => string;
  /**
   * An event loop has ended by itself: a defect, of which one line says what is known. Connections that the kernel still hands to it
   * hang, so what runs the proxy is to stop it.
   */
  readonly onFailure?: (message: string) => void;
  /** The admin port was asked for a path that the proxy has nothing of. Null: neither has what runs it. */
  readonly onAdminRequest?: (request: Request) => Promise<Response | null>;
  /** The admin port was asked to end the proxy: drain it. */
  readonly onQuit?: () => void;
  /** Constant message and fields; errors of the environment, never of a request. */
  readonly onLog?: (
    level: "debug" | "info" | "warn" | "error",
    message: string,
    fields: Readonly<Record<string, string | number | boolean>>,
  ) => void;
}

interface Place {
  readonly address: string;
  readonly port: number;
}

type ReportHooks = Pick<LoopHooks, "onSpans" | "onRecords" | "onAccessLines" | "onFailure">;

/** Starts loops that serve a plan: all, or none if it fails. */
type StartLoops = (
  config: ProxyConfig,
  first: FirstPlan,
  hooks: ReportHooks,
) => Promise<readonly EventLoop[]>;

export class RunningProxy implements Proxy {
  readonly driver: Proxy["driver"];
  outbound: readonly Place[] = [];
  inbound: readonly Place[] = [];
  readonly #hooks: ProxyHooks;
  readonly #startLoops: StartLoops;
  readonly #exporter: SpanExporter | null;
  readonly #taps: Taps;
  readonly #subject: AdminSubject;
  readonly #stopping = Promise.withResolvers<void>();
  #config: ProxyConfig;
  #loops: readonly EventLoop[] = [];
  /** Those that have not ended. */
  readonly #running = new Set<EventLoop>();
  #admin: AdminServer | null = null;
  #health: AdminServer | null = null;
  /** In force, where it came whole. */
  #plan: Plan | null = null;
  /** Those that are shown. */
  #certificates: readonly CertificateExpiry[];
  #applying: Promise<void> = Promise.resolve();
  #applyingCount = 0;
  /** An event loop has ended by itself. */
  #hasFailed = false;
  #isDraining = false;
  #isStopped = false;

  /** @throws {IoError} the admin address cannot be had */
  constructor(
    driver: Proxy["driver"],
    config: ProxyConfig,
    hooks: ProxyHooks,
    startLoops: StartLoops,
  ) {
    this.driver = driver;
    this.#config = config;
    this.#hooks = hooks;
    this.#startLoops = startLoops;
    this.#certificates = certificateExpiries(config.tls ?? {});
    this.#taps = new Taps((demand) => this.#tell("report", demand));
    this.#exporter = config.spans === undefined ? null : new SpanExporter(config.spans, {
      collector: collectorClient(config.spans),
      onProblem: (message, fields) => hooks.onLog?.("warn", message, fields),
    });
    const { admin, health } = config;
    const subject = this.#adminSubject();
    this.#subject = subject;
    if (admin !== null) {
      this.#admin = openServer("admin", admin, () => startAdmin(admin, subject));
    }
    if (health !== undefined) {
      const [application] = config.inbound
        .map(({ application: { address }, probes = [] }) => ({ address, probes }));
      this.#health = openServer("health", health, () => startHealth(health, subject, application));
    }
  }

  get admin(): Place | null {
    return placeOf(this.#admin);
  }

  get health(): Place | null {
    return placeOf(this.#health);
  }

  async apply(plan: Plan): Promise<void> {
    await this.#inTurn(() => this.#isServing ? this.#tell("apply", plan) : this.#serve(plan));
    this.#plan = plan;
  }

  update(change: PlanChange): Promise<void> | null {
    const [loop] = this.#loops;
    // What asks in the middle of a request has its answer there.
    if (this.#loops.length === 1 && this.#applyingCount === 0 && loop.update !== undefined) {
      loop.update(change);
      return null;
    }
    return this.#inTurn(() => this.#isServing ? this.#tell("update", change) : this.#serve(change));
  }

  async sourceIsAway(isAway: boolean): Promise<void> {
    await this.#tell("sourceIsAway", isAway);
  }

  async unusedQuestions(): Promise<PlanQuestion[]> {
    const [first = [], ...others] = await Promise.all(
      this.#loops.map((loop) => loop.ask("unusedQuestions")),
    );
    return first.filter((question) => others.every((unused) => unused.includes(question)));
  }

  /** One plan after another: loops that share their splits must not be more than one plan apart. */
  #inTurn(take: () => Promise<void>): Promise<void> {
    this.#applyingCount++;
    const taken = this.#applying.then(take);
    this.#applying = taken.catch(() => {}).then(() => {
      this.#applyingCount--;
    });
    return taken;
  }

  get #isServing(): boolean {
    return this.#loops.length > 0;
  }

  metrics(): Promise<string> {
    return metricsText(this.#subject);
  }

  async replaceCertificates(tls: ProxyTls): Promise<void> {
    const shared = withTicketKeys(tls);
    await this.#tell("replaceCertificates", shared);
    const all = { ...this.#config.tls, ...shared };
    this.#config = { ...this.#config, tls: all };
    this.#certificates = certificateExpiries(all);
  }

  async drain(accepts = false): Promise<void> {
    this.#isDraining = true;
    // Loops that are just being started are ended as soon as they run.
    if (this.#loops.length === 0) await this.#applying;
    if (accepts && this.#loops.length > 0) {
      // One that does not obey is ended below.
      await this.#tell("discourage").catch(() => {});
      await withDeadline(this.#stopping.promise, this.#config.timeouts.acceptMs, () => {});
    }
    if (!this.#isStopped) await this.#end((loop) => this.#drained(loop));
  }

  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#isStopped = true;
    this.#stopping.resolve();
    if (this.#loops.length === 0) await this.#applying;
    await this.#end((loop) => loop.stop());
  }

  /** Opens the listeners. */
  async #serve(first: FirstPlan): Promise<void> {
    if (this.#isDraining) throw new Error("The proxy is draining");
    const config = this.#config;
    const loops = await this.#startLoops(config, first, this.#reportHooks);
    if (this.#isDraining) {
      await Promise.all(loops.map((loop) => loop.stop()));
      throw new Error("The proxy is draining");
    }
    const [{ ports }] = loops;
    this.outbound = config.outbound.map(({ address }, i) => ({ address, port: ports.outbound[i] }));
    this.inbound = config.inbound.map(({ address }, i) => ({ address, port: ports.inbound[i] }));
    this.#loops = loops;
    for (const loop of loops) {
      this.#running.add(loop);
      loop.ended.then(() => this.#running.delete(loop));
    }
  }

  get #reportHooks(): ReportHooks {
    return {
      onSpans: (spans) => this.#exporter?.offer(spans),
      onAccessLines: (lines, count) => this.#hooks.onAccessLines?.(lines, count),
      onRecords: (records) => {
        const timeMs = Date.now();
        for (const record of records) {
          if (this.#config.reportRequests) this.#hooks.onRequest?.(record);
          this.#taps.offer(record, timeMs);
        }
      },
      onFailure: (message) => {
        this.#hasFailed = true;
        this.#hooks.onFailure?.(`An event loop of the proxy has ended: ${message}`);
      },
    };
  }

  #adminSubject(): AdminSubject {
    return {
      plan: () => this.#planInForce,
      whyNoPlan: () => this.#whyNoPlan,
      snapshots: () => Promise.all(this.#loops.map((loop) => loop.ask("snapshot"))),
      explain: async (query) => {
        const inquiry = await this.#hooks.onExplain?.(query) ?? null;
        const explanation = await this.#loops[0].ask("explain", query);
        return explanation === null || inquiry === null ? explanation : { ...explanation, inquiry };
      },
      taps: this.#taps,
      spans: () => this.#exporter?.samples ?? [],
      accessesLost: () => this.#hooks.accessesLost?.() ?? 0,
      planKeeping: () => this.#hooks.planKeeping?.() ?? null,
      certificates: () => this.#certificates,
      whyNotAlive: () => this.#whyNotAlive(),
      whyNotReady: () => this.#whyNotReady(),
      quit: this.#hooks.onQuit ?? null,
      others: async (request) => await this.#hooks.onAdminRequest?.(request) ?? null,
    };
  }

  get #planInForce(): Plan | null {
    return this.#isServing ? this.#hooks.heldPlan?.() ?? this.#plan : null;
  }

  get #whyNoPlan(): string {
    const problem = this.#hooks.planProblem?.() ?? "";
    return problem === "" ? "waiting for a plan" : `waiting for a plan: ${problem}`;
  }

  get #whyNoCertificate(): string {
    return this.#hooks.certificateProblem?.() || "waiting for a certificate";
  }

  async #whyNotReady(): Promise<string | null> {
    if (this.#isDraining) return "draining";
    const lacksCertificate = this.#config.mutualTls === true &&
      this.#config.tls?.mesh === undefined;
    if (!this.#isServing) return lacksCertificate ? this.#whyNoCertificate : this.#whyNoPlan;
    // Others are told that this one takes connections by it.
    if (lacksCertificate) return this.#whyNoCertificate;
    return await this.#whyNotAlive();
  }

  async #whyNotAlive(): Promise<string | null> {
    if (this.#hasFailed) return "an event loop has ended";
    const answers = Promise.all(Array.from(this.#running, (loop) => this.#isWell(loop)));
    const areWell = await withDeadline(answers, LOOP_ANSWER_MS, () => [false]);
    return areWell.every(Boolean) ? null : "an event loop does not answer";
  }

  async #isWell(loop: EventLoop): Promise<boolean> {
    try {
      await loop.ask("ping");
      return true;
    } catch {
      // One that was done with its drain just then is well.
      return !this.#running.has(loop);
    }
  }

  /**
   * Resolves once all have obeyed.
   * @throws {Error} what the first said that did not, once all have answered
   */
  async #tell<Kind extends CommandKind>(kind: Kind, ...given: CommandInput<Kind>): Promise<void> {
    const answers = this.#loops.map((loop) => loop.ask(kind, ...given));
    for (const result of await Promise.allSettled(answers)) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  /** Resolves once the loop has drained; one that is stuck is ended. */
  async #drained(loop: EventLoop): Promise<void> {
    try {
      await loop.ask("drain");
      await withDeadline(loop.ended, this.#config.timeouts.drainMs + LOOP_STOP_MS, () => {});
    } finally {
      await loop.stop();
    }
  }

  async #end(order: (loop: EventLoop) => Promise<void>): Promise<void> {
    await Promise.allSettled(this.#loops.map(order));
    this.#taps.close();
    await Promise.all([this.#admin?.stop(), this.#health?.stop(), this.#exporter?.stop()]);
  }
}

/** @throws {IoError} the address cannot be had */
function openServer(name: string, { address, port }: Place, start: () => AdminServer): AdminServer {
  try {
    return start();
  } catch (error) {
    const cause = error instanceof Error ? error.message : String(error);
    throw new IoError(`Cannot listen on ${address}:${port} (${name}): ${cause}`);
  }
}

function placeOf(server: AdminServer | null): Place | null {
  return server === null ? null : { address: server.address, port: server.port };
}
