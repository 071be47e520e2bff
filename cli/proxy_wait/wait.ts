/** The work of `weft proxy-wait`: asks a sidecar's admin address again and again, for a bounded time. */
import { Backoff, pause } from "../../base/backoff.ts";
import { directClient } from "../../base/direct_client.ts";
import type { Environment } from "../../console/environment.ts";
import { CommandFailure, EXIT, type ExitCode } from "../../console/exit.ts";
import { formatHostPort, parseHostPort, parseTimeLimitMs } from "../../console/values.ts";
import { ADMIN_ANSWER_MS, READY_LOOK_MS_MAX, READY_LOOK_MS_MIN } from "../limits.ts";

interface ProxyWaitOptions {
  readonly admin: string;
  readonly timeout: string;
}

/** Why it does not serve where nothing answers: the program itself has not got that far. */
const SILENT = "nothing answers there";

/** @throws {CommandFailure} the time is over, or the wait was ended */
export async function waitForProxy(
  { admin, timeout }: ProxyWaitOptions,
  environment: Environment,
): Promise<ExitCode> {
  const url = new URL(`http://${formatHostPort(parseHostPort(admin))}/readyz`);
  const limitMs = parseTimeLimitMs(timeout);
  const stop = new AbortController();
  const stopListening = environment.onStopSignal(() => stop.abort());
  using client = directClient(url);
  const backoff = new Backoff(READY_LOOK_MS_MIN, READY_LOOK_MS_MAX);
  const startMs = performance.now();
  try {
    for (;;) {
      const problem = await whyNotReady(url, client, stop.signal);
      if (problem === null) return EXIT.ok;
      const leftMs = limitMs - (performance.now() - startMs);
      if (stop.signal.aborted) throw failure(admin, "when the wait was ended", problem);
      if (leftMs <= 0) throw failure(admin, `within ${timeout}`, problem);
      await pause(Math.min(backoff.nextMs(), leftMs), stop.signal);
    }
  } finally {
    stopListening();
  }
}

function failure(admin: string, when: string, problem: string): CommandFailure {
  return new CommandFailure(`The sidecar at ${admin} did not serve ${when}: ${problem}`, {
    hint: "The log of its container says more.",
  });
}

/** Null: it is ready. */
async function whyNotReady(
  url: URL,
  client: Deno.HttpClient,
  stopped: AbortSignal,
): Promise<string | null> {
  const signal = AbortSignal.any([stopped, AbortSignal.timeout(ADMIN_ANSWER_MS)]);
  try {
    const answer = await fetch(url, { client, signal });
    const [line] = (await answer.text()).split("\n");
    return answer.ok ? null : line.slice(0, 200) || `status ${answer.status}`;
  } catch {
    return SILENT;
  }
}
