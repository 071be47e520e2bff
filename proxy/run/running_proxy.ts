/**
 * RunningProxy: event loops, the admin port and what hears of requests, as one proxy: on one plan, alive or not, and ended
 * together. Starts no loop itself.
 */
import type { Plan } from "../../routing/plan.ts";
import { type AdminServer, startAdmin } from "./admin.ts";
import type { Proxy, ProxyConfig, ProxyTls } from "../config.ts";
import { IoError } from "../io/io.ts";
import type { Lane, LaneHooks } from "./lane.ts";
import { LOOP_ANSWER_MS } from "../limits.ts";
import { allAnswer } from "./liveness.ts";
import type { PlanKeeper } from "./plan_keeper.ts";
import type { RequestRecord } from "../observe/request_record.ts";
import { Taps } from "../observe/tap.ts";
import { certificateExpiries, withTicketKeys } from "../tls/config.ts";
import type { CertificateExpiry } from "../tls/config.ts";
import { collectorClient, SpanExporter } from "../observe/exporter.ts";

/** What a proxy asks for, and tells, while it runs. */
export interface ProxyHooks {
  /** IP addresses of a name outside the mesh, as this system would call it; none where it has none. */
  readonly lookUp?: (name: string) => Promise<readonly string[]>;
  readonly onRequest?: (record: RequestRecord) => void;
  /** How many records found no reader so far; for metrics. */
  readonly accessesLost?: () => number;
  /** Keeps accepted plans for the next start. */
  readonly planKeeper?: PlanKeeper;
  /**
   * An event loop has ended by itself: a defect, of which one line says what is known. Connections that the kernel still hands to it
   * hang, so whoever runs the proxy is to stop it.
   */
  readonly onFailure?: (message: string) => void;
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

export class RunningProxy implements Proxy {
  readonly driver: Proxy["driver"];
  outbound: readonly Place[] = [];
  inbound: readonly Place[] = [];
  readonly #config: ProxyConfig;
  readonly #hooks: ProxyHooks;
  readonly #keeper: PlanKeeper | null;
  readonly #exporter: SpanExporter | null;
  readonly #taps: Taps;
  readonly #stopping = Promise.withResolvers<void>();
  #lanes: readonly Lane[] = [];
  #admin: AdminServer | null = null;
  /** In force. */
  #plan: Plan;
  /** Those that are shown. */
  #certificates: readonly CertificateExpiry[];
  #applying = Promise.resolve();
  #isAlive = true;
  #isReady = true;
  #isStopped = false;

  constructor(driver: Proxy["driver"], config: ProxyConfig, plan: Plan, hooks: ProxyHooks) {
    this.driver = driver;
    this.#config = config;
    this.#hooks = hooks;
    this.#plan = plan;
    this.#certificates = certificateExpiries(config.tls ?? {});
    this.#keeper = hooks.planKeeper ?? null;
    this.#taps = new Taps(async (demand) => {
      await Promise.all(this.#lanes.map((lane) => lane.report(demand)));
    });
    this.#exporter = config.spans === undefined ? null : new SpanExporter(config.spans, {
      collector: collectorClient(config.spans),
      onProblem: (message, fields) => hooks.onLog?.("warn", message, fields),
    });
  }

  get admin(): Place | null {
    return this.#admin === null ? null : { address: this.#admin.address, port: this.#admin.port };
  }

  /** What the loops are to be started with. */
  get laneHooks(): Pick<LaneHooks, "onSpans" | "onRecords" | "onFailure"> {
    return {
      onSpans: (spans) => this.#exporter?.offer(spans),
      onRecords: (records) => {
        const timeMs = Date.now();
        for (const record of records) {
          if (this.#config.reportRequests) this.#hooks.onRequest?.(record);
          this.#taps.offer(record, timeMs);
        }
      },
      onFailure: (message) => {
        this.#isAlive = false;
        this.#hooks.onFailure?.(`An event loop of the proxy has ended: ${message}`);
      },
    };
  }

  /**
   * Takes over loops that have started, and opens the admin port.
   * @throws {IoError} its address cannot be had; the loops have been stopped
   */
  async run(lanes: readonly Lane[]): Promise<void> {
    this.#lanes = lanes;
    const { outbound, inbound } = this.#config;
    const [{ ports }] = lanes;
    this.outbound = outbound.map(({ address }, i) => ({ address, port: ports.outbound[i] }));
    this.inbound = inbound.map(({ address }, i) => ({ address, port: ports.inbound[i] }));
    try {
      this.#startAdmin();
    } catch (error) {
      await Promise.all(lanes.map((lane) => lane.stop()));
      throw error;
    }
    // A plan is accepted here and in `apply`, wherever it came from.
    if (this.#keeper?.keeping.isRestored === false) this.#keeper.accepted(this.#plan);
  }

  #startAdmin(): void {
    const { admin } = this.#config;
    if (admin === null) return;
    try {
      this.#admin = startAdmin(admin, {
        plan: () => this.#plan,
        lanes: () => this.#lanes,
        taps: this.#taps,
        spans: () => this.#exporter?.samples ?? [],
        accessesLost: () => this.#hooks.accessesLost?.() ?? 0,
        planKeeping: () => this.#keeper?.keeping ?? null,
        certificates: () => this.#certificates,
        isAlive: () => this.#answers(),
        isReady: () => this.#isReady && this.#isAlive,
        quit: this.#hooks.onQuit ?? null,
      });
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      throw new IoError(`Cannot listen on ${admin.address}:${admin.port} (admin): ${cause}`);
    }
  }

  async #answers(): Promise<boolean> {
    if (!this.#isAlive) return false;
    // Loops that are done after a drain do not answer any more.
    return !this.#isReady ||
      await allAnswer(this.#lanes, (lane) => lane.ping(), LOOP_ANSWER_MS);
  }

  apply(plan: Plan): Promise<void> {
    // One after another: loops that share their splits must not be more than one plan apart.
    const applied = this.#applying.then(async () => {
      await this.#each((lane) => lane.apply(plan));
      this.#plan = plan;
      this.#keeper?.accepted(plan);
    });
    this.#applying = applied.catch(() => {});
    return applied;
  }

  async replaceCertificates(tls: ProxyTls): Promise<void> {
    const shared = withTicketKeys(tls);
    await this.#each((lane) => lane.replaceCertificates(shared));
    this.#certificates = certificateExpiries(tls);
  }

  async drain(accepts = false): Promise<void> {
    this.#isReady = false;
    if (accepts) {
      await this.#each((lane) => lane.discourage());
      await this.#pause(this.#config.timeouts.acceptMs);
    }
    if (!this.#isStopped) await this.#end((lane) => lane.drain());
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#stopping.resolve();
    await this.#end((lane) => lane.stop());
  }

  /** Waits, but not for longer than until `stop`. */
  async #pause(delayMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const elapsed = new Promise<void>((resolve) => timer = setTimeout(resolve, delayMs));
    await Promise.race([elapsed, this.#stopping.promise]);
    clearTimeout(timer);
  }

  /**
   * Resolves once all have obeyed.
   * @throws {Error} what the first said that did not, once all have answered
   */
  async #each(order: (lane: Lane) => Promise<void>): Promise<void> {
    for (const result of await Promise.allSettled(this.#lanes.map(order))) {
      if (result.status === "rejected") throw result.reason;
    }
  }

  async #end(order: (lane: Lane) => Promise<void>): Promise<void> {
    this.#isReady = false;
    await Promise.allSettled(this.#lanes.map(order));
    this.#taps.close();
    await Promise.all([this.#admin?.stop(), this.#exporter?.stop(), this.#keeper?.settled()]);
  }
}
