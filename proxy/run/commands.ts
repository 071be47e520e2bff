/**
 * What an event loop can be asked, wherever it runs. Adding a command is a line in `Commands` and one in `commandsOf`; the type
 * checker names the other where one is missing.
 */
import type { Plan } from "../../routing/plan.ts";
import type { PlanChange } from "../../routing/source/held_parts.ts";
import type { PlanQuestion } from "../../routing/source/messages.ts";
import type { CallExplanation, Explanation } from "../../routing/table/explanation.ts";
import type { ProxyTls } from "../config.ts";
import type { LoopSnapshot } from "../observe/exposition.ts";
import type { TapDemand } from "../observe/tap.ts";
import type { Engine } from "./engine.ts";
import type { ExplainQuery } from "./explain_query.ts";

/** What is given and answered crosses threads: what is given as JSON, what is answered as a message. */
interface Commands {
  /** Takes a plan into force; fails, and keeps the last good one, where it cannot be executed. */
  apply(plan: Plan): void;
  /** Takes what is different of the plan that is held; fails as `apply` does. */
  update(change: PlanChange): void;
  /** Nothing is to be waited for while the source of the plan is away. */
  sourceIsAway(isAway: boolean): void;
  /** What was asked of the source and is of no use any more. */
  unusedQuestions(): PlanQuestion[];
  /** Uses other certificates from the next handshake on; fails where they are of no use. */
  replaceCertificates(tls: ProxyTls): void;
  /** The addresses of a name that was asked for; none if it has none. */
  resolved(name: string, addresses: readonly string[]): void;
  /** What would become of a request, and why. Null: no such listener. */
  explain(query: ExplainQuery): Explanation | CallExplanation | null;
  snapshot(): LoopSnapshot;
  /** Reports requests also where the configuration does not ask for it, or no longer. */
  report(demand: TapDemand): void;
  /** Asks for nothing but an answer. */
  ping(): void;
  /** Begins to drain, but goes on accepting connections. */
  discourage(): void;
  /** Accepts no more; the loop ends once the last client is gone, or was cut. */
  drain(): void;
}

export type CommandKind = keyof Commands;
export type CommandInput<Kind extends CommandKind> = Parameters<Commands[Kind]>;
export type CommandReply<Kind extends CommandKind> = ReturnType<Commands[Kind]>;

/** By kind. */
export type CommandHandlers = {
  readonly [Kind in CommandKind]: (...given: CommandInput<Kind>) => CommandReply<Kind>;
};

/** @param endLoop what a loop does that has drained */
export function commandsOf(engine: Engine, endLoop: () => void): CommandHandlers {
  return {
    apply: (plan) => engine.apply(plan),
    update: (change) => engine.update(change),
    sourceIsAway: (isAway) => engine.sourceIsAway(isAway),
    unusedQuestions: () => engine.unusedQuestions(),
    replaceCertificates: (tls) => engine.replaceCertificates(tls),
    resolved: (name, addresses) => engine.resolved(name, addresses),
    explain: (query) => engine.explain(query),
    snapshot: () => engine.snapshot(),
    report: (demand) => engine.report(demand),
    ping() {},
    discourage: () => engine.discourage(),
    drain: () => engine.drain(endLoop),
  };
}
