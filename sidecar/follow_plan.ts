/**
 * PlanFollower: brings a proxy the plans of its source, from the first one on: it reads again whenever files change. What cannot be served
 * leaves the last good plan in place. Where there is none yet, that is the one that an earlier run saved; else the proxy waits.
 */
import type { Finding } from "../base/finding.ts";
import type { Log } from "../base/log.ts";
import { watchPaths } from "../base/watch.ts";
import { IoError } from "../proxy/io/io.ts";
import type { Plan } from "../routing/plan.ts";
import type { PlanKeeper, SavedPlan } from "./plan_keeper.ts";
import type { PlanFiles, ReadPlan } from "./plan_files.ts";
import type { ReportFindings } from "./report_findings.ts";
import { NO_PLAN_NOTICE_MS, READ_INTERVAL_MS } from "./limits.ts";

/** What is told of a plan. */
export type PlanInForce = Pick<ReadPlan, "hash" | "permissive" | "serviceCount">;

export function inForceOf({ hash, permissive, services }: Plan): PlanInForce {
  return { hash, permissive, serviceCount: services.length };
}

interface Following {
  readonly source: PlanFiles;
  /** Resolves once what the proxy uses of the plan is in force; rejects where it cannot be. */
  readonly serve: (plan: ReadPlan) => Promise<void>;
  /** The same of what an earlier run held. */
  readonly restore: (saved: SavedPlan) => Promise<void>;
  /** Null: plans are not kept. */
  readonly keeper: PlanKeeper | null;
  readonly log: Log;
  readonly report: ReportFindings;
  /** Where it can be asked how it is: said while it waits. */
  readonly where: Readonly<Record<string, string>>;
  /** The first plan is in force. */
  readonly onFirst: (plan: PlanInForce) => void;
  /** The first plan is good, but nothing can be served. */
  readonly onFailure: (error: unknown) => void;
  readonly noticeIntervalMs?: number;
}

export class PlanFollower {
  readonly #parts: Following;
  #inForce: PlanInForce | null = null;
  /** What the source answers from. */
  #served: ReadPlan | null = null;
  /** The plan in force is not the source's: it has given none yet. */
  #isRestored = false;
  /** What was wrong with the last reading. */
  #problem = "it has not been read yet";
  /** And with the plan that an earlier run saved; null: it has not been looked at. */
  #savedProblem: string | null = null;
  /** What was said to be wrong: it is said once. */
  #told = "";
  /** Why the source cannot be watched: it is said once. */
  #unwatched = "";
  #isDue = false;
  #isReading = false;
  /** Nothing that is read counts any more. */
  #isOver = false;
  #reading = Promise.resolve();
  #notices: ReturnType<typeof setInterval> | undefined;
  #stopWatching = () => {};

  constructor(parts: Following) {
    this.#parts = parts;
  }

  /** Why there is no plan yet, in one line. */
  get problem(): string {
    return [this.#problem, this.#savedProblem].filter(Boolean).join(". ");
  }

  /** The source is being read, for which this thread is needed. */
  get isWorking(): boolean {
    return this.#isReading;
  }

  start(): void {
    const { noticeIntervalMs = NO_PLAN_NOTICE_MS } = this.#parts;
    this.#notices = setInterval(() => this.#sayWaiting(), noticeIntervalMs);
    this.#watch();
    this.#readInTurn();
  }

  /** Resolves once nothing is being read any more. */
  stop(): Promise<void> {
    this.#isOver = true;
    this.#stopWatching();
    clearInterval(this.#notices);
    return this.#reading;
  }

  #watch(): void {
    const { paths, recursive } = this.#parts.source;
    try {
      const watch = watchPaths(paths, {
        recursive,
        onChange: () => this.#readInTurn(),
        onLost: (error) => this.#readAtIntervals(error),
      });
      this.#stopWatching = () => watch.stop();
      this.#unwatched = "";
    } catch (error) {
      this.#readAtIntervals(error);
    }
  }

  /** Until the source can be watched. */
  #readAtIntervals(error: unknown): void {
    this.#stopWatching();
    const reason = messageOf(error);
    if (reason !== this.#unwatched) {
      const fields = { reason, readEveryMs: READ_INTERVAL_MS };
      this.#parts.log.warn("Changes of the plan are not told", fields);
    }
    this.#unwatched = reason;
    const timer = setTimeout(() => {
      this.#watch();
      this.#readInTurn();
    }, READ_INTERVAL_MS);
    this.#stopWatching = () => clearTimeout(timer);
  }

