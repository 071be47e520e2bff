/**
 * Follows the source of a plan: reads it again whenever its files change, and hands what can be served to the proxy. What cannot
 * leaves the last good plan in place.
 */
import type { Log } from "../base/log.ts";
import type { Proxy } from "../proxy/config.ts";
import { watchPaths } from "../base/watch.ts";
import type { PlanSource } from "./plan_source.ts";
import type { ReportFindings } from "./report_findings.ts";

/** How often a source is read that cannot be watched: its folder is not there yet, or the file system tells nothing. */
const READ_INTERVAL_MS = 2_000;

interface Following {
  readonly source: PlanSource;
  readonly proxy: Proxy;
  readonly log: Log;
  readonly report: ReportFindings;
  /** Of the plan in force. */
  readonly hash: string;
  /** The plan in force is not the source's: it has given none yet. */
  readonly isRestored: boolean;
}

/** Returns what stops it; resolves once nothing is being read any more. */
export function followPlan(
  { source, proxy, log, report, hash: firstHash, isRestored: wasRestored }: Following,
): () => Promise<void> {
  let hash = firstHash;
  let isRestored = wasRestored;
  /** What was wrong with the last reading, as text: it is said once. */
  let told = "";
  const read = async () => {
    const { plan, findings, problem } = await source.read();
    const wrong = plan === null ? JSON.stringify([problem, findings]) : "";
    const isNews = plan === null ? wrong !== told : isRestored || plan.hash !== hash;
    told = wrong;
    if (!isNews) return;
    report(findings);
    if (plan === null) return log.warn("Plan kept", { reason: problem, plan: hash.slice(0, 12) });
    try {
      await proxy.apply(plan);
      hash = plan.hash;
      isRestored = false;
      log.info("Plan applied", { plan: hash.slice(0, 12), services: plan.services.length });
    } catch (error) {
      log.error("Plan refused", { reason: messageOf(error) });
    }
  };
  // One reading after another: a slow one must not be overtaken and then undo the newer one.
  let running = Promise.resolve();
  const readInTurn = () => void (running = running.then(read));
  const stop = watchOrPoll(source, readInTurn, log);
  // It may have come before the watch began.
  if (wasRestored) readInTurn();
  return () => {
    stop();
    return running;
  };
}

function watchOrPoll({ paths, recursive }: PlanSource, onChange: () => void, log: Log): () => void {
  try {
    const watch = watchPaths(paths, { recursive, onChange });
    return () => watch.stop();
  } catch (error) {
    const reason = messageOf(error);
    log.warn("Changes of the plan are not told", { reason, readEveryMs: READ_INTERVAL_MS });
    const timer = setInterval(onChange, READ_INTERVAL_MS);
    return () => clearInterval(timer);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
