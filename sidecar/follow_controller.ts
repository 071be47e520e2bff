/**
 * ControllerFollower: what becomes of a proxy whose plan a controller tells. It waits for the first answer; where the controller is away
 * then, it goes on with what an earlier run saved, and where there is nothing saved it says that it waits.
 */
import type { Log } from "../base/log.ts";
import { IoError } from "../proxy/io/io.ts";
import type { HeldParts } from "../routing/source/held_parts.ts";
import { inForceOf, type PlanInForce, restoredFinding } from "./follow_plan.ts";
import { NO_PLAN_NOTICE_MS } from "./limits.ts";
import type { PlanKeeper, SavedPlan } from "./plan_keeper.ts";
import type { ReportFindings } from "./report_findings.ts";

interface FollowingController {
  /** Serves what an earlier run held. */
  readonly restore: (saved: SavedPlan) => Promise<void>;
  /** For what the controller has told: says that the plan with some hash is in force. */
  readonly acknowledger: () => (hash: string) => void;
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
}

export class ControllerFollower {
  readonly #parts: FollowingController;
  /** Something is in force. */
  #isServing = false;
  /** What an earlier run saved is being given to the event loops. */
  #isRestoring = false;
  #problem = "the controller has not been reached yet";
  /** What is wrong with the plan that an earlier run saved; null: it has not been looked at. */
  #savedProblem: string | null = null;
  #notices: ReturnType<typeof setInterval> | undefined;
  #restored = Promise.resolve();
  /** What is to be done about changes, once what waits in the event loop has gone on. */
  readonly #due: (() => void)[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(parts: FollowingController) {
    this.#parts = parts;
  }

  /** Why there is no plan yet, in one line. */
  get problem(): string {
    return [this.#problem, this.#savedProblem].filter(Boolean).join(". ");
  }

  start(): void {
    this.#notices = setInterval(() => this.#sayWaiting(), NO_PLAN_NOTICE_MS);
  }

  /** Resolves once nothing is being restored any more. */
  stop(): Promise<void> {
    clearInterval(this.#notices);
    this.#settle();
    return this.#restored;
  }

  /** A change is in force, and something is still to be done about it. */
  get isWorking(): boolean {
    return this.#due.length > 0;
  }

  /** What the proxy holds is another now, and in force. Each update of a connection is acknowledged on it, and nothing else is. */
  changed(held: HeldParts, isNews: boolean): void {
    const { acknowledger, log } = this.#parts;
    const acknowledge = isNews ? acknowledger() : () => {};
    const keeper = this.#isRestoring ? null : this.#parts.keeper;
    const isFirst = !this.#isServing;
    this.#due.push(() => {
      acknowledge(held.hash);
      keeper?.accepted(held);
      if (!isFirst) log.debug("Plan applied", { plan: held.hash.slice(0, 12) });
    });
    // The hash of all that is held takes as long as the change itself.
    if (!isFirst) return void (this.#timer ??= setTimeout(() => this.#settle()));
    this.#settle();
    this.#isServing = true;
    clearInterval(this.#notices);
    const { plan } = held;
    if (plan !== null) this.#parts.onFirst(inForceOf(plan));
  }

  #settle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const act of this.#due.splice(0)) act();
  }

  /** The controller is away, or what it told cannot be served. */
  troubled(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const isNews = reason !== this.#problem;
    this.#problem = reason;
    if (this.#isServing || this.#isRestoring) return;
    if (error instanceof IoError) return this.#parts.onFailure(error);
    if (this.#savedProblem === null) this.#restored = this.#restore();
    else if (isNews) this.#sayWaiting();
  }

  /** What an earlier run saved is looked at once. */
  async #restore(): Promise<void> {
    const { keeper, report, restore } = this.#parts;
    this.#savedProblem = "";
    try {
      const saved = keeper === null ? null : await keeper.read();
      if (this.#isServing) return;
      if (saved !== null) {
        const reason = this.#problem;
        this.#isRestoring = true;
        await restore(saved);
        keeper?.restored();
        return report([restoredFinding(saved, reason)]);
      }
      if (keeper !== null) this.#savedProblem = `No plan is saved in "${keeper.directory}"`;
    } catch (error) {
      this.#savedProblem = error instanceof Error ? error.message : String(error);
    } finally {
      this.#isRestoring = false;
    }
    this.#sayWaiting();
  }

  #sayWaiting(): void {
    this.#parts.log.warn("Waiting for a plan", { reason: this.problem, ...this.#parts.where });
  }
}
