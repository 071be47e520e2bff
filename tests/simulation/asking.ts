/** AskingScenario: an engine on a calm network that asks a source, which answers when a test says so. */
import { DEFAULT_TIMEOUTS, type LogEvent } from "../../proxy/config.ts";
import type { Io } from "../../proxy/io/io.ts";
import { renderProxyMetrics } from "../../proxy/observe/exposition.ts";
import type { RequestRecord } from "../../proxy/observe/request_record.ts";
import { Engine } from "../../proxy/run/engine.ts";
import { planHeaderOf } from "../../routing/parts.ts";
import type { Plan } from "../../routing/plan.ts";
import { HeldParts } from "../../routing/source/held_parts.ts";
import { readPrometheus } from "../support/prometheus_text.ts";
import { MeshParts, type MeshSession } from "../../routing/source/mesh.ts";
import type { PlanQuestion } from "../../routing/source/messages.ts";
import { NAMESPACE } from "./generate.ts";
import { CalmNetwork, End } from "./scenario.ts";

const CLIENTS = { address: "127.0.0.1", port: 0, namespace: NAMESPACE, identity: "", seed: null };

export class AskingScenario extends CalmNetwork {
  readonly engine: Engine;
  readonly held = new HeldParts();
  /** Every question, in the order in which they were asked. */
  readonly asked: PlanQuestion[] = [];
  readonly records: RequestRecord[] = [];
  readonly logged: LogEvent[] = [];
  /** Names outside the mesh that were looked up. */
  readonly lookups: string[] = [];
  /** Questions are answered while they are asked, as a source on the same thread does. */
  answersAtOnce = false;
  readonly #mesh: MeshParts;
  readonly #session: MeshSession;
  readonly #port: number;
  readonly #tcpPort: number;
  #unanswered: PlanQuestion[] = [];

  constructor(plan: Plan) {
    super();
    this.#mesh = new MeshParts(planHeaderOf(plan));
    this.set(plan);
    this.#session = this.#mesh.open(() => {});
    this.#session.take({ ask: [], drop: [], held: {} });
    const first = this.#session.next();
    if (first === null) throw new Error("A source begins with its header");
    this.engine = new Engine(
      this.io as Io,
      {
        driver: "native",
        workers: 1,
        outbound: [CLIENTS, {
          ...CLIENTS,
          tcp: { namespace: NAMESPACE, service: "svc0", port: 80 },
        }],
        inbound: [],
        admin: null,
        timeouts: DEFAULT_TIMEOUTS,
        bodyBytesMax: Infinity,
        reportRequests: true,
        egress: true,
      },
      this.held.take(first).change,
      {
        onRecords: (records) => void this.records.push(...records),
        onAccessLines() {},
        onSpans() {},
        onLog: (event) => void this.logged.push(event),
        lookUp: (name) => void this.lookups.push(name),
        ask: (question) => {
          this.asked.push(question);
          this.#unanswered.push(question);
          if (this.answersAtOnce) this.#answer();
        },
      },
    );
    [this.#port, this.#tcpPort] = this.engine.listen().outbound;
  }

  /** This is what the mesh is now; the proxy hears of it with the next answers. */
  set(plan: Plan): void {
    this.#mesh.set(plan);
  }

  /** Answers what was asked so far, and tells what has changed. */
  answer(): void {
    // Between two turns the loop's clock stands still.
    this.io.turn();
    this.#answer();
    this.io.turn();
  }

  #answer(): void {
    this.#session.take({ ask: this.#unanswered, drop: [] });
    this.#unanswered = [];
    this.#tell();
  }

  drop(questions: readonly PlanQuestion[]): void {
    this.#session.take({ ask: [], drop: questions });
    this.#tell();
    this.io.turn();
  }

  #tell(): void {
    const update = this.#session.next();
    if (update !== null) this.engine.update(this.held.take(update).change);
  }

  /** The sum of all series of a metric. */
  counted(name: string): number {
    return countedBy(this.engine, name);
  }

  client(): End {
    return new End(this.network.connect(`proxy:${this.#port}`, false));
  }

  tcpClient(): End {
    return new End(this.network.connect(`proxy:${this.#tcpPort}`, false));
  }
}

/** Of all samples with this name. */
export function countedBy(engine: Engine, name: string): number {
  const nothing = {
    spans: [],
    accessesLost: 0,
    tapsLost: 0,
    planKeeping: null,
    certificates: [],
  };
  const samples = readPrometheus(renderProxyMetrics([engine.snapshot()], nothing));
  return samples.filter((sample) => sample.name === name)
    .reduce((sum, { value }) => sum + value, 0);
}