  /** One reading after another: a slow one must not be overtaken and then undo the newer one. */
  #readInTurn(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#reading = this.#reading.then(() => {
      this.#isDue = false;
      return this.#read();
    });
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    const { plan, findings, problem } = await this.#parts.source.read();
    this.#isReading = false;
    if (this.#isOver) return;
    if (plan === null) return await this.#goWithout(problem, findings, "Plan kept");
    if (plan.hash === this.#inForce?.hash && !this.#isRestored) {
      plan.release();
      return void (this.#told = "");
    }
    const refusal = await this.#apply(() => this.#parts.serve(plan));
    // Refused or not, it is what the source answers from now.
    this.#served?.release();
    this.#served = plan;
    // The log has it from the one that asked for it.
    if (refusal !== null) return await this.#goWithout(refusal, findings, null);
    this.#parts.report(findings);
    this.#isRestored = false;
    this.#putInForce(plan);
  }

  /** Why the plan cannot be served; null: it is. */
  async #apply(serve: () => Promise<void>): Promise<string | null> {
    try {
      await serve();
      return null;
    } catch (error) {
      if (this.#inForce === null && error instanceof IoError) {
        this.#isOver = true;
        this.#parts.onFailure(error);
      }
      return `Cannot serve the plan: ${messageOf(error)}`;
    }
  }

  /** The source gives nothing that can be served. */
  async #goWithout(
    problem: string,
    findings: readonly Finding[],
    message: string | null,
  ): Promise<void> {
    if (this.#isOver) return;
    const { log, report } = this.#parts;
    const told = JSON.stringify([problem, findings]);
    const isNews = told !== this.#told;
    this.#told = told;
    this.#problem = problem;
    if (isNews) report(findings);
    if (this.#inForce === null && this.#savedProblem === null) await this.#restore();
    if (this.#isOver || !isNews) return;
    if (this.#inForce === null) this.#sayWaiting();
    else if (message !== null) log.warn(message, { reason: problem, plan: nameOf(this.#inForce) });
  }

  /** What an earlier run saved is looked at once. */
  async #restore(): Promise<void> {
    const { keeper, report } = this.#parts;
    this.#savedProblem = "";
    if (keeper === null) return;
    let saved: SavedPlan | null;
    try {
      saved = await keeper.read();
    } catch (error) {
      return void (this.#savedProblem = messageOf(error));
    }
    if (saved === null) {
      return void (this.#savedProblem = `No plan is saved in "${keeper.directory}"`);
    }
    const { restore } = this.#parts;
    const refusal = await this.#apply(() => restore(saved));
    if (refusal !== null) return void (this.#savedProblem = `Of the saved one: ${refusal}`);
    keeper.restored();
    this.#isRestored = true;
    report([restoredFinding(saved, this.#problem)]);
    this.#putInForce(inForceOf(saved.plan));
  }

  #putInForce(plan: PlanInForce): void {
    const { log, onFirst } = this.#parts;
    const isFirst = this.#inForce === null;
    this.#inForce = plan;
    clearInterval(this.#notices);
    if (isFirst) onFirst(plan);
    else log.info("Plan applied", { plan: nameOf(plan), services: plan.serviceCount });
  }

  #sayWaiting(): void {
    this.#parts.log.warn("Waiting for a plan", { reason: this.problem, ...this.#parts.where });
  }
}

/** That a saved plan is served, and why. */
export function restoredFinding({ plan, savedAtMs }: SavedPlan, problem: string): Finding {
  return {
    code: "plan-restored",
    severity: "warning",
    message: `Plan ${nameOf(plan)}, saved ${formatAge(Date.now() - savedAtMs)} ago, is served: ` +
      problem,
    hint: "It stays in force until its source gives a plan",
  };
}

const UNITS = [["d", 86_400], ["h", 3_600], ["min", 60]] as const;

/** In the largest unit that it has one of: `3 h`, `12 s`. */
export function formatAge(ageMs: number): string {
  // A clock that was set back must not make a plan come from the future.
  const seconds = Math.max(0, Math.floor(ageMs / 1_000));
  const [unit, size] = UNITS.find(([, size]) => seconds >= size) ?? ["s", 1];
  return `${Math.floor(seconds / size)} ${unit}`;
}

/** First digits of its hash. */
function nameOf({ hash }: Pick<Plan, "hash">): string {
  return hash.slice(0, 12);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
